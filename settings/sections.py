"""The sections of a stack file: every key, its type, its one default and what it means."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct, field

from settings.values import (
    AnnotationKey,
    Bucket,
    Cidr,
    Cpu,
    Cron,
    DatabaseName,
    DataKey,
    EnvName,
    FileName,
    Host,
    Image,
    Interval,
    LabelKey,
    LabelValue,
    Memory,
    Moment,
    Name,
    ObjectName,
    ParameterName,
    Port,
    Prefix,
    ProbePath,
    Region,
    Registry,
    Replicas,
    Retention,
    Server,
    Size,
    Text,
    Uid,
    Url,
    words,
)


class Section(Struct, frozen=True, rename="camel"):
    """A frozen part of the stack file: camelCase in YAML, snake_case in Python."""


class OneOf(Section, frozen=True):
    """A section that chooses exactly one of its `alternatives`."""

    alternatives: ClassVar[tuple[str, ...]]


# --- parts of sections -------------------------------------------------------------------------


class Quantities(Section, frozen=True, rename=lambda name: name.replace("_", "-")):
    """Amounts under the names a pod gives them."""

    cpu: Cpu
    """CPU in cores (`2`) or thousandths (`500m`)."""
    memory: Memory
    """Memory in bytes (`4Gi`)."""
    ephemeral_storage: Size
    """Writable disk of the node: emptyDirs and logs, in bytes (`1Gi`)."""


class Resources(Section, frozen=True):
    """Requests and limits of a container; keys left out keep the workload's default."""

    requests: Quantities
    """What the scheduler reserves."""
    limits: Quantities
    """What the node enforces."""


Version = Annotated[Text, Meta(min_length=1, max_length=63)]


class SecretRef(Section, frozen=True):
    """A key of a Secret that exists in the stack's namespace."""

    secret_name: ObjectName
    """Name of the Secret."""
    key: DataKey
    """Key inside the Secret."""
    version: Version | None = None
    """Any word; change it when the Secret's content changes, and exactly the pods that read it are replaced."""


class Toleration(Section, frozen=True):
    """A taint of nodes on which pods may run all the same."""

    key: LabelKey | None = None
    """Key of the taint; left out with `Exists`: any."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """Whether the taint's value counts (`Equal`) or does not (`Exists`)."""
    value: LabelValue | None = None
    """Value of the taint, with `Equal`."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; left out: any."""
    toleration_seconds: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    """How long a pod stays on a node that gets the taint, in seconds, with `NoExecute`; left out: for ever."""


class OperatedPods(Section, frozen=True):
    """What is asked of pods that an operator makes: adds to `pods`, and decides where both name the same thing."""

    node_selector: dict[LabelKey, LabelValue] = {}
    """Labels that a node must have."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints of nodes on which the pods may run all the same."""
    priority_class_name: ObjectName | None = None
    """PriorityClass; the cluster's default when left out."""
    labels: dict[LabelKey, LabelValue] = {}
    """Labels of the pods, and under `pods` of every object too. Nothing ever selects by them."""
    annotations: dict[AnnotationKey, Text] = {}
    """Annotations of the pods."""
    pull_secrets: tuple[ObjectName, ...] = ()
    """Existing Secrets with credentials of registries."""


class WorkloadPods(OperatedPods, frozen=True):
    """What is asked of one workload's pods: adds to `pods`, and decides where both name the same thing."""

    runtime_class_name: ObjectName | None = None
    """RuntimeClass; the cluster's default when left out."""


class Workload(Section, frozen=True):
    """What runs as pods."""

    pods: WorkloadPods = WorkloadPods()
    """What is asked of these pods; adds to `pods`."""


class Identity(Workload, frozen=True):
    """Whom a workload's processes run as."""

    uid: Uid = 10001
    """User id of every process of the workload, or `platform` where the platform assigns it."""
    gid: Uid = 10001
    """Group id of every process, and the group that owns its volumes; the platform's where `uid` is."""


class Application(Identity, frozen=True):
    """An image of SkillFlaw's."""

    read_only_root: bool = True
    """Whether no process may write the image's own files; `false` for an image that writes them at its start."""


# --- sections ----------------------------------------------------------------------------------


class Cluster(Section, frozen=True):
    """The cluster that the stack lives in. The ambient context is never used."""

    context: Annotated[str, Meta(min_length=1)] | None = None
    """Context of the kubeconfig. May be left out only when the secret `skillflaw:kubeconfig` is set.
    Frozen after the first `up`."""


class Namespace(Section, frozen=True):
    """The namespace that holds everything; Pod Security `restricted` is enforced in one the stack creates."""

    name: Name = "skillflaw"
    """Name of the namespace; the cluster's own and the edge's are refused. Frozen after the first `up`."""
    create: bool = True
    """Whether the stack creates the namespace, or finds it. Frozen after the first `up`."""


