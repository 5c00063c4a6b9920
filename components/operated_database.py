"""PostgreSQL that CloudNativePG runs in the stack's namespace: one primary, and standbys that take its place."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

from . import archive, labels, names, pods, workloads
from .archive import ArchiveArgs
from .component import ChildOptions, Component
from .database import DATABASE, USER
from .references import AUTHORITY, SecretKeyRef, State

COMPONENT = names.CLUSTER
API_VERSION = "postgresql.cnpg.io/v1"
STARTUP_SECONDS = 300
"""How long one instance may take from its Job to Ready, in seconds, once its image is there; measured: 30."""
RECOVERY_SECONDS = 6 * 3600
"""How long a restore may take, in seconds: a base backup comes back as fast as the object store gives it."""
RESOURCES = pods.Resources(
    requests={"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "128Mi"},
    limits={"cpu": "2", "memory": "2Gi", "ephemeral-storage": "2Gi"},
)
"""A small PostgreSQL."""
ACCESS = ["hostssl all all all scram-sha-256", "hostnossl all all all reject"]
"""Lines of pg_hba.conf: whoever comes over the network does so encrypted and with a password."""


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """A beginning as what the archive of an earlier generation had at a moment."""

    generation: int
    """Number of the Cluster; 2 or more."""
    source: int
    """Number of the Cluster whose archive is read."""
    target_time: str | None = None
    """The moment as RFC 3339 writes it; None: the archive's end."""


@dataclass(frozen=True, kw_only=True)
class OperatedDatabaseArgs:
    """How many instances of PostgreSQL there are, and what their data is kept on."""

    workload: pods.Workload
    """Image, user and resources of each instance."""
    major: int
    """PostgreSQL's major version in the image; the operator reads it from no digest."""
    instances: int = 2
    """Primary and standbys, each on a node of its own."""
    size: str = "10Gi"
    """Size of each instance's claim, a quantity; can grow, never shrink."""
    wal_size: str | None = None
    """Size of a claim for the write-ahead log alone; None keeps it with the data."""
    class_name: str | None = None
    """StorageClass; None leaves it to the cluster."""
    synchronous: str | None = "preferred"
    """`required`: a commit waits for a standby. `preferred`: while there is one. None: never."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of postgresql.conf."""
    password_version: str | None = None
    """Any word; another one makes another password."""
    archive: ArchiveArgs | None = None
    """The store that keeps every change; None: changes are not kept."""
    recovery: Recovery | None = None
    """What the database begins as; None: empty. It reads `archive`."""
    protect: bool = True
    """Whether the Cluster refuses to be deleted and outlives the stack; its claims are deleted with it."""

    @property
    def cluster(self) -> str:
        """Name of the Cluster."""
        return names.cluster(self.recovery.generation if self.recovery else 1)


