"""The key that encrypts what SkillFlaw stores."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

from . import labels, names
from .component import Component
from .references import SecretKeyRef


@dataclass(frozen=True, kw_only=True)
class SecretKeyArgs:
    """The key that is used, and whether a generated one is kept."""

    namespace: pulumi.Input[str]
    """Namespace of the Secret."""
    existing: SecretKeyRef | None = None
    """An existing key; without it the generated one is used."""
    keep_generated: bool = False
    """Whether a generated key stays although an existing one took its place."""
    protect: bool = True
    """Whether the generated key refuses to be deleted and outlives the stack."""


class SecretKey(Component):
    """One key for all replicas, generated once or kept outside the stack.

    Losing it loses every stored credential and API key, so the generated one is never made again: no input
    change, no provider upgrade and no edit of this file may touch it. Nor is it dropped when an existing key takes
    its place: whoever takes that back finds the old one.
    """

    reference: SecretKeyRef
    """The key in use."""
    generated: bool
    """Whether the stack holds a key that it generated, in use or no longer."""

    def __init__(self, name: str, args: SecretKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:SecretKey", name, None, opts)
        self.generated = args.existing is None or args.keep_generated
        if self.generated:
            self.reference = self._generate(name, args)
        if args.existing:
            self.reference = args.existing
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
            metadata=labels.metadata(names.BACKEND, args.namespace),
            immutable=True,
            string_data={names.SECRET_KEY: key.base64.apply(_url_safe)},
            opts=self.child(protect=args.protect, retain_on_delete=args.protect),
        )
        return SecretKeyRef(name=secret.metadata.name, key=names.SECRET_KEY)


def _url_safe(base64: str) -> str:
    return base64.translate(str.maketrans("+/", "-_"))
