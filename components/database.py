"""PostgreSQL inside the cluster."""

from dataclasses import dataclass
from urllib.parse import quote

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names, pods, workloads
from .component import ChildOptions, Component
from .login import Login, LoginArgs
from .passwords import password
from .references import SecretKeyRef, State

COMPONENT = names.DATABASE
USER = DATABASE = "skillflaw"
DATA = "/var/lib/postgresql/data"
SECRETS = "/run/secrets/postgresql"
URL = f"postgresql://{{user}}:{{password}}@{COMPONENT}:{names.DATABASE_PORT}/{DATABASE}"
STARTUP_SECONDS = 300
"""How long the first start and a recovery may take, in seconds, as the startup probe waits."""
PASSWORD = "PGPASSWORD"  # noqa: S105 - a variable's name
"""The variable that libpq, in every client, reads a password from."""
RESOURCES = pods.Resources(
    requests={"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "128Mi"},
    limits={"cpu": "2", "memory": "2Gi", "ephemeral-storage": "1Gi"},
)
"""A small PostgreSQL."""


@dataclass(frozen=True, kw_only=True)
class InClusterDatabaseArgs:
    """How PostgreSQL runs, and what its data is kept on."""

    workload: pods.Workload
    """Image, user and resources of its pod."""
    size: str = "10Gi"
    """Size of its claim, a quantity; can grow, never shrink."""
    class_name: str | None = None
    """StorageClass; None leaves it to the cluster."""
    existing_claim: str | None = None
    """A claim that exists; then none is made."""
    max_connections: int = 100
    """Connections the server allows."""
    password_version: str | None = None
    """Any text; another one makes another login. None: the one that the server was made with."""
    protect: bool = True
    """Whether server, password and claim refuse to be deleted, and server and claim outlive the stack."""


class InClusterDatabase(Component):
    """One PostgreSQL on a volume of its own, with a generated password.

    The Secret that it was made with stays for as long as it does: another one would start it again. What it knows by then
    are logins.
    """

    state: State
    login: Login | None
    """Who signs in instead of the user that it was made with."""

    def __init__(
        self, name: str, args: InClusterDatabaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("skillflaw:app:InClusterDatabase", name, None, opts)
        namespace = args.workload.namespace
        keep: ChildOptions = {"protect": args.protect, "retain_on_delete": args.protect}
        # The server keeps the password it was initialised with: a new one would only lock us out.
        generated = password(self, name, protect=args.protect)
        secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata(COMPONENT, namespace),
            immutable=True,
            string_data={"password": generated.result, "url": generated.result.apply(_url)},
            opts=self.child(**keep),
        )
        claim_name: pulumi.Input[str]
        volume: pulumi.Input[str]
        if args.existing_claim:
            claim_name = volume = args.existing_claim
        else:
            claim = workloads.claim(
                self,
                f"{name}-claim",
                COMPONENT,
                namespace,
                name=names.DATABASE_CLAIM,
                size=args.size,
                class_name=args.class_name,
                protect=args.protect,
            )
            claim_name, volume = claim.metadata.name, claim.metadata.uid
        workloads.service(
            self,
            f"{name}-service",
            COMPONENT,
            namespace,
            name=COMPONENT,
            port_name=COMPONENT,
            port=names.DATABASE_PORT,
            headless=True,
        )
        account = self.service_account(name, namespace, COMPONENT)
        options: ChildOptions = {
            **keep,
            # The field cannot change: an existing StatefulSet would be replaced for it, and keeps what it has.
            "ignore_changes": ["spec.podManagementPolicy"],
            "custom_timeouts": workloads.timeouts(
                args.workload.image.pull_deadline_seconds + STARTUP_SECONDS
            ),
        }
        server = k8s.apps.v1.StatefulSet(
            name,
            metadata=labels.metadata(COMPONENT, namespace, name=COMPONENT),
            spec=k8s.apps.v1.StatefulSetSpecArgs(
                replicas=1,
                # Under OrderedReady a pod that cannot start is waited for even when the template is right again: a
                # broken image could only be rolled back by deleting the pod by hand (Kubernetes issue 67250, seen on
                # 1.36). One pod has no order to lose.
                pod_management_policy="Parallel",
                service_name=COMPONENT,
                selector=workloads.pods_of(COMPONENT),
                template=pods.template(
                    COMPONENT,
                    args.workload,
                    account,
                    termination_grace_period_seconds=60,
                    containers=[_server(args)],
                    volumes=[
                        pods.claim("data", claim_name),
                        SecretKeyRef(name=secret.metadata.name, key="password").volume(
                            "password", "password"
                        ),
                        pods.empty_dir("run", "16Mi"),
                        pods.empty_dir("tmp", "64Mi"),
                        # PostgreSQL's shared memory; a container's own /dev/shm is 64 MiB and not ours.
                        pods.empty_dir("shm", "256Mi", in_memory=True),
                    ],
                ),
            ),
            opts=self.child(**options),
        )
        initial = SecretKeyRef(name=secret.metadata.name, key="url")
        self.login = None
        if args.password_version is not None:
            login = LoginArgs(
                component=COMPONENT,
                workload=args.workload,
                version=args.password_version,
                url=URL,
                initial=initial,
                volume=volume,
            )
            self.login = Login(f"{name}-login", login, self.part())
        self.state = State(
            url=self.login.url if self.login else initial,
            address=(COMPONENT, names.DATABASE_PORT),
            ready=[server],
        )
        self.register_outputs({"secretName": secret.metadata.name})


def _server(args: InClusterDatabaseArgs) -> k8s.core.v1.ContainerArgs:
    # By TCP: while the image initialises, a temporary server already answers on the socket.
    asks = ("pg_isready", "--host=127.0.0.1", f"--username={USER}", f"--dbname={DATABASE}")
    return pods.container(
        COMPONENT,
        args.workload.image,
        args.workload.resources or RESOURCES,
        args=["-c", f"max_connections={args.max_connections}"],
        env=pods.variables(
            {
                "POSTGRES_USER": USER,
                "POSTGRES_DB": DATABASE,
                "POSTGRES_PASSWORD_FILE": f"{SECRETS}/password",
                # SQLAlchemy cannot use the SQL_ASCII database that initdb makes without a locale.
                "POSTGRES_INITDB_ARGS": "--encoding=UTF8 --auth-host=scram-sha-256 --data-checksums",
                # A subdirectory: initdb refuses a volume's root that holds lost+found.
                "PGDATA": f"{DATA}/pgdata",
            }
        ),
        ports=[k8s.core.v1.ContainerPortArgs(name=COMPONENT, container_port=names.DATABASE_PORT)],
        startup_probe=pods.run(
            *asks, period_seconds=2, failure_threshold=STARTUP_SECONDS // 2, timeout_seconds=5
        ),
        readiness_probe=pods.run(*asks, period_seconds=5, failure_threshold=3, timeout_seconds=5),
        liveness_probe=pods.tcp(COMPONENT, period_seconds=15, failure_threshold=6, timeout_seconds=5),
        lifecycle=k8s.core.v1.LifecycleArgs(
            pre_stop=k8s.core.v1.LifecycleHandlerArgs(
                # SIGTERM would wait for every client to leave; SIGINT ends sessions and checkpoints.
                exec_=k8s.core.v1.ExecActionArgs(command=["sh", "-c", "kill -INT 1"])
            )
        ),
        mounts={"data": DATA, "run": "/var/run/postgresql", "tmp": "/tmp", "shm": "/dev/shm"},
        read_only_mounts={"password": SECRETS},
    )


def external_database(
    host: str, port: int, name: str, *, user: SecretKeyRef, password: SecretKeyRef, ssl_mode: str
) -> State:
    """A database by its address.

    User and password travel in libpq's own variables, which every client here reads: a URL would need them
    percent-encoded, and what puts variables together in a container (`$(NAME)`) encodes nothing.
    """
    server = f"[{host}]" if ":" in host else host
    return State(
        url=f"postgresql://{server}:{port}/{name}?sslmode={ssl_mode}",
        credentials={"PGUSER": user, PASSWORD: password},
        address=(host, port),
    )


def _url(password: str) -> str:
    return URL.format(user=USER, password=quote(password, safe=""))