class Images(Section, frozen=True):
    """What runs. By digest in production, so that a preview shows what changes."""

    backend: Image
    """Backend, e.g. `ghcr.io/cwinux/skillflaw_backend@sha256:…`."""
    frontend: Image | None = None
    """Web UI; needed by `surfaces.app`."""
    docs: Image | None = None
    """Documentation; needed by `surfaces.docs`."""
    postgres: Image | None = None
    """PostgreSQL, by digest or a patch release such as `16.4`; needed by `database.inCluster` and
    `database.cloudNativePg`. Its major is frozen."""
    redis: Image | None = None
    """Redis; needed by `cache.inCluster`."""
    restic: Image | None = None
    """restic 0.18 or newer in an image with a shell, e.g. `docker.io/restic/restic`; needed by `backup.schedule`."""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    """When nodes ask the registry."""
    pull_deadline_seconds: Annotated[int, Meta(ge=60, le=14400)] = 300
    """How long a node may take to pull an image, in seconds; every wait for a pod is that much longer."""
    registries: Annotated[tuple[Registry, ...], Meta(min_length=1)] = (
        "ghcr.io/cwinux",
        "docker.io/library",
        "docker.io/restic",
    )
    """Registries, or folders of one, that images may come from. Short names are `docker.io/library`'s."""


class Trust(OneOf, frozen=True):
    """A bundle of certificate authorities in PEM form, instead of the one in the image: public ones belong in it too."""

    alternatives: ClassVar = ("config_map_name", "secret_name")

    key: DataKey
    """Key of the bundle."""
    config_map_name: ObjectName | None = None
    """ConfigMap in the stack's namespace that holds it."""
    secret_name: ObjectName | None = None
    """Secret in the stack's namespace that holds it."""


class Pods(WorkloadPods, frozen=True):
    """What the cluster's owner asks of every pod, those of Jobs included; a workload's own `pods` adds to it."""

    trust: Trust | None = None
    """Authorities that backend, bootstrap and backup trust when they open TLS."""


class Tls(OneOf, frozen=True):
    """The certificate of one host."""

    alternatives: ClassVar = ("secret_name", "at_edge")

    secret_name: ObjectName | None = None
    """Existing Secret of type kubernetes.io/tls."""
    at_edge: Annotated[bool, Meta(extra_json_schema={"const": True}), words("true", bool)] | None = None
    """The load balancer in front of the cluster has the certificate and terminates TLS."""


class Surface(Section, frozen=True):
    """One public host."""

    host: Host
    """Public host name."""
    tls: Tls | None = None
    """The host's own certificate. Without it: `edge.issuer`, or the controller's default certificate."""
    annotations: dict[AnnotationKey, Text] = {}
    """Extra annotations of this host's route; they win over `edge.annotations`."""
    service_annotations: dict[AnnotationKey, Text] = {}
    """Extra annotations of the Service behind the host, where controllers read settings of a backend: of `api` the
    backend's, which without it are `app`'s; of `app` the web UI's; of `docs` the documentation's."""


PathGroup = Literal["health", "run", "responses", "mcp", "webhook", "files", "management"]


class ApiSurface(Surface, frozen=True):
    """The backend's API on a host of its own."""

    allow: Annotated[tuple[PathGroup, ...], Meta(min_length=1)] = ("health", "run", "responses", "mcp")
    """Groups of paths that are open; everything else answers 404. `webhook` and `files` are for programs that call flows so
    or upload for them; `management` is all of `/api/`."""


class AppSurface(Surface, frozen=True):
    """The web UI, with the API it needs on the same host."""


class DocsSurface(Surface, frozen=True):
    """The documentation."""

    public: bool = False
    """Says that publishing the documentation is meant; protection asks for it."""


class Surfaces(Section, frozen=True):
    """The one census of what is public. An absent row means: no workload, no route."""

    api: ApiSurface | None = None
    """Programs call the backend here."""
    app: AppSurface | None = None
    """People use the web UI here."""
    docs: DocsSurface | None = None
    """People read the documentation here."""

    def present(self) -> dict[str, Surface]:
        """The rows that exist, by name."""
        return {name: row for name in ("api", "app", "docs") if (row := getattr(self, name)) is not None}


CONTROLLERS = {
    "traefik": "traefik",
    "nginx": "nginx",
    "webapprouting.kubernetes.azure.com": "nginx",
    "haproxy": "haproxy",
    "openshift-default": "openshift",
    "alb": "alb",
    "gce": "gce",
    "gce-internal": "gce",
}
"""IngressClasses that installations make under the same name everywhere, and their controllers."""

Controller = Literal["traefik", "nginx", "f5-nginx", "haproxy", "openshift", "alb", "gce", "none"]


