"""What every process of the backend image needs: its settings, its secrets, its volumes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import labels, pods
from components.component import Component
from components.references import Image, SecretKeyRef

PORT = 7860
CONFIG_DIR = "/var/lib/skillflaw"
# A directory, not a subPath: a subPath mount never sees an updated Secret.
KEY_DIR = "/run/secrets/skillflaw"
KEY_FILE = f"{KEY_DIR}/skillflaw_secret_key"

UPSTREAM_DEFAULTS = {
    # Known from SkillFlaw's upstream only; unknown names are ignored, so each is safe to send.
    "SKILLFLAW_ACCESS_SECURE": "true",
    "SKILLFLAW_ADD_PROJECTS_TO_MCP_SERVERS": "false",
    # Its default file lies inside the package, where a read-only root kills the start.
    "SKILLFLAW_ALEMBIC_LOG_TO_STDOUT": "true",
    # Upstream's default makes every visitor the administrator.
    "SKILLFLAW_AUTO_LOGIN": "false",
    # Starter projects were made twice when replicas started at once.
    "SKILLFLAW_CREATE_STARTER_PROJECTS": "false",
    "SKILLFLAW_UPDATE_STARTER_PROJECTS": "false",
    "SKILLFLAW_DATABASE_CONNECTION_RETRY": "true",
    "SKILLFLAW_DEVELOPER_API_ENABLED": "false",
    "SKILLFLAW_DO_NOT_TRACK": "true",
    "DO_NOT_TRACK": "true",
    "SKILLFLAW_ENABLE_SUPERUSER_CLI": "false",
    # A build's job lives in one process; asked for its events, another replica answers 404.
    "SKILLFLAW_EVENT_DELIVERY": "direct",
    "SKILLFLAW_KNOWLEDGE_BASES_DIR": f"{CONFIG_DIR}/knowledge_bases",
    "SKILLFLAW_MCP_COMPOSER_ENABLED": "false",
    "SKILLFLAW_REFRESH_HTTPONLY": "true",
    "SKILLFLAW_REFRESH_SECURE": "true",
    "SKILLFLAW_SSRF_PROTECTION_ENABLED": "true",
    # SkillFlaw documents the level; it stays an operator's dial.
    "SKILLFLAW_LOG_LEVEL": "INFO",
    # Requests arrive through the edge, which says whom it speaks for.
    "FORWARDED_ALLOW_IPS": "*",
    "PYTHONUNBUFFERED": "1",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "XDG_CACHE_HOME": "/tmp/.cache",
}
"""Defaults that `backend.env` may override."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Database connections of one process: kept, and opened beyond those."""

    size: int
    overflow: int


@dataclass(frozen=True, kw_only=True)
class RuntimeArgs:
    namespace: pulumi.Input[str]
    image: Image
    identity: pods.Identity
    resources: pods.Resources
    claim_name: pulumi.Input[str]
    secret_key: SecretKeyRef
    secret_key_version: str | None
    database_url: SecretKeyRef
    pool: Pool
    redis_url: SecretKeyRef | None
    redis_address: tuple[str, int] | None
    """Host and port of an in-cluster Redis, which the guide names next to the URL."""
    superuser: str
    superuser_password: SecretKeyRef
    origins: tuple[str, ...]
    """Origins whose pages may call the API from a browser."""
    longest_flow_seconds: int
    env: Mapping[str, str]


