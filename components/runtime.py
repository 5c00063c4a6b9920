"""What every process of the backend image needs: its settings, its secrets, its volumes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

import pulumi
import pulumi_kubernetes as k8s

from . import key_guard, labels, names, pods, trust
from .component import Component
from .references import SecretKeyRef, State, version_annotations
from .storage import Storage
from .superuser import Superuser

CONFIG_DIR = "/var/lib/skillflaw"
FINGERPRINT = f"{CONFIG_DIR}/.key-fingerprint"
"""The file that says which key the data was made with."""
# A directory, not a subPath: a subPath mount never sees an updated Secret.
KEY_DIR = "/run/secrets/skillflaw"
KEY_FILE = f"{KEY_DIR}/{names.SECRET_KEY}"
KEY_FILE_VARIABLE = "SKILLFLAW_SECRET_KEY_FILE"
FILES = "secret-files"
FILES_DIR = "/run/secrets/files"
OLD_KEYS = "old-keys"
OLD_KEYS_DIR = "/run/secrets/old-keys"
REENCRYPT = Path(__file__).with_name("scripts") / "reencrypt.py"
SET_SUPERUSER = Path(__file__).with_name("scripts") / "superuser.py"
DATABASE_URL, REDIS_URL = "SKILLFLAW_DATABASE_URL", "SKILLFLAW_REDIS_URL"
SUPERUSER_PASSWORD = "SKILLFLAW_SUPERUSER_PASSWORD"  # noqa: S105 - a variable's name
STARTUP_SECONDS = 600
"""How long a first start may take: migrations wait up to 180 s for a lock, then run."""
RESOURCES = pods.Resources(
    requests={"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "512Mi"},
    limits={"cpu": "2", "memory": "4Gi", "ephemeral-storage": "4Gi"},
)
"""The guide's figures."""
GUARD_RESOURCES = pods.Resources(
    requests={"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "16Mi"},
    limits={"cpu": "500m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
)
"""A script without dependencies."""

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
    # Which addresses pods have only the cluster knows: with IPv6 alone it is `::`.
    "SKILLFLAW_HOST": "0.0.0.0",
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
    """Database connections of one process."""

    size: int = 5
    """Connections that are kept."""
    overflow: int = 6
    """Connections that may be opened beyond those."""


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Paths the kubelet asks."""

    startup: str = "/health_check"
    """Answers once migrations are done and state is reachable."""
    readiness: str = "/health_check"
    """Fails while database or cache are down."""
    liveness: str = "/health"
    """Fails only when the process itself is stuck."""


@dataclass(frozen=True, kw_only=True)
class SecretEnvFrom:
    """Every key of a Secret as a variable."""

    name: str
    """Name of the Secret."""
    prefix: str
    """What the variables' names begin with."""
    version: str | None = None
    """Any word; another one replaces the pods, since the Secret's content changed."""


@dataclass(frozen=True, kw_only=True)
class RuntimeArgs:
    """Everything that a process of the backend's image depends on."""

    workload: pods.Workload
    """Image, user and resources of every process."""
    storage: Storage
    """The volume behind SKILLFLAW_CONFIG_DIR."""
    secret_key: SecretKeyRef
    """The key that encrypts what is stored."""
    old_keys: Mapping[str, SecretKeyRef] = field(default_factory=dict)
    """Keys that it may still be encrypted with, by a word for each."""
    database: State
    """PostgreSQL."""
    cache: State | None
    """Redis; None leaves each process a cache of its own."""
    superuser: Superuser
    """The first administrator."""
    guard_resources: pods.Resources = GUARD_RESOURCES
    """Requests and limits of the containers that compare and note the key."""
    pool: Pool = Pool()
    """Database connections of each process."""
    origins: tuple[str, ...] = ("http://localhost:7860",)
    """Origins whose pages may call the API from a browser; by default a port-forward's."""
    probes: Probes = Probes()
    """Paths the kubelet asks."""
    longest_flow_seconds: int = 300
    """The longest flow that nothing may cut, in seconds."""
    records: bool = True
    """Whether each run leaves its transactions and vertex builds in the database."""
    metrics: bool = False
    """Whether each process answers scrapes, on a port of its own."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Extra environment; what the program owns wins."""
    secret_env: Mapping[str, SecretKeyRef] = field(default_factory=dict)
    """Extra environment whose values are keys of Secrets."""
    secret_env_from: tuple[SecretEnvFrom, ...] = ()
    """Secrets whose every key is extra environment; what the program sets wins."""
    secret_files: Mapping[str, SecretKeyRef] = field(default_factory=dict)
    """Keys of Secrets as files in `FILES_DIR`, by the name of the file."""


class Runtime(Component):
    """The backend's environment as one immutable ConfigMap, and the pieces of a pod that go with it.

    Any change makes a new ConfigMap under a new name, so exactly the pods that read it are replaced.
    """

    workload: pods.Workload
    storage: Storage
    guard_resources: pods.Resources
    probes: Probes
    longest_flow_seconds: int

    def __init__(self, name: str, args: RuntimeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Runtime", name, None, opts)
        self.workload, self.storage = args.workload, args.storage
        self.guard_resources = args.guard_resources
        self.probes, self.longest_flow_seconds = args.probes, args.longest_flow_seconds
        self._args = args
        self._config = k8s.core.v1.ConfigMap(
            f"{name}-config",
            metadata=labels.metadata(names.BACKEND, args.workload.namespace),
            immutable=True,
            data=_environment(args),
            opts=self.child(),
        )
        self.register_outputs({"configName": self._config.metadata.name})

    @property
    def volumes(self) -> list[k8s.core.v1.VolumeArgs]:
        """Volumes of a pod that holds a `container` of this runtime."""
        files = self._args.secret_files
        return [
            *self.data_and_key,
            *self.database_volumes,
            pods.empty_dir("tmp", "2Gi"),
            *([_files(FILES, files)] if files else []),
            *([_files(OLD_KEYS, self._args.old_keys)] if self.rotates else []),
        ]

    @property
    def data_and_key(self) -> list[k8s.core.v1.VolumeArgs]:
        """Volumes of a pod that compares the key with the data."""
        return [
            pods.claim("data", self.storage.claim_name),
            self._args.secret_key.volume("secret-key", names.SECRET_KEY),
        ]

    @property
    def rotates(self) -> bool:
        """Whether there are keys that the data may still be encrypted with."""
        return bool(self._args.old_keys)

    @property
    def key_annotations(self) -> dict[str, str]:
        """Annotations of every pod that reads the key: the version of one that the stack does not own."""
        version = self._args.secret_key.version
        return {"skillflaw.com/secret-key-version": version} if version else {}

    @property
    def database_annotations(self) -> dict[str, str]:
        """Annotations of a pod that asks the database: the version of every Secret that it needs for that."""
        return version_annotations(self._args.database.versions(DATABASE_URL))

    @property
    def database_environment(self) -> list[k8s.core.v1.EnvVarArgs]:
        """Environment of a container that asks the database."""
        return [*self._args.database.env(DATABASE_URL), *trust.variables(self.workload.trust)]

    @property
    def database_mounts(self) -> dict[str, str]:
        """Read-only mounts of a container that asks the database: authorities to verify it by."""
        return {**trust.mounts(self.workload.trust), **self._args.database.mounts()}

    @property
    def database_volumes(self) -> list[k8s.core.v1.VolumeArgs]:
        """Volumes of a pod with such a container."""
        return [*trust.volumes(self.workload.trust), *self._args.database.volumes()]

    @property
    def annotations(self) -> dict[str, str]:
        """Annotations of a pod that holds a `container` of this runtime: the version of every Secret it reads."""
        args = self._args
        return self.key_annotations | version_annotations(
            {
                **args.database.versions(DATABASE_URL),
                **(args.cache.versions(REDIS_URL) if args.cache else {}),
                SUPERUSER_PASSWORD: args.superuser.password.version,
                **{name: reference.version for name, reference in args.secret_env.items()},
                **{row.prefix: row.version for row in args.secret_env_from},
                **{f"{FILES_DIR}/{name}": reference.version for name, reference in args.secret_files.items()},
            }
        )

    @property
    def startup_probe(self) -> k8s.core.v1.ProbeArgs:
        """A probe that waits as long as a first start may take."""
        return pods.http(
            self.probes.startup,
            "http",
            period_seconds=2,
            failure_threshold=STARTUP_SECONDS // 2,
            timeout_seconds=5,
        )

    @property
    def guard(self) -> k8s.core.v1.ContainerArgs:
        """An init container that keeps a process from starting on data that is half restored."""
        command = ["python3", "-c", key_guard.SCRIPT, "whole", KEY_FILE, FINGERPRINT]
        return pods.container(
            "guard",
            self.workload.image,
            self.guard_resources,
            command=command,
            mounts={},
            read_only_mounts={"data": CONFIG_DIR},
        )

    def container(
        self,
        name: str,
        *,
        more_env: Sequence[k8s.core.v1.EnvVarArgs] = (),
        more_mounts: Mapping[str, str] | None = None,
        **spec: Unpack[pods.ContainerSpec],
    ) -> k8s.core.v1.ContainerArgs:
        """A container with the image's own command and the startup probe; `spec` adds further probes and the like.

        `more_env` are variables, which win over a Secret of the operator's, and `more_mounts` read-only mounts of
        further volumes, by volume.
        """
        args = self._args
        shared: pods.ContainerSpec = {
            # The last source of a name wins, and `env` wins over all: no Secret exchanges what the program sets.
            "env_from": [
                *(
                    k8s.core.v1.EnvFromSourceArgs(
                        prefix=row.prefix, secret_ref=k8s.core.v1.SecretEnvSourceArgs(name=row.name)
                    )
                    for row in args.secret_env_from
                ),
                k8s.core.v1.EnvFromSourceArgs(
                    config_map_ref=k8s.core.v1.ConfigMapEnvSourceArgs(name=self._config.metadata.name)
                ),
            ],
            "env": [
                *args.database.env(DATABASE_URL),
                args.superuser.password.env(SUPERUSER_PASSWORD),
                *(args.cache.env(REDIS_URL) if args.cache else []),
                *(
                    reference.env(name)
                    for name, reference in args.secret_env.items()
                    if name not in [row.name for row in more_env]
                ),
                *trust.variables(self.workload.trust),
                *more_env,
            ],
            "ports": [
                k8s.core.v1.ContainerPortArgs(name=name, container_port=port)
                for name, port in (
                    ("http", names.BACKEND_PORT),
                    *([(names.METRICS, names.METRICS_PORT)] if args.metrics else []),
                )
            ],
            "startup_probe": self.startup_probe,
        }
        shared.update(spec)
        return pods.container(
            name,
            self.workload.image,
            self.workload.resources or RESOURCES,
            mounts={"data": CONFIG_DIR, "tmp": "/tmp"},
            read_only_mounts={
                "secret-key": KEY_DIR,
                **self.database_mounts,
                **({FILES: FILES_DIR} if args.secret_files else {}),
                **(more_mounts or {}),
            },
            read_only_root=self.workload.read_only_root,
            **shared,
        )

    @property
    def sets_password(self) -> bool:
        """Whether the superuser's account is given the password in its Secret."""
        return self._args.superuser.sets_password

    @property
    def superuser_key(self) -> list[k8s.core.v1.EnvVarArgs]:
        """Environment of a process that takes the superuser's password for an API key of the superuser's."""
        return [
            *pods.variables({"SKILLFLAW_API_KEY_SOURCE": "env"}),
            self._args.superuser.password.env("SKILLFLAW_API_KEY"),
        ]

    @property
    def superuser_container(self) -> k8s.core.v1.ContainerArgs:
        """A container that gives the superuser's account its password, through such a process in the same pod."""
        superuser = self._args.superuser
        return pods.container(
            "superuser",
            self.workload.image,
            self.guard_resources,
            command=["python3", "-c", SET_SUPERUSER.read_text()],
            env=[
                superuser.password.env(SUPERUSER_PASSWORD),
                *pods.variables(
                    {"SKILLFLAW_SUPERUSER": superuser.username, "SKILLFLAW_PORT": str(names.BACKEND_PORT)}
                ),
            ],
            mounts={},
        )

    def reencryption(
        self, action: str, *more: str, writes: Mapping[str, str] | None = None
    ) -> k8s.core.v1.ContainerArgs:
        """A container that runs `reencrypt.py` on the data, with the mounted key and the old ones.

        `writes` are mounts of more volumes, by volume.
        """
        return pods.container(
            action,
            self.workload.image,
            self.workload.resources or RESOURCES,
            command=["python3", "-c", REENCRYPT.read_text()],
            args=[action, KEY_FILE, OLD_KEYS_DIR, CONFIG_DIR, *more],
            env=self.database_environment,
            mounts={"data": CONFIG_DIR, "tmp": "/tmp", **(writes or {})},
            read_only_mounts={"secret-key": KEY_DIR, OLD_KEYS: OLD_KEYS_DIR, **self.database_mounts},
        )


def _files(volume: str, files: Mapping[str, SecretKeyRef]) -> k8s.core.v1.VolumeArgs:
    return k8s.core.v1.VolumeArgs(
        name=volume,
        projected=k8s.core.v1.ProjectedVolumeSourceArgs(
            default_mode=0o440,
            sources=[
                k8s.core.v1.VolumeProjectionArgs(
                    secret=k8s.core.v1.SecretProjectionArgs(
                        name=reference.name,
                        items=[k8s.core.v1.KeyToPathArgs(key=reference.key, path=name)],
                    )
                )
                for name, reference in files.items()
            ],
        ),
    )


def _environment(args: RuntimeArgs) -> dict[str, str]:
    records = str(args.records).lower()
    owned = {
        "SKILLFLAW_CACHE_TYPE": "redis" if args.cache else "async",
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
        "SKILLFLAW_LOG_ENV": "container",
        "SKILLFLAW_NEW_USER_IS_ACTIVE": "false",
        "SKILLFLAW_OPEN_BROWSER": "false",
        "SKILLFLAW_PORT": str(names.BACKEND_PORT),
        KEY_FILE_VARIABLE: KEY_FILE,
        "SKILLFLAW_SUPERUSER": args.superuser.username,
        "SKILLFLAW_TRANSACTIONS_STORAGE_ENABLED": records,
        "SKILLFLAW_VERTEX_BUILDS_STORAGE_ENABLED": records,
        # Otherwise anyone who knows a flow's name runs it as its owner.
        "SKILLFLAW_WEBHOOK_AUTH_ENABLE": "true",
        # By default uvicorn waits for open streams without limit, until the kubelet kills it.
        "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": str(args.longest_flow_seconds),
        # Longer than a proxy keeps an idle connection (60 s), so that the proxy closes first.
        "UVICORN_TIMEOUT_KEEP_ALIVE": "75",
    }
    # The guide names host and port next to the URL.
    if args.cache and args.cache.address:
        host, port = args.cache.address
        owned |= {"SKILLFLAW_REDIS_HOST": host, "SKILLFLAW_REDIS_PORT": str(port)}
    if args.metrics:
        # The port alone would do; a process of several workers could not hold it, and there is one.
        owned |= {
            "SKILLFLAW_PROMETHEUS_ENABLED": "true",
            "SKILLFLAW_PROMETHEUS_PORT": str(names.METRICS_PORT),
        }
    defaults = UPSTREAM_DEFAULTS | {"SKILLFLAW_CORS_ORIGINS": ",".join(args.origins)}
    return {**defaults, **args.env, **owned}
