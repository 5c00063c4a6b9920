"""How components speak of what exists next to them: by name, never by value."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s


@dataclass(frozen=True, kw_only=True)
class SecretKeyRef:
    """One key of one Secret in the stack's namespace."""

    name: pulumi.Input[str]
    """Name of the Secret."""
    key: str
    """Key inside the Secret."""

    def env(self, variable: str) -> k8s.core.v1.EnvVarArgs:
        """A variable whose value the kubelet reads; the pod's spec holds no secret."""
        return k8s.core.v1.EnvVarArgs(
            name=variable,
            value_from=k8s.core.v1.EnvVarSourceArgs(
                secret_key_ref=k8s.core.v1.SecretKeySelectorArgs(name=self.name, key=self.key)
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
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image and how a node gets it."""

    reference: str
    """Name with a tag, a digest or both."""
    pull_policy: str = "IfNotPresent"
    """When a node asks the registry: `IfNotPresent`, `Always` or `Never`."""
    pull_deadline_seconds: int = 300
    """How long a node may take to get it, in seconds."""


@dataclass(frozen=True, kw_only=True)
class State:
    """A database or a cache as its clients see it."""

    url: SecretKeyRef
    """The whole URL, password included."""
    address: tuple[str, int] | None = None
    """Host and port of one inside the cluster."""
    ready: Sequence[pulumi.Resource] = ()
    """Resources to wait for before a client starts."""