class IngressEdge(Section, frozen=True):
    """Routes as Ingress objects."""

    class_name: ObjectName
    """IngressClass of the controller."""
    controller: Controller | None = None
    """The controller by name, since each reads timeouts and buffering from annotations of its own: `nginx` is the
    community's, `f5-nginx` F5's, `haproxy` HAProxy Technologies', `openshift` its router, `alb` AWS's, `gce` Google's;
    `none` is any whose timeouts are configured elsewhere. May be left out for a class of a well-known name."""

    @property
    def served_by(self) -> str | None:
        """The controller, as it is named or as the class is known for."""
        return self.controller or CONTROLLERS.get(self.class_name)


class GatewayEdge(Section, frozen=True):
    """Routes as HTTPRoute objects attached to a Gateway that exists."""

    name: ObjectName
    """Name of the Gateway."""
    namespace: Name
    """Namespace of the Gateway."""
    listener: Name = "https"
    """Its listener (sectionName) that terminates TLS and names the certificates."""
    redirect_listener: Name | None = None
    """Its plain listener, whose requests are redirected to HTTPS; left out when the Gateway has none."""
    timeouts: bool = True
    """Whether routes carry `timeouts`; false where the implementation rejects the field."""


class Edge(Section, frozen=True):
    """How public hosts reach the cluster."""

    ingress: IngressEdge | None = None
    """Use an ingress controller."""
    gateway: GatewayEdge | None = None
    """Use the Gateway API."""
    issuer: ObjectName | None = None
    """cert-manager ClusterIssuer that makes the certificates of hosts without `tls`."""
    annotations: dict[AnnotationKey, Text] = {}
    """Extra annotations of every route, for the controller at hand; under protection, those known to be harmless."""
    await_address: bool = False
    """Whether `pulumi up` waits until the controller publishes an address."""


class FixedScale(Section, frozen=True):
    """A fixed number of replicas."""

    replicas: Replicas
    """Number of pods."""

    @property
    def most(self) -> int:
        """The most pods this scale can ask for."""
        return self.replicas


class AutoScale(Section, frozen=True):
    """A number of replicas that follows CPU use."""

    min: Annotated[int, Meta(ge=2, le=100)]
    """Fewest pods; at least 2, so that losing one is no outage."""
    max: Replicas
    """Most pods."""
    cpu_percent: Annotated[int, Meta(ge=10, le=100)] = 80
    """Target CPU use, in percent of the request."""

    @property
    def most(self) -> int:
        """The most pods this scale can ask for."""
        return self.max


class BackendResources(Resources, frozen=True):
    """The guide's figures."""

    requests: Quantities = Quantities(cpu="500m", memory="1Gi", ephemeral_storage="512Mi")
    limits: Quantities = Quantities(cpu="2", memory="4Gi", ephemeral_storage="4Gi")


class Probes(Section, frozen=True):
    """Paths the kubelet asks."""

    startup: ProbePath = "/health_check"
    """Answers once migrations are done and state is reachable."""
    readiness: ProbePath = "/health_check"
    """Fails while database or cache are down: the pod leaves the Service."""
    liveness: ProbePath = "/health"
    """Fails only when the process itself is stuck: the container restarts. Never asks state."""


class SecretEnvFrom(Section, frozen=True):
    """Every key of a Secret as a variable."""

    secret_name: ObjectName
    """Name of the Secret."""
    prefix: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]*_$", max_length=63)]
    """What the variables' names begin with, e.g. `CRM_`: without it a key could take the name of any setting. A
    variable that needs its own name is `secretEnv`'s."""
    version: Version | None = None
    """Any word; change it when the Secret's content changes, and exactly the pods that read it are replaced."""


class ServiceAccount(Section, frozen=True):
    """An account without permissions in the cluster, and without a mounted token."""

    annotations: dict[AnnotationKey, Text] = {}
    """Annotations by which a cloud gives the pods an identity, e.g. `eks.amazonaws.com/role-arn`."""


