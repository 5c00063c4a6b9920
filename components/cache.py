"""Redis inside the cluster."""

from dataclasses import dataclass
from urllib.parse import quote

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names, pods, workloads
from .component import Component
from .login import Login, LoginArgs, now
from .passwords import password
from .references import SecretKeyRef, State

COMPONENT = names.CACHE
CONFIG, LOGIN = "/etc/redis", "/etc/redis-login"
USERS = "users.acl"
STARTUP_SECONDS = 300
"""How long its pod may take to find a node and to start, once its image is there."""
PASSWORD = "SKILLFLAW_REDIS_PASSWORD"  # noqa: S105 - a variable's name
# Every pooled connection to a Redis that was replaced is broken, and each fails the command that meets it first.
# With this option of redis-py's URLs a command that a broken connection fails is sent again on a new one.
RETRY = "retry_on_timeout=true"
URL = f"redis://{{user}}:{{password}}@{COMPONENT}:{names.CACHE_PORT}/0?{RETRY}"


RESOURCES = pods.Resources(
    requests={"cpu": "50m", "memory": "256Mi", "ephemeral-storage": "32Mi"},
    limits={"cpu": "1", "memory": "256Mi", "ephemeral-storage": "256Mi"},
)
"""A small Redis, which holds as much memory as it may use."""


@dataclass(frozen=True, kw_only=True)
class InClusterCacheArgs:
    """How Redis runs."""

    workload: pods.Workload
    """Image, user and resources of its pod."""
    max_memory: int = 192 * 2**20
    """Bytes at which Redis evicts: 75 % of its memory, since buffers and fragmentation need the rest."""
    password_version: str | None = None
    """Any text; another one makes another login. None: a password that never changes."""


class InClusterCache(Component):
    """One Redis with a generated password that keeps nothing on disk.

    The password matters: the application unpickles what it reads, so whoever writes here runs code there.
    """

    state: State
    login: Login | None
    """Who signs in instead of whoever has the password of its configuration."""

    def __init__(
        self, name: str, args: InClusterCacheArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("skillflaw:app:InClusterCache", name, None, opts)
        namespace = args.workload.namespace
        generated = password(self, name)
        secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata(COMPONENT, namespace),
            immutable=True,
            string_data={
                "url": generated.result.apply(_url),
                "redis.conf": generated.result.apply(lambda text: _config(text, args.max_memory)),
            },
            opts=self.child(),
        )
        workloads.service(
            self,
            f"{name}-service",
            COMPONENT,
            namespace,
            name=COMPONENT,
            port_name=COMPONENT,
            port=names.CACHE_PORT,
        )
        account = self.service_account(name, namespace, COMPONENT)
        progress = args.workload.image.pull_deadline_seconds + STARTUP_SECONDS
        server = k8s.apps.v1.Deployment(
            name,
            metadata=labels.metadata(COMPONENT, namespace, name=COMPONENT),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=1,
                strategy=workloads.ONE_BY_ONE,
                progress_deadline_seconds=progress,
                revision_history_limit=3,
                selector=workloads.pods_of(COMPONENT),
                template=pods.template(
                    COMPONENT,
                    args.workload,
                    account,
                    stateless=True,
                    containers=[_server(args)],
                    volumes=[
                        SecretKeyRef(name=secret.metadata.name, key="redis.conf").volume(
                            "config", "redis.conf"
                        ),
                        SecretKeyRef(name=now(COMPONENT), key=USERS, optional=True).volume("login", USERS),
                        pods.empty_dir("data", "64Mi"),
                        pods.empty_dir("tmp", "16Mi"),
                    ],
                ),
            ),
            opts=self.child(custom_timeouts=workloads.timeouts(progress)),
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
                kept={USERS: "user default off\nuser {user} on >{password} ~* &* +@all\n"},
            )
            self.login = Login(f"{name}-login", login, self.part())
        self.state = State(
            url=self.login.url if self.login else initial,
            address=(COMPONENT, names.CACHE_PORT),
            ready=[server],
        )
        self.register_outputs({"secretName": secret.metadata.name})


def _server(args: InClusterCacheArgs) -> k8s.core.v1.ContainerArgs:
    # Nobody signs in for it: a password that a pod was started with may not be one that Redis still takes. It keeps
    # nothing to load, so a server that asks for a password is one that serves.
    ping = ("sh", "-c", "redis-cli ping | grep -q NOAUTH")
    # A server that starts again has to know who signs in by now.
    users = f"{LOGIN}/{USERS}"
    start = f'[ ! -e {users} ] || set -- --aclfile {users}; exec redis-server {CONFIG}/redis.conf "$@"'
    return pods.container(
        COMPONENT,
        args.workload.image,
        args.workload.resources or RESOURCES,
        command=["sh", "-c", start],
        ports=[k8s.core.v1.ContainerPortArgs(name=COMPONENT, container_port=names.CACHE_PORT)],
        startup_probe=pods.run(*ping, period_seconds=2, failure_threshold=60, timeout_seconds=5),
        readiness_probe=pods.run(*ping, period_seconds=5, failure_threshold=3, timeout_seconds=5),
        liveness_probe=pods.tcp(COMPONENT, period_seconds=15, failure_threshold=6, timeout_seconds=5),
        mounts={"data": "/data", "tmp": "/tmp"},
        read_only_mounts={"config": CONFIG, "login": LOGIN},
    )


def _config(password: str, max_memory: int) -> str:
    # With `noeviction` two of three writes failed once memory was full; with allkeys-lru none did.
    return (
        f"port {names.CACHE_PORT}\nrequirepass {password}\nmaxmemory {max_memory}\nmaxmemory-policy allkeys-lru\n"
        'dir /data\nsave ""\nappendonly no\n'
    )


def external_cache(host: str, port: int, *, password: SecretKeyRef | None) -> State:
    """A cache by its address, which the guide's own two variables hold.

    The application takes a password as a part of a URL only. The kubelet puts that together and encodes nothing, so
    the password must be one that a URL holds as it is: letters, digits, `-`, `.`, `_` and `~`.
    """
    address = (host, port)
    if not password:
        return State(address=address)
    server = f"[{host}]" if ":" in host else host
    return State(
        url=f"redis://:$({PASSWORD})@{server}:{port}/0?{RETRY}",
        credentials={PASSWORD: password},
        address=address,
    )


def _url(password: str) -> str:
    return URL.format(user="", password=quote(password, safe=""))
