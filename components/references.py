"""How components speak of what others made: by name, never by value."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s


@dataclass(frozen=True, kw_only=True)
class SecretKeyRef:
    """One key of one Secret in the stack's namespace."""

    name: pulumi.Input[str]
    key: str

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
    pull_policy: str
    pull_secret: str | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """What a component offers that others read: where its URL is, and what to wait for."""

    url: SecretKeyRef
    ready: Sequence[pulumi.Resource] = ()