class Backend(Application, frozen=True):
    """The application."""

    scale: FixedScale | AutoScale = FixedScale(replicas=2)
    """`{replicas}` or `{min, max, cpuPercent}`."""
    resources: BackendResources = BackendResources()
    """Requests and limits per pod."""
    env: dict[EnvName, Text] = {}
    """Extra environment. Secrets belong into `secretEnv`; what the program owns, and under protection what would
    weaken it, is refused."""
    secret_env: dict[EnvName, SecretRef] = {}
    """Extra environment from keys of Secrets, e.g. `OPENAI_API_KEY: {secretName, key}`. Refused as in `env`; under
    protection also what security rests on, since its value cannot be seen."""
    secret_env_from: tuple[SecretEnvFrom, ...] = ()
    """Secrets whose every key is a variable, with a prefix that no setting's name begins with."""
    secret_files: dict[FileName, SecretRef] = {}
    """Keys of Secrets as files: client certificates, credentials of a cloud. By name in `/run/secrets/files`."""
    service_account: ServiceAccount = ServiceAccount()
    """The backend's ServiceAccount."""
    longest_flow_seconds: Annotated[int, Meta(ge=1, le=3600)] = 300
    """The longest flow a rollout or a proxy must not cut, in seconds."""
    pre_stop_seconds: Annotated[int, Meta(ge=1, le=120)] = 15
    """How long a leaving pod still accepts requests while proxies learn that it leaves, in seconds."""
    probes: Probes = Probes()
    """Paths the kubelet asks."""
    records: bool | None = None
    """Whether each run leaves its transactions and vertex builds in the database: inputs and outputs of every component, by
    which the UI shows a flow's logs and its last results. They cost a quarter to a third of what a pod can do
    (docs/sizing.md). Left out:
    false where an API's host is the only way in and does not open `management`, by which alone they are read. Messages and
    the log are kept either way, and nothing that was stored is deleted."""


class BootstrapResources(Resources, frozen=True):
    """What a script without dependencies needs."""

    requests: Quantities = Quantities(cpu="10m", memory="32Mi", ephemeral_storage="16Mi")
    limits: Quantities = Quantities(cpu="500m", memory="128Mi", ephemeral_storage="64Mi")


class Bootstrap(Workload, frozen=True):
    """The Jobs that prepare what the backend starts on. Their pods are asked what the backend's are, and this."""

    resources: BootstrapResources = BootstrapResources()
    """Requests and limits of the containers that compare and note the key, in the backend's pods too."""


class WebResources(Resources, frozen=True):
    """What nginx with static files needs."""

    requests: Quantities = Quantities(cpu="50m", memory="64Mi", ephemeral_storage="64Mi")
    limits: Quantities = Quantities(cpu="500m", memory="256Mi", ephemeral_storage="256Mi")


class Web(Application, frozen=True):
    """A stateless web server."""

    replicas: Replicas = 2
    """Number of pods."""
    port: Port = 80
    """Port the container listens on."""
    resources: WebResources = WebResources()
    """Requests and limits per pod."""


class Frontend(Web, frozen=True):
    """The web UI; runs when `surfaces.app` exists."""

    backend_url: Url | None = None
    """What the UI's server proxies to. Default: `https://<surfaces.api.host>/`."""


class Docs(Web, frozen=True):
    """The documentation; runs when `surfaces.docs` exists."""


class DatabaseResources(Resources, frozen=True):
    """A small PostgreSQL."""

    requests: Quantities = Quantities(cpu="250m", memory="512Mi", ephemeral_storage="128Mi")
    limits: Quantities = Quantities(cpu="2", memory="2Gi", ephemeral_storage="1Gi")


class InClusterDatabase(Identity, frozen=True):
    """One PostgreSQL in the stack's namespace."""

    size: Size = "10Gi"
    """Size of its volume; can grow, never shrink."""
    class_name: ObjectName | None = None
    """StorageClass; the cluster's default when left out. Frozen after the first `up`."""
    existing_claim: Name | None = None
    """A claim that exists; then the stack creates none. PostgreSQL starts empty on an empty one."""
    password_version: Version | None = None
    """Any word; another one makes another user and password for the application, and ends those before once nobody uses
    them."""
    resources: DatabaseResources = DatabaseResources()
    """Requests and limits."""


class ExternalDatabase(SecretRef, frozen=True):
    """A PostgreSQL outside the stack; the Secret's key holds the whole `postgresql://…` URL."""


class DatabaseAddress(Section, frozen=True):
    """A PostgreSQL outside the stack, by its address; user and password stay in a Secret, as they are."""

    host: Server
    """Host name or address that it answers at."""
    name: DatabaseName
    """Name of the database."""
    secret_name: ObjectName
    """Name of the Secret."""
    user_key: DataKey
    """Key of the user's name inside the Secret."""
    password_key: DataKey
    """Key of the password inside the Secret; nothing in it is encoded."""
    port: Port = 5432
    """Its port."""
    ssl_mode: Literal["disable", "require", "verify-ca", "verify-full"] = "require"
    """How connections are encrypted, and whether the server's certificate is verified; never `disable` under protection."""
    version: Version | None = None
    """Any word; change it when the Secret's content changes, and exactly the pods that read it are replaced."""


class InstanceResources(Resources, frozen=True):
    """A small PostgreSQL, and room for its temporary files."""

    requests: Quantities = Quantities(cpu="250m", memory="512Mi", ephemeral_storage="128Mi")
    limits: Quantities = Quantities(cpu="2", memory="2Gi", ephemeral_storage="2Gi")