class Runtime(Component):
    """The backend's environment as one immutable ConfigMap, and the pod parts that go with it.

    Any change makes a new ConfigMap under a new name, so exactly the pods that read it are replaced.
    """

    def __init__(self, name: str, args: RuntimeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Runtime", name, None, opts)
        self._args = args
        self._config = k8s.core.v1.ConfigMap(
            f"{name}-config",
            metadata=labels.metadata("backend", args.namespace),
            immutable=True,
            data=_environment(args),
            opts=self.child(),
        )
        self.register_outputs({"configName": self._config.metadata.name})

    @property
    def volumes(self) -> list[k8s.core.v1.VolumeArgs]:
        """Volumes of a pod that holds a `container` of this runtime."""
        return [*self.data_and_key, pods.scratch("tmp", "2Gi")]

    @property
    def data_and_key(self) -> list[k8s.core.v1.VolumeArgs]:
        """Volumes of a pod that compares the key with the data."""
        return [
            pods.claim("data", self._args.claim_name),
            self._args.secret_key.volume("secret-key", KEY_FILE.removeprefix(f"{KEY_DIR}/")),
        ]

    @property
    def annotations(self) -> dict[str, str] | None:
        """Pod annotations: replace pods when the content of a Secret we do not own is said to change."""
        version = self._args.secret_key_version
        return {"skillflaw.com/secret-key-version": version} if version else None

    def container(self, name: str, **more: object) -> k8s.core.v1.ContainerArgs:
        """A container with the image's own command; `more` adds probes and the like."""
        args = self._args
        secrets = {
            "SKILLFLAW_DATABASE_URL": args.database_url,
            "SKILLFLAW_SUPERUSER_PASSWORD": args.superuser_password,
            "SKILLFLAW_REDIS_URL": args.redis_url,
        }
        return pods.container(
            name,
            args.image,
            args.resources,
            env_from=[
                k8s.core.v1.EnvFromSourceArgs(
                    config_map_ref=k8s.core.v1.ConfigMapEnvSourceArgs(name=self._config.metadata.name)
                )
            ],
            env=[reference.env(variable) for variable, reference in secrets.items() if reference],
            ports=[k8s.core.v1.ContainerPortArgs(name="http", container_port=PORT)],
            mounts={"data": CONFIG_DIR, "tmp": "/tmp"},
            read_only_mounts={"secret-key": KEY_DIR},
            **more,
        )


def _environment(args: RuntimeArgs) -> dict[str, str]:
    owned = {
        "SKILLFLAW_CACHE_TYPE": "redis" if args.redis_url else "async",
        "SKILLFLAW_CONFIG_DIR": CONFIG_DIR,
        "SKILLFLAW_CONFIG_MODEL": "local",
        "SKILLFLAW_DB_CONNECTION_SETTINGS": json.dumps(
            {
                "pool_size": args.pool.size,
                "max_overflow": args.pool.overflow,
                "pool_timeout": 30,
                # One of 30 requests failed after a database restart without it, none with it.
                "pool_pre_ping": True,
                "pool_recycle": 1800,
                "echo": False,
            }
        ),
        "SKILLFLAW_HOST": "0.0.0.0",
        "SKILLFLAW_LOG_ENV": "container",
        "SKILLFLAW_NEW_USER_IS_ACTIVE": "false",
        "SKILLFLAW_OPEN_BROWSER": "false",
        "SKILLFLAW_PORT": str(PORT),
        "SKILLFLAW_SECRET_KEY_FILE": KEY_FILE,
        "SKILLFLAW_SUPERUSER": args.superuser,
        # Otherwise anyone who knows a flow's name runs it as its owner.
        "SKILLFLAW_WEBHOOK_AUTH_ENABLE": "true",
        # By default uvicorn waits for open streams without limit, until the kubelet kills it.
        "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": str(args.longest_flow_seconds),
        # Longer than a proxy keeps an idle connection (60 s), so that the proxy closes first.
        "UVICORN_TIMEOUT_KEEP_ALIVE": "75",
    }
    if args.redis_address:
        host, port = args.redis_address
        owned |= {"SKILLFLAW_REDIS_HOST": host, "SKILLFLAW_REDIS_PORT": str(port)}
    defaults = UPSTREAM_DEFAULTS | {"SKILLFLAW_CORS_ORIGINS": ",".join(args.origins)}
    return defaults | args.env | owned
