"""The first administrator's credentials."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names
from .component import Component
from .passwords import password
from .references import SecretKeyRef
from .versioned_password import VersionedPassword


@dataclass(frozen=True, kw_only=True)
class SuperuserArgs:
    """Who the first administrator is."""

    namespace: pulumi.Input[str]
    """Namespace of the Secret."""
    username: str = "skillflaw"
    """Login name."""
    password: SecretKeyRef | None = None
    """An existing password; without it one is generated. With a version, the account is given it."""
    password_version: str | None = None
    """Any text; another one generates another password, and the account is given it. None: the first one."""
    protect: bool = True
    """Whether the generated password refuses to be deleted."""


class Superuser(Component):
    """Credentials the application creates its first administrator with, and gives it again by another version."""

    username: str
    username_key: str | None
    """Key of the user name next to the password; an existing Secret need not have one."""
    password: SecretKeyRef
    sets_password: bool
    """Whether an account that exists is given the password; otherwise it is the one that it was made with."""

    def __init__(self, name: str, args: SuperuserArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Superuser", name, None, opts)
        self.username = args.username
        self.username_key = None if args.password else "username"
        self.password = args.password or self._generate(name, args)
        self.sets_password = (args.password.version if args.password else args.password_version) is not None
        self.register_outputs({"secretName": self.password.name})

    def _generate(self, name: str, args: SuperuserArgs) -> SecretKeyRef:
        # Stays in the state, protected as it was made.
        generated = password(self, name, protect=args.protect).result
        if args.password_version is not None:
            generated = VersionedPassword(f"{name}-login", args.password_version, self.part()).result
        secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata(names.BACKEND, args.namespace),
            immutable=True,
            string_data={"username": args.username, "password": generated},
            opts=self.child(),
        )
        return SecretKeyRef(name=secret.metadata.name, key="password")
