"""How components speak of what exists next to them: by name, never by value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s


@dataclass(frozen=True, kw_only=True)
class SecretKeyRef:
    """One key of one Secret in the stack's namespace."""

    name: pulumi.Input[str]
    """Name of the Secret."""
    key: str
    """Key inside the Secret."""
    version: str | None = None
    """Any word; another one replaces the pods that read the key, since its content changed."""
    optional: bool = False
    """Whether a pod starts without it while the Secret or the key does not exist."""

    def env(self, variable: str) -> k8s.core.v1.EnvVarArgs:
        """A variable whose value the kubelet reads; the pod's spec holds no secret."""
        return k8s.core.v1.EnvVarArgs(
            name=variable,
            value_from=k8s.core.v1.EnvVarSourceArgs(
                secret_key_ref=k8s.core.v1.SecretKeySelectorArgs(
                    name=self.name, key=self.key, optional=self.optional or None
                )
            ),
        )

    def volume(self, volume: str, path: str) -> k8s.core.v1.VolumeArgs:
        """A directory with the one key as the file `path`.

        0440: readable by the pod's group (fsGroup), since the kubelet makes root the owner.
        """
        return k8s.core.v1.VolumeArgs(
            name=volume,
            secret=k8s.core.v1.SecretVolumeSourceArgs(
                secret_name=self.name,
                default_mode=0o440,
                items=[k8s.core.v1.KeyToPathArgs(key=self.key, path=path)],
                optional=self.optional or None,
            ),
        )


def version_annotations(versions: Mapping[str, str | None]) -> dict[str, str]:
    """Annotations of a pod that name the versions of the Secrets it reads, by what they are read as.

    The kubelet reads a variable once, when the container starts: without a change in its template no pod would ever
    see the new content. A pod without versions has no such annotation.
    """
    words = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()) if version)
    return {"skillflaw.com/secret-versions": words} if words else {}


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image and how a node gets it."""

    reference: str
    """Name with a tag, a digest or both."""
    pull_policy: str = "IfNotPresent"
    """When a node asks the registry: `IfNotPresent`, `Always` or `Never`."""
    pull_deadline_seconds: int = 300
    """How long a node may take to get it, in seconds."""


_VOLUME = "database-authority"
# A directory, not a subPath: the operator renews the certificate, and a subPath mount never sees the new one.
_AUTHORITY_DIR, _AUTHORITY_FILE = "/run/secrets/database", "ca.crt"
AUTHORITY = f"{_AUTHORITY_DIR}/{_AUTHORITY_FILE}"


@dataclass(frozen=True, kw_only=True)
class State:
    """A database or a cache as its clients see it."""

    url: SecretKeyRef | str | None = None
    """The whole URL in a Secret, password included, or one without a password in it; None where the address says all."""
    credentials: Mapping[str, SecretKeyRef] = field(default_factory=dict)
    """What a URL without a password leaves out, by the variable that a client reads it from."""
    address: tuple[str, int] | None = None
    """Host and port, where they are known without the URL."""
    authority: SecretKeyRef | None = None
    """Certificate of the authority by which the URL verifies the server, as the file `AUTHORITY` of each client."""
    ready: Sequence[pulumi.Resource] = ()
    """Resources to wait for before a client starts."""

    def volumes(self) -> list[k8s.core.v1.VolumeArgs]:
        """Volumes of a client's pod."""
        return [self.authority.volume(_VOLUME, _AUTHORITY_FILE)] if self.authority else []

    def mounts(self) -> dict[str, str]:
        """Read-only mounts of a client's container."""
        return {_VOLUME: _AUTHORITY_DIR} if self.authority else {}

    def env(self, variable: str) -> list[k8s.core.v1.EnvVarArgs]:
        """The URL as a variable, after the credentials it may refer to as `$(NAME)`."""
        env = [reference.env(name) for name, reference in self.credentials.items()]
        if isinstance(self.url, SecretKeyRef):
            return [*env, self.url.env(variable)]
        return [*env, k8s.core.v1.EnvVarArgs(name=variable, value=self.url)] if self.url else env

    def versions(self, variable: str) -> dict[str, str | None]:
        """Versions of what `env` refers to, by variable."""
        own = {variable: self.url.version} if isinstance(self.url, SecretKeyRef) else {}
        return own | {name: reference.version for name, reference in self.credentials.items()}
