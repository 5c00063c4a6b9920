"""Redis: in the cluster, or a reference to one that others run."""

from dataclasses import dataclass
from urllib.parse import quote

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

from components import labels, pods, workloads
from components.component import Component
from components.references import Image, SecretKeyRef, State

PART = "redis"
PORT = 6379
CONFIG = "/etc/redis"


@dataclass(frozen=True, kw_only=True)
class InClusterCacheArgs:
    namespace: pulumi.Input[str]
    image: Image
    identity: pods.Identity
    resources: pods.Resources
    max_memory: int
    """Bytes at which Redis evicts."""


class InClusterCache(Component):
    """One Redis with a generated password that keeps nothing on disk.

    The password matters: the application unpickles what it reads, so whoever writes here runs code there.
    """

    state: State

    def __init__(
        self, name: str, args: InClusterCacheArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("skillflaw:app:InClusterCache", name, None, opts)
        password = random.RandomPassword(f"{name}-password", length=32, special=False, opts=self.child())
        secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata(PART, args.namespace),
            immutable=True,
            string_data={
                "url": password.result.apply(_url),
                "redis.conf": password.result.apply(lambda text: _config(text, args.max_memory)),
            },
            opts=self.child(),
        )
        workloads.service(self, f"{name}-service", PART, args.namespace, name=PART, port_name=PART, port=PORT)
        account = self.service_account(name, args.namespace, PART)
        server = k8s.apps.v1.Deployment(
            name,
            metadata=labels.metadata(PART, args.namespace, name=PART),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=1,
                strategy=workloads.ONE_BY_ONE,
                revision_history_limit=3,
                selector=workloads.pods_of(PART),
                template=pods.template(
                    PART,
                    args.identity,
                    account,
                    args.image,
                    containers=[_server(args)],
                    volumes=[
                        SecretKeyRef(name=secret.metadata.name, key="redis.conf").volume(
                            "config", "redis.conf"
                        ),
                        pods.scratch("data", "64Mi"),
                        pods.scratch("tmp", "16Mi"),
                    ],
                ),
            ),
            opts=self.child(),
        )
        self.state = State(url=SecretKeyRef(name=secret.metadata.name, key="url"), ready=[server])
        self.register_outputs({"secretName": secret.metadata.name})


def _server(args: InClusterCacheArgs) -> k8s.core.v1.ContainerArgs:
    # redis-cli exits with 0 on NOAUTH and LOADING as well, so its answer is read.
    password = f"$(sed -n 's/^requirepass //p' {CONFIG}/redis.conf)"
    ping = ("sh", "-c", f"REDISCLI_AUTH={password} redis-cli ping | grep -q PONG")
    return pods.container(
        PART,
        args.image,
        args.resources,
        args=[f"{CONFIG}/redis.conf"],
        ports=[k8s.core.v1.ContainerPortArgs(name=PART, container_port=PORT)],
        startup_probe=pods.run(*ping, period_seconds=2, failure_threshold=60, timeout_seconds=5),
        readiness_probe=pods.run(*ping, period_seconds=5, failure_threshold=3, timeout_seconds=5),
        liveness_probe=pods.tcp(PART, period_seconds=15, failure_threshold=6, timeout_seconds=5),
        mounts={"data": "/data", "tmp": "/tmp"},
        read_only_mounts={"config": CONFIG},
    )


def _config(password: str, max_memory: int) -> str:
    # With `noeviction` two of three writes failed once memory was full; with allkeys-lru none did.
    return (
        f"port {PORT}\nrequirepass {password}\nmaxmemory {max_memory}\nmaxmemory-policy allkeys-lru\n"
        'dir /data\nsave ""\nappendonly no\n'
    )


def _url(password: str) -> str:
    # Every pooled connection to a Redis that was replaced is broken, and each fails the command that meets it first.
    # With this option of redis-py's URLs a command that a broken connection fails is sent again on a new one.
    return f"redis://:{quote(password, safe='')}@{PART}:{PORT}/0?retry_on_timeout=true"
