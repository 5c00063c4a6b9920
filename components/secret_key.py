"""The key that encrypts what SkillFlaw stores."""

from collections.abc import Collection, Sequence
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
    """An existing key; without it a generated one is used."""
    previous: SecretKeyRef | None = None
    """An existing key that the data may still be encrypted with."""
    old_generations: Collection[int] = ()
    """Generated keys that the data may still be encrypted with."""
    generation: int = 1
    """The generated key that is used, unless an existing one is."""
    generations: Sequence[int] = (1,)
    """Generated keys that the stack holds, in use or no longer."""
    given_up: Collection[int] = ()
    """Those of them that open nothing any more and may be deleted."""
    protect: bool = True
    """Whether generated keys refuse to be deleted and outlive the stack."""


class SecretKey(Component):
    """One key for all replicas, generated once or kept outside the stack.

    Losing it loses every stored credential and API key, so a generated one is never made again: no input
    change, no provider upgrade and no edit of this file may touch it. Nor is it dropped when another generation or an
    existing key takes its place: it opens what was not encrypted again yet, and whoever takes the change back finds it.
    """

    reference: SecretKeyRef
    """The key in use."""
    old: dict[str, SecretKeyRef]
    """Keys that the data may still be encrypted with, by a word for each."""

    def __init__(self, name: str, args: SecretKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:SecretKey", name, None, opts)
        made = {generation: self._generate(name, args, generation) for generation in args.generations}
        self.old = {
            f"generation-{generation}": key
            for generation, key in made.items()
            if generation in args.old_generations
        }
        if args.previous:
            self.old["previous"] = args.previous
        self.reference = args.existing or made[args.generation]
        self.register_outputs({"secretName": self.reference.name})

    def _generate(self, name: str, args: SecretKeyArgs, generation: int) -> SecretKeyRef:
        protect = args.protect and generation not in args.given_up
        if generation > 1:
            name = f"{name}-{generation}"
        # Fernet wants 32 bytes in URL-safe base64; letters and digits of a password are not that.
        key = random.RandomBytes(
            f"{name}-bytes",
            length=32,
            opts=self.child(protect=protect, ignore_changes=["length", "keepers"]),
        )
        secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata(names.BACKEND, args.namespace),
            immutable=True,
            string_data={names.SECRET_KEY: key.base64.apply(_url_safe)},
            opts=self.child(protect=protect, retain_on_delete=protect),
        )
        return SecretKeyRef(name=secret.metadata.name, key=names.SECRET_KEY)


def _url_safe(base64: str) -> str:
    return base64.translate(str.maketrans("+/", "-_"))