class Bucketed(Section, frozen=True, kw_only=True):
    """A bucket behind the API of S3."""

    endpoint: Url
    """Where it answers, e.g. `https://s3.eu-central-1.amazonaws.com`. In a private range `network.egress` opens it."""
    bucket: Bucket
    """Name of the bucket, which exists."""
    region: Region = "us-east-1"
    """Region that requests are signed for."""


class ArchiveStore(Bucketed, frozen=True, kw_only=True):
    """A bucket behind the API of S3 that the write-ahead log and base backups go to, by the plugin Barman Cloud."""

    secret_name: ObjectName
    """Name of the Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; it is read again at every use."""
    prefix: Prefix
    """Folder inside the bucket that no other stack writes to."""
    retention: Retention = "30d"
    """How far back a moment may lie that can be restored, in days (`30d`), weeks (`4w`) or months (`1m`)."""
    schedule: Cron = "0 2 * * *"
    """When a base backup begins, as a cron schedule in UTC; the first one begins at once."""


class Recovery(Section, frozen=True, kw_only=True):
    """Another Cluster, which begins as what the archive of an earlier one had at a moment; the earlier one stays."""

    generation: Annotated[int, Meta(ge=2, le=999)]
    """Number of the Cluster, `database-g2` for 2; the first one is 1. A number is used once. Frozen after the `up` that
    restores."""
    target_time: Moment | None = None
    """The moment: what was committed by then is there, and nothing that came later. Left out: the end of the archive."""
    source: Annotated[int, Meta(ge=1, le=998)] | None = None
    """Generation whose archive is read; the one before when left out."""

    @property
    def restored(self) -> int:
        """The generation whose archive is read."""
        return self.source or self.generation - 1


class CloudNativePg(Section, frozen=True, kw_only=True):
    """A PostgreSQL that CloudNativePG runs in the stack's namespace; the operator is there already."""

    major: Annotated[int, Meta(ge=13, le=99)]
    """PostgreSQL's major version in `images.postgres`. Frozen after the first `up`."""
    instances: Replicas = 2
    """One primary, and standbys that take its place; each needs a node of its own."""
    size: Size = "10Gi"
    """Size of each instance's volume; can grow, never shrink."""
    wal_size: Size | None = None
    """Size of a second volume for the write-ahead log alone. Left out: it is kept with the data."""
    class_name: ObjectName | None = None
    """StorageClass; the cluster's default when left out. Frozen after the first `up`."""
    synchronous: Literal["preferred", "required", "never"] | None = None
    """When a commit waits for a standby: `preferred` while there is one (default with two instances), `required` always
    (default with three or more), `never` (default with one)."""
    parameters: dict[ParameterName, Text] = {}
    """Parameters of postgresql.conf; under protection, those known to lose nothing. `max_connections` wins over
    `database.maxConnections`."""
    password_version: Version | None = None
    """Any word; another one makes another password for the application and rolls the pods that sign in with it."""
    object_store: ArchiveStore | None = None
    """A bucket that every change is archived in, so that any moment can be restored; the plugin is there already."""
    recovery: Recovery | None = None
    """A restore to a moment (docs/operating.md); it stays in the file as long as the Cluster that it made."""
    uid: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 26
    """User id of PostgreSQL in the image. Frozen after the first `up`."""
    gid: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 26
    """Group id of PostgreSQL in the image."""
    resources: InstanceResources = InstanceResources()
    """Requests and limits of each instance."""
    pods: OperatedPods = OperatedPods()
    """What is asked of these pods; adds to `pods`, whose `runtimeClassName` a Cluster cannot ask for."""

    @property
    def durability(self) -> str | None:
        """`preferred`, `required`, or None where no commit waits for a standby."""
        usual = "never" if self.instances == 1 else "preferred" if self.instances == 2 else "required"
        chosen = self.synchronous or usual
        return None if chosen == "never" else chosen

    @property
    def generation(self) -> int:
        """Number of the Cluster that the application uses."""
        return self.recovery.generation if self.recovery else 1


class Database(OneOf, frozen=True):
    """The PostgreSQL that holds flows, users and keys."""

    alternatives: ClassVar = ("in_cluster", "cloud_native_pg", "external")

    in_cluster: InClusterDatabase | None = None
    """One PostgreSQL in the stack's namespace."""
    cloud_native_pg: CloudNativePg | None = None
    """A PostgreSQL with standbys in the stack's namespace, run by the operator CloudNativePG."""
    external: ExternalDatabase | DatabaseAddress | None = None
    """A PostgreSQL outside the stack: `{secretName, key}` of its URL, or `{host, port, name, secretName, userKey,
    passwordKey}`."""
    max_connections: Annotated[int, Meta(ge=20, le=10000)] = 100
    """Connections the server allows; one inside the cluster is started with it."""
    pool_size: Annotated[int, Meta(ge=1, le=100)] = 5
    """Connections each backend process keeps."""
    max_overflow: Annotated[int, Meta(ge=0, le=100)] = 6
    """Connections each backend process may open beyond its pool."""

    @property
    def mode(self) -> str:
        """The alternative that was chosen, as the stack file spells it."""
        if self.in_cluster:
            return "inCluster"
        return "cloudNativePg" if self.cloud_native_pg else "external"

    @property
    def parameters(self) -> dict[str, str]:
        """Parameters that a server of the stack's own is started with."""
        given = self.cloud_native_pg.parameters if self.cloud_native_pg else {}
        return {"max_connections": str(self.max_connections), **given}

    @property
    def connections(self) -> int:
        """Connections that the server allows."""
        words = self.parameters["max_connections"]
        return int(words) if words.isdigit() else self.max_connections


