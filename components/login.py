"""Who signs in to a server of the stack's: a user and a password that take the place of those before them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pulumi
import pulumi_kubernetes as k8s

from . import labels, pods
from .component import Component
from .references import SecretKeyRef
from .versioned_password import VersionedPassword

SCRIPTS = Path(__file__).with_name("scripts")


def login_user(version: str) -> str:
    """The user that signs in with the password of a version; a server knows the one before it at the same time."""
    return f"skillflaw_{sha256(version.encode()).hexdigest()[:8]}"


def login_script(component: str) -> str:
    """The shell script that asks a server, with its action as the argument: `open` or `close`."""
    return "".join((SCRIPTS / f"{part}.sh").read_text() for part in ("login", f"{component}_login"))


@dataclass(frozen=True, kw_only=True)
class LoginArgs:
    """A version of the password, and the server that learns it."""

    component: str
    """The server: its Service, and the script that asks it."""
    workload: pods.Workload
    """Image with the server's client."""
    version: str
    """Any text; another one makes another user and password."""
    url: str
    """Template of the URL that clients use, with `{user}` and `{password}`."""
    initial: SecretKeyRef
    """The URL of the user that the server was made with."""
    volume: pulumi.Input[str] | None = None
    """What the server keeps its users on; None if it keeps none."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Templates of more keys of the Secret that says who signs in now."""


class Login(Component):
    """A user and password that the server learns before any client uses them, and those before end after the last one did.

    An immutable Secret holds them for the clients. A second one, of a fixed name, says who signs in now. It changes after
    the server learned the new password, so the Job that teaches the next one finds there what the server knows.
    """

    user: str
    url: SecretKeyRef

    def __init__(self, name: str, args: LoginArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Login", name, None, opts)
        self.user, self._name, self._args = login_user(args.version), name, args
        self._password = VersionedPassword(name, args.version, self.part()).result
        self._secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata(args.component, args.workload.namespace),
            immutable=True,
            string_data={"password": self._password, "url": self._password.apply(self._url)},
            opts=self.child(),
        )
        self.url = SecretKeyRef(name=self._secret.metadata.name, key="url")
        self.register_outputs({"secretName": self._secret.metadata.name})

    @property
    def annotations(self) -> dict[str, pulumi.Input[str]]:
        """Annotations of a pod with a `container`: the server's volume, for on another one it knows none of its users."""
        volume = self._args.volume
        return {f"skillflaw.com/{self._args.component}-volume": volume} if volume else {}

    def settle(self, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        """The Secret that says who signs in now; it changes once `after` is done."""
        kept = {key: self._password.apply(partial(self._kept, key)) for key in self._args.kept}
        return k8s.core.v1.Secret(
            f"{self._name}-now",
            metadata=labels.metadata(
                self._args.component, self._args.workload.namespace, name=now(self._args.component)
            ),
            string_data={"user": self.user, "password": self._password, **kept},
            opts=self.child(depends_on=after),
        )

    def container(self, action: str, resources: pods.Resources, *, wait: int) -> k8s.core.v1.ContainerArgs:
        """A container that teaches the server the new password (`open`), or ends those before it (`close`).

        `close` waits at most `wait` seconds for the last client that signed in with one of them.
        """
        component, secret = self._args.component, self._secret.metadata.name
        known = now(component)
        return pods.container(
            component,
            self._args.workload.image,
            resources,
            command=["sh", "-c", login_script(component), "login.sh"],
            args=[action],
            env=[
                SecretKeyRef(name=secret, key="password").env("PASSWORD"),
                *(
                    SecretKeyRef(name=known, key=key, optional=True).env(f"NOW_{key.upper()}")
                    for key in ("user", "password")
                ),
                self._args.initial.env("INITIAL_URL"),
                *pods.variables({"HOST": component, "LOGIN": self.user, "TRIES": "30", "WAIT": str(wait)}),
            ],
            mounts={},
        )

    def _url(self, password: str) -> str:
        return self._args.url.format(user=self.user, password=quote(password, safe=""))

    def _kept(self, key: str, password: str) -> str:
        return self._args.kept[key].format(user=self.user, password=password)


def now(component: str) -> str:
    """Name of the Secret that says who signs in to a server now."""
    return f"{component}-login"
