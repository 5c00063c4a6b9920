"""The first administrator's credentials."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

from components import labels
from components.component import Component
from components.references import SecretKeyRef


@dataclass(frozen=True, kw_only=True)
class SuperuserArgs:
    namespace: pulumi.Input[str]
    username: str
    password: SecretKeyRef | None
    """A password others keep; without it one is generated."""
    protect: bool


class Superuser(Component):
    """Credentials the application creates its first administrator with, once."""

    username: str
    password: SecretKeyRef
    generated: bool

    def __init__(self, name: str, args: SuperuserArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Superuser", name, None, opts)
        self.username = args.username
        self.generated = args.password is None
        self.password = args.password or self._generate(name, args)
        self.register_outputs({"secretName": self.password.name})

    def _generate(self, name: str, args: SuperuserArgs) -> SecretKeyRef:
        password = random.RandomPassword(
            f"{name}-password",
            length=32,
            special=False,
            opts=self.child(protect=args.protect, ignore_changes=["length", "special", "keepers"]),
        )
        secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata("backend", args.namespace),
            immutable=True,
            string_data={"username": args.username, "password": password.result},
            opts=self.child(),
        )
        return SecretKeyRef(name=secret.metadata.name, key="password")

    def output(self) -> dict[str, pulumi.Input[str]]:
        """Where an operator finds the credentials: names, no values."""
        where = {"name": self.password.name, "passwordKey": self.password.key}
        return {**where, "usernameKey": "username"} if self.generated else where