class CacheQuantities(Section, frozen=True, rename=lambda name: name.replace("_", "-")):
    """Amounts next to `memory`, which is request and limit at once."""

    cpu: Cpu
    """CPU in cores (`2`) or thousandths (`500m`)."""
    ephemeral_storage: Size
    """Writable disk of the node: emptyDirs and logs, in bytes (`1Gi`)."""


class CacheResources(Section, frozen=True):
    """A small Redis."""

    requests: CacheQuantities = CacheQuantities(cpu="50m", ephemeral_storage="32Mi")
    """What the scheduler reserves."""
    limits: CacheQuantities = CacheQuantities(cpu="1", ephemeral_storage="256Mi")
    """What the node enforces."""


class InClusterCache(Identity, frozen=True):
    """One Redis in the stack's namespace; it holds nothing that cannot be lost."""

    memory: Memory = "256Mi"
    """Memory limit of the container; Redis evicts at 75 % of it."""
    password_version: Version | None = None
    """Any word; another one makes another user and password for the application, and ends those before once nobody uses
    them. Redis 6.2 or newer."""
    resources: CacheResources = CacheResources()
    """Requests and limits next to `memory`."""


class ExternalCache(SecretRef, frozen=True):
    """A Redis outside the stack; the Secret's key holds the whole `redis://…` or `rediss://…` URL."""


class CacheAddress(Section, frozen=True):
    """A Redis outside the stack, by its address and without TLS: the guide's own two variables."""

    host: Server
    """Host name or address that it answers at."""
    port: Port = 6379
    """Its port."""
    secret_name: ObjectName | None = None
    """Name of the Secret with the password, if there is one."""
    password_key: DataKey | None = None
    """Key of the password inside the Secret: letters, digits, `-`, `.`, `_` and `~`, for it becomes a part of a URL as
    it is."""
    version: Version | None = None
    """Any word; change it when the Secret's content changes, and exactly the pods that read it are replaced."""


class Cache(OneOf, frozen=True):
    """The Redis that holds intermediate results of flows, shared by all replicas."""

    alternatives: ClassVar = ("in_cluster", "external", "none")

    in_cluster: InClusterCache | None = None
    """One Redis in the stack's namespace."""
    external: ExternalCache | CacheAddress | None = None
    """A Redis outside the stack: `{secretName, key}` of its URL, or `{host, port}` and the Secret of its password."""
    none: Annotated[bool, Meta(extra_json_schema={"const": True}), words("true", bool)] | None = None
    """No shared cache: each process keeps its own. For one replica only."""


class Storage(Section, frozen=True):
    """The volume behind SKILLFLAW_CONFIG_DIR: uploads and MCP server lists."""

    size: Size = "10Gi"
    """Size of the claim; can grow, never shrink."""
    class_name: ObjectName | None = None
    """StorageClass; the cluster's default when left out. Frozen after the first `up`."""
    access_mode: Literal["ReadWriteMany", "ReadWriteOnce"] | None = None
    """`ReadWriteMany` when left out. Frozen after the first `up`; of an existing claim, what it allows."""
    existing_claim: Name | None = None
    """A claim that exists; then the stack creates none."""

    @property
    def mode(self) -> str:
        """Its access mode."""
        return self.access_mode or "ReadWriteMany"


class PreviousSecretKey(OneOf, frozen=True):
    """The key of before: one that the stack generated, or one from a Secret that it does not own."""

    alternatives: ClassVar = ("generation", "secret_name")

    generation: Annotated[int, Meta(ge=1, le=1000)] | None = None
    """A generated key."""
    secret_name: ObjectName | None = None
    """Name of the Secret."""
    key: DataKey | None = None
    """Key inside the Secret."""


class ExistingSecretKey(SecretRef, frozen=True):
    """A key from a Secret that the stack does not own."""

    previous: PreviousSecretKey | None = None
    """The key that it takes the place of: what that one opens is encrypted again, before any replica starts."""