class OperatedDatabase(Component):
    """A CloudNativePG `Cluster` whose application role is the owner of one database and nothing more.

    The password is the stack's, not the operator's: the operator sets it again whenever its Secret changes, so a new one
    locks nothing up. A Cluster has no `observedGeneration`: Pulumi can wait for it to be Ready when it is made, and for
    nothing after an update. A new password is known to be in force once the bootstrap Job, which signs in with it before
    any replica does, has succeeded.
    """

    state: State

    def __init__(
        self, name: str, args: OperatedDatabaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("skillflaw:app:OperatedDatabase", name, None, opts)
        namespace, image = args.workload.namespace, args.workload.image
        password = random.RandomPassword(
            f"{name}-password",
            length=32,
            special=False,
            keepers={"version": args.password_version} if args.password_version else None,
            opts=self.child(ignore_changes=["length", "special"]),
        )
        # Not immutable and of a fixed name: the Cluster refers to it, and follows its content by the label.
        role = k8s.core.v1.Secret(
            f"{name}-role",
            metadata=labels.metadata(
                COMPONENT, namespace, name=f"{COMPONENT}-role", more_labels={"cnpg.io/reload": "true"}
            ),
            type="kubernetes.io/basic-auth",
            string_data={"username": USER, "password": password.result},
            opts=self.child(),
        )
        # The operator reads the major version from a tag and misreads a hash; a catalog says it.
        catalog = k8s.apiextensions.CustomResource(
            f"{name}-catalog",
            api_version=API_VERSION,
            kind="ImageCatalog",
            metadata=labels.metadata(COMPONENT, namespace, name=COMPONENT),
            spec={"images": [{"major": args.major, "image": image.reference}]},
            opts=self.child(),
        )
        before: list[pulumi.Resource] = [role, catalog]
        if args.archive:
            before.append(
                self._custom(
                    f"{name}-archive",
                    args,
                    archive.API_VERSION,
                    "ObjectStore",
                    COMPONENT,
                    args.archive.object_store(),
                )
            )
        seconds = args.instances * (image.pull_deadline_seconds + STARTUP_SECONDS)
        if args.recovery:
            seconds += RECOVERY_SECONDS
        options: ChildOptions = {
            "protect": args.protect,
            "retain_on_delete": args.protect,
            "depends_on": before,
            "custom_timeouts": workloads.timeouts(seconds),
        }
        cluster = k8s.apiextensions.CustomResource(
            # One resource for each generation: the earlier one is given up only when this one is there.
            f"{name}-g{args.recovery.generation}" if args.recovery else name,
            api_version=API_VERSION,
            kind="Cluster",
            metadata=labels.metadata(
                COMPONENT,
                namespace,
                name=args.cluster,
                annotations={"pulumi.com/waitFor": "condition=Ready"},
            ),
            spec=_spec(args),
            opts=self.child(**options),
        )
        if args.archive:
            self._custom(
                f"{name}-base-backups",
                args,
                API_VERSION,
                "ScheduledBackup",
                args.cluster,
                args.archive.scheduled_backup(args.cluster),
                depends_on=[cluster],
            )
        secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata(COMPONENT, namespace),
            immutable=True,
            string_data={"url": password.result.apply(lambda known: _url(args.cluster, known))},
            # Whoever reads it may sign in: first the role has its password.
            opts=self.child(depends_on=[cluster]),
        )
        self.state = State(
            url=SecretKeyRef(name=secret.metadata.name, key="url"),
            address=(_host(args.cluster), names.DATABASE_PORT),
            authority=SecretKeyRef(name=f"{args.cluster}-ca", key="ca.crt"),
            ready=[cluster],
        )
        self.register_outputs({"secretName": secret.metadata.name})

    def _custom(
        self,
        name: str,
        args: OperatedDatabaseArgs,
        api_version: str,
        kind: str,
        called: str,
        spec: Mapping[str, Any],
        *,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> pulumi.Resource:
        return k8s.apiextensions.CustomResource(
            name,
            api_version=api_version,
            kind=kind,
            metadata=labels.metadata(COMPONENT, args.workload.namespace, name=called),
            spec=spec,
            opts=self.child(depends_on=depends_on),
        )


def _spec(args: OperatedDatabaseArgs) -> dict[str, Any]:
    image, asked, identity = args.workload.image, args.workload.pods, args.workload.identity
    resources = args.workload.resources or RESOURCES
    role = {"name": f"{COMPONENT}-role"}
    spec = {
        "instances": args.instances,
        "imageCatalogRef": {
            "apiGroup": "postgresql.cnpg.io",
            "kind": "ImageCatalog",
            "name": COMPONENT,
            "major": args.major,
        },
        "imagePullPolicy": image.pull_policy,
        "imagePullSecrets": [{"name": name} for name in asked.pull_secrets],
        "postgresUID": identity.uid,
        "postgresGID": identity.gid,
        "inheritedMetadata": {
            part: dict(given)
            for part, given in (("labels", asked.labels), ("annotations", asked.annotations))
            if given
        },
        "priorityClassName": asked.priority_class_name,
        "affinity": {
            "enablePodAntiAffinity": True,
            "podAntiAffinityType": "required",
            "topologyKey": workloads.HOST,
            **({"nodeSelector": dict(asked.node_selector)} if asked.node_selector else {}),
            **({"tolerations": [_toleration(row) for row in asked.tolerations]} if asked.tolerations else {}),
        },
        "topologySpreadConstraints": [
            {
                "topologyKey": workloads.ZONE,
                "maxSkew": 1,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"cnpg.io/cluster": args.cluster}},
            }
        ],
        "resources": {"requests": dict(resources.requests), "limits": dict(resources.limits)},
        "ephemeralVolumesSizeLimit": {"shm": "256Mi", "temporaryData": "1Gi"},
        "storage": _storage(args, args.size),
        "walStorage": _storage(args, args.wal_size) if args.wal_size else None,
        "bootstrap": _bootstrap(args, role),
        "externalClusters": [
            {"name": source, "plugin": archive.plugin(source)}
            for source in ([names.cluster(args.recovery.source)] if args.recovery else [])
        ],
        "plugins": [archive.plugin(args.cluster) | {"isWALArchiver": True}] if args.archive else [],
        "enableSuperuserAccess": False,
        "managed": {"roles": [{"name": USER, "login": True, "passwordSecret": role}]},
        "postgresql": {
            "parameters": dict(args.parameters),
            "pg_hba": ACCESS,
            **({"synchronous": _synchronous(args.synchronous)} if args.synchronous else {}),
        },
        # A budget for a single instance would refuse every drain of its node.
        "enablePDB": args.instances > 1,
        # With the operator's 180 s a deleted primary refused new connections for 186 s before a standby took over.
        "smartShutdownTimeout": 1,
        # The operator's own are half an hour and an hour. A change of `stopDelay` rolls every pod.
        "stopDelay": 60,
        "switchoverDelay": 60,
        # At the operator's own 10 s, writes were away for 10.4 s after the postmaster was killed, and 5.5 s at 2 s. An
        # instance that answers slowly has half a minute as before: a primary that is not ready is failed over.
        "probes": {
            "startup": {"periodSeconds": 2},
            "readiness": {"periodSeconds": 2, "failureThreshold": 15},
        },
        "primaryUpdateStrategy": "unsupervised",
        # Restarted in place, a primary was away for 17 s on a new image.
        "primaryUpdateMethod": "switchover",
    }
    # The API server drops empty values of a custom resource, and every later run would add them again.
    return {key: value for key, value in spec.items() if value not in (None, [], {})}


