"""PostgreSQL: in the cluster, or a reference to one that others run."""

from dataclasses import dataclass
from urllib.parse import quote

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

from components import labels, pods, workloads
from components.component import Component
from components.references import Image, SecretKeyRef, State

PART = "postgresql"
PORT = 5432
USER = DATABASE = "skillflaw"
DATA = "/var/lib/postgresql/data"
SECRETS = "/run/secrets/postgresql"


@dataclass(frozen=True, kw_only=True)
class InClusterDatabaseArgs:
    namespace: pulumi.Input[str]
    image: Image
    identity: pods.Identity
    resources: pods.Resources
    size: str
    class_name: str | None
    max_connections: int
    protect: bool


class InClusterDatabase(Component):
    """One PostgreSQL on a volume of its own, with a generated password."""

    state: State

    def __init__(
        self, name: str, args: InClusterDatabaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("skillflaw:app:InClusterDatabase", name, None, opts)
        keep = {"protect": args.protect, "retain_on_delete": args.protect}
        # The server keeps the password it was initialised with: a new one would only lock us out.
        password = random.RandomPassword(
            f"{name}-password",
            length=32,
            special=False,
            opts=self.child(protect=args.protect, ignore_changes=["length", "special", "keepers"]),
        )
        secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata(PART, args.namespace),
            immutable=True,
            string_data={"password": password.result, "url": password.result.apply(_url)},
            opts=self.child(**keep),
        )
        claim = workloads.claim(
            self,
            f"{name}-claim",
            PART,
            args.namespace,
            name="postgresql-data",
            size=args.size,
            class_name=args.class_name,
            protect=args.protect,
        )
        workloads.service(
            self,
            f"{name}-service",
            PART,
            args.namespace,
            name=PART,
            port_name=PART,
            port=PORT,
            headless=True,
        )
        account = self.service_account(name, args.namespace, PART)
        server = k8s.apps.v1.StatefulSet(
            name,
            metadata=labels.metadata(PART, args.namespace, name=PART),
            spec=k8s.apps.v1.StatefulSetSpecArgs(
                replicas=1,
                service_name=PART,
                selector=workloads.pods_of(PART),
                template=pods.template(
                    PART,
                    args.identity,
                    account,
                    args.image,
                    termination_grace_period_seconds=60,
                    containers=[_server(args)],
                    volumes=[
                        pods.claim("data", claim.metadata.name),
                        SecretKeyRef(name=secret.metadata.name, key="password").volume(
                            "password", "password"
                        ),
                        pods.scratch("run", "16Mi"),
                        pods.scratch("tmp", "64Mi"),
                        # PostgreSQL's shared memory; a container's own /dev/shm is 64 MiB and not ours.
                        pods.scratch("shm", "256Mi", in_memory=True),
                    ],
                ),
            ),
            opts=self.child(**keep),
        )
        self.state = State(url=SecretKeyRef(name=secret.metadata.name, key="url"), ready=[server])
        self.register_outputs({"secretName": secret.metadata.name})


def _server(args: InClusterDatabaseArgs) -> k8s.core.v1.ContainerArgs:
    # By TCP: while the image initialises, a temporary server already answers on the socket.
    asks = ("pg_isready", "--host=127.0.0.1", f"--username={USER}", f"--dbname={DATABASE}")
    return pods.container(
        PART,
        args.image,
        args.resources,
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
        ports=[k8s.core.v1.ContainerPortArgs(name=PART, container_port=PORT)],
        startup_probe=pods.run(*asks, period_seconds=2, failure_threshold=150, timeout_seconds=5),
        readiness_probe=pods.run(*asks, period_seconds=5, failure_threshold=3, timeout_seconds=5),
        liveness_probe=pods.tcp(PART, period_seconds=15, failure_threshold=6, timeout_seconds=5),
        lifecycle=k8s.core.v1.LifecycleArgs(
            pre_stop=k8s.core.v1.LifecycleHandlerArgs(
                # SIGTERM would wait for every client to leave; SIGINT ends sessions and checkpoints.
                exec_=k8s.core.v1.ExecActionArgs(command=["sh", "-c", "kill -INT 1"])
            )
        ),
        mounts={"data": DATA, "run": "/var/run/postgresql", "tmp": "/tmp", "shm": "/dev/shm"},
        read_only_mounts={"password": SECRETS},
    )


def _url(password: str) -> str:
    return f"postgresql://{USER}:{quote(password, safe='')}@{PART}:{PORT}/{DATABASE}"