class GeneratedSecretKey(Section, frozen=True):
    """The keys that the stack generates."""

    generation: Annotated[int, Meta(ge=1, le=1000)] = 1
    """The one in use. Another number makes a new key and encrypts again what the one before opens."""
    give_up: Annotated[int, Meta(ge=0, le=999)] = 0
    """The last generation that may be deleted: a backup made with it cannot be read any more."""


class SecretKey(Section, frozen=True):
    """The key that encrypts stored credentials and signs sessions. Generated unless `existing` is given."""

    generated: GeneratedSecretKey = GeneratedSecretKey()
    """Generated keys; those before the one in use stay until they are given up."""
    existing: ExistingSecretKey | None = None
    """Use a key that exists instead of a generated one."""
    accept_loss: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")] | None = None
    """Fingerprint of the key whose encrypted data may be lost: lets a deliberate change of key pass, for one run."""

    @property
    def in_words(self) -> str:
        """The key's reference, from which no key can be learned."""
        if key := self.existing:
            return f"{key.key} of Secret {key.secret_name}, version {key.version}"
        generation = self.generated.generation
        return "generated" if generation == 1 else f"generated, generation {generation}"


class Superuser(Section, frozen=True):
    """The first administrator, created once. Later only a version gives the account another password."""

    username: Annotated[str, Meta(pattern=r"^[-._@a-zA-Z0-9]+$", max_length=150)] = "skillflaw"
    """Login name."""
    password: SecretRef | None = None
    """The password in a Secret that exists; generated when left out. With a `version`, an account that exists is given it
    too."""
    password_version: Version | None = None
    """Any word; another one generates another password and gives it to the account."""


class BackupResources(Resources, frozen=True):
    """A dump, and a trial server and restic next to it that get the same."""

    requests: Quantities = Quantities(cpu="50m", memory="128Mi", ephemeral_storage="64Mi")
    limits: Quantities = Quantities(cpu="1", memory="1Gi", ephemeral_storage="10Gi")
    """What the node enforces; `ephemeral-storage` holds the dump and the database that the trial server makes of it."""


class BackupClaim(Section, frozen=True):
    """A volume that holds the repository."""

    size: Size = "10Gi"
    """Size of the claim; can grow, never shrink."""
    class_name: ObjectName | None = None
    """StorageClass; the cluster's default when left out."""
    existing_claim: Name | None = None
    """A claim that exists, e.g. one that another site copies; then the stack creates none."""


class ObjectStore(Bucketed, frozen=True, kw_only=True):
    """A bucket that holds the repository, behind the API of S3."""

    secret_name: ObjectName
    """Name of the Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`."""
    prefix: Prefix = "skillflaw"
    """Folder of the repository inside the bucket."""
    version: Version | None = None
    """Any word; change it when the Secret's content changes."""


class BackupTarget(OneOf, frozen=True):
    """What holds the repository of backups."""

    alternatives: ClassVar = ("claim", "object_store")

    claim: BackupClaim | None = None
    """A volume of the cluster."""
    object_store: ObjectStore | None = None
    """A bucket, which outlives the cluster."""


class Backup(Workload, frozen=True):
    """Encrypted snapshots of the database and the application's files in a repository of restic, each restored once."""

    schedule: Cron | None = None
    """When a backup begins, as a cron schedule in UTC. Left out: nothing is backed up."""
    keep: Annotated[int, Meta(ge=1, le=1000)] = 7
    """How many backups stay; older ones are removed after a new one succeeded."""
    to: BackupTarget | None = None
    """`{claim}` or `{objectStore}`; a claim of 10Gi when left out."""
    password: SecretRef | None = None
    """The repository's password in a Secret that exists; generated when left out. Without it a backup is nothing."""
    database_url: SecretRef | None = None
    """A URL of the database for backups alone: past a pooler, or of the role that owns the tables."""
    resources: BackupResources = BackupResources()
    """Requests and limits."""

    @property
    def existing_claim(self) -> str | None:
        """A claim of the operator's own that holds the repository."""
        return self.to.claim.existing_claim if self.to and self.to.claim else None


class Peer(OneOf, frozen=True):
    """Pods of a namespace, or a range of addresses."""

    alternatives: ClassVar = ("namespace", "cidr")

    namespace: Name | None = None
    """Namespace of the pods. Pods on the network of their node are addresses instead."""
    labels: dict[LabelKey, LabelValue] = {}
    """Labels that the pods have; every pod of the namespace when left out."""
    cidr: Cidr | None = None
    """IPv4 or IPv6 range, for whatever is no pod of this cluster."""


class Egress(Peer, frozen=True, kw_only=True):
    """A destination of backend, bootstrap and backup beyond the public internet."""

    ports: Annotated[tuple[Port, ...], Meta(min_length=1)]
    """TCP ports, as the pods or the addresses themselves have them."""


