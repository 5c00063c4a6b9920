"""The key that encrypts what SkillFlaw stores."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

from components import labels
from components.component import Component
from components.references import SecretKeyRef


@dataclass(frozen=True, kw_only=True)
class SecretKeyArgs:
    namespace: pulumi.Input[str]
    existing: SecretKeyRef | None
    """A key others keep."""
    generate: bool
    """Whether the stack holds a key of its own, in use or no longer."""
    protect: bool


class SecretKey(Component):
    """One key for all replicas, generated once or kept by others.

    Losing it loses every stored credential and API key, so the generated one is never made anew: no input
    change, no provider upgrade and no edit of this file may touch it. Nor is it dropped when a key of others takes
    its place: whoever takes that back finds the old one.
    """

    reference: SecretKeyRef
    generated: bool

    def __init__(self, name: str, args: SecretKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:SecretKey", name, None, opts)
        self.generated = args.generate
        own = self._generate(name, args) if args.generate else None
        self.reference = args.existing or own
        self.register_outputs({"secretName": self.reference.name})

    def _generate(self, name: str, args: SecretKeyArgs) -> SecretKeyRef:
        # Fernet wants 32 bytes in URL-safe base64; letters and digits of a password are not that.
        key = random.RandomBytes(
            f"{name}-bytes",
            length=32,
            opts=self.child(protect=args.protect, ignore_changes=["length", "keepers"]),
        )
        secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata("backend", args.namespace),
            immutable=True,
            string_data={"skillflaw_secret_key": key.base64.apply(_url_safe)},
            opts=self.child(protect=args.protect, retain_on_delete=args.protect),
        )
        return SecretKeyRef(name=secret.metadata.name, key="skillflaw_secret_key")


def _url_safe(base64: str) -> str:
    return base64.translate(str.maketrans("+/", "-_"))