def _bootstrap(args: OperatedDatabaseArgs, role: Mapping[str, str]) -> dict[str, Any]:
    given = {"database": DATABASE, "owner": USER, "secret": role}
    if not args.recovery:
        return {"initdb": given | {"encoding": "UTF8", "dataChecksums": True}}
    moment = args.recovery.target_time
    target = {"recoveryTarget": {"targetTime": moment}} if moment else {}
    return {"recovery": given | {"source": names.cluster(args.recovery.source)} | target}


def _host(cluster: str) -> str:
    """The operator's Service that leads to the primary."""
    return f"{cluster}-rw"


def _storage(args: OperatedDatabaseArgs, size: str) -> dict[str, str]:
    return {"size": size, **({"storageClass": args.class_name} if args.class_name else {})}


def _synchronous(durability: str) -> dict[str, Any]:
    """One standby of any must have a commit; with `required`, one that may lack the last commits is not promoted."""
    required = {"failoverQuorum": True} if durability == "required" else {}
    return {"method": "any", "number": 1, "dataDurability": durability, **required}


def _toleration(row: pods.Toleration) -> dict[str, Any]:
    camel = {"toleration_seconds": "tolerationSeconds"}
    return {camel.get(key, key): value for key, value in asdict(row).items() if value is not None}


def _url(cluster: str, password: str) -> str:
    options = {
        "sslmode": "verify-full",
        "sslrootcert": AUTHORITY,
        # A node that died sends nothing back: Linux would wait for it for two hours when idle, and for a quarter of an
        # hour after a question. Milliseconds; the rest is in seconds.
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "connect_timeout": 5,
    }
    words = "&".join(f"{key}={value}" for key, value in options.items())
    server = f"{_host(cluster)}:{names.DATABASE_PORT}"
    return f"postgresql://{USER}:{quote(password, safe='')}@{server}/{DATABASE}?{words}"