class Network(Section, frozen=True):
    """What may talk to what."""

    policies: bool = True
    """Whether the stack closes its namespace with NetworkPolicies."""
    edge: tuple[Peer, ...] = ()
    """Who carries public requests to the pods: an ingress controller, a Gateway, a load balancer's addresses."""
    dns: Annotated[tuple[Peer, ...], Meta(min_length=1)] = (
        Peer(namespace="kube-system", labels={"k8s-app": "kube-dns"}),
        Peer(cidr="169.254.20.10/32"),
    )
    """Who answers names, on ports 53 and 5353 over UDP and TCP: the cluster's DNS, and NodeLocal DNSCache."""
    callers: tuple[Peer, ...] = ()
    """Who else may call the backend's port: clients inside the cluster, past every public host."""
    monitoring: tuple[Peer, ...] = ()
    """Who scrapes what `monitoring.metrics` asks for: the pods of Prometheus."""
    egress: tuple[Egress, ...] = ()
    """Further destinations of backend, bootstrap and backup, e.g. a database in a private range."""
    operator: tuple[Peer, ...] = (
        Peer(namespace="cnpg-system", labels={"app.kubernetes.io/name": "cloudnative-pg"}),
    )
    """Who runs the pods of `database.cloudNativePg`: the operator asks them how they are."""
    api_server: tuple[Egress, ...] = ()
    """The API server, which pods of `database.cloudNativePg` ask: its own addresses and ports, not those of its Service."""

    def peers(self) -> dict[str, tuple[Peer, ...]]:
        """Every list of peers by its key."""
        return {
            "edge": self.edge,
            "dns": self.dns,
            "callers": self.callers,
            "monitoring": self.monitoring,
            "egress": self.egress,
            "operator": self.operator,
            "apiServer": self.api_server,
        }


class Metrics(Section, frozen=True):
    """PodMonitors of the backend and of the instances of `database.cloudNativePg`; `network.monitoring` says who scrapes."""

    interval: Interval | None = None
    """Time between two scrapes, e.g. `30s`; Prometheus' own when left out."""
    labels: dict[LabelKey, LabelValue] = {}
    """Labels that Prometheus selects PodMonitors by (its `podMonitorSelector`), e.g. `release: prometheus`."""


class AlertingRules(Section, frozen=True):
    """A PrometheusRule with the alerts of docs/runbooks.md, each about this stack's namespace alone."""

    labels: dict[LabelKey, LabelValue] = {}
    """Labels that Prometheus selects PrometheusRules by (its `ruleSelector`), e.g. `release: prometheus`."""
    latency_seconds: Annotated[int, Meta(ge=1, le=3600)] = 30
    """Mean duration of public requests above which an alert fires, in seconds: flows are as slow as what they call."""


class Dashboard(Section, frozen=True):
    """A ConfigMap with a dashboard, as Grafana's sidecar collects them."""

    labels: dict[LabelKey, LabelValue] = field(default_factory=lambda: {"grafana_dashboard": "1"})
    """Labels that the sidecar looks for."""


class Monitoring(Section, frozen=True):
    """Objects of the Prometheus operator and of Grafana, each of which exists only if its key does; `{}` asks for one."""

    metrics: Metrics | None = None
    """Have Prometheus scrape the stack's pods."""
    rules: AlertingRules | None = None
    """Have Prometheus fire alerts."""
    dashboard: Dashboard | None = None
    """Have Grafana show the stack."""


class Protection(Section, frozen=True):
    """Whether losing or weakening this environment would hurt somebody."""

    enabled: bool = True
    """On: stateful resources refuse to be deleted or replaced, and unsafe settings are refused."""
    migrating: tuple[str, ...] = ()
    """Paths of choices that hold for the life of the data and may change now, since the data was moved."""


class Settings(Section, frozen=True, kw_only=True):
    """A whole stack file, without its secrets."""

    cluster: Cluster
    namespace: Namespace = Namespace()
    images: Images
    pods: Pods = Pods()
    surfaces: Surfaces = Surfaces()
    edge: Edge = Edge()
    backend: Backend = Backend()
    bootstrap: Bootstrap = Bootstrap()
    frontend: Frontend = Frontend()
    docs: Docs = Docs()
    database: Database
    cache: Cache
    storage: Storage = Storage()
    secret_key: SecretKey = SecretKey()
    superuser: Superuser = Superuser()
    backup: Backup = Backup()
    network: Network = Network()
    monitoring: Monitoring = Monitoring()
    protection: Protection = Protection()

    @property
    def records(self) -> bool:
        """Whether runs leave records: as the file says, otherwise unless nobody could read them."""
        if self.backend.records is not None:
            return self.backend.records
        api, inside = self.surfaces.api, self.network.callers or not self.network.policies
        return bool(self.surfaces.app or inside or not api or "management" in api.allow)
