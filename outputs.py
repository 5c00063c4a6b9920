"""A stack's outputs: written by the program, read by operations and by the program's next run."""

from typing import Any

from msgspec import Struct
from msgspec.structs import fields


class SecretRef(Struct, frozen=True, kw_only=True, rename="camel"):
    """Keys of a Secret in the stack's namespace that hold a password and perhaps a user name; never their values."""

    name: str
    """Name of the Secret."""
    password_key: str
    """Key of the password."""
    username_key: str | None = None
    """Key of the user name, if the Secret has one."""


class Outputs(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a stack says of itself, under the names of `pulumi stack output` in camelCase."""

    context: str | None = None
    """Context of the kubeconfig."""
    kubeconfig: str | None = None
    """The whole kubeconfig, a secret, if the stack carries one."""
    namespace: str
    """Namespace that holds everything."""
    backend_service: str
    """Service of the backend."""
    frontend_service: str | None = None
    """Service of the web UI, if it runs."""
    docs_service: str | None = None
    """Service of the documentation, if it runs."""
    backend_port: int
    """Port of the backend's Service."""
    surfaces: dict[str, str]
    """Origins (`https://host`) of what is public, by surface: `api`, `app`, `docs`."""
    api_allow: tuple[str, ...]
    """Groups of paths that are open on the API's host."""
    backup_cron_job: str | None = None
    """CronJob that takes the backups, if any is scheduled."""
    backup_password: SecretRef | None = None
    """The password of the repository of backups, if any is scheduled."""
    superuser_secret: SecretRef
    """The first administrator's credentials."""
    generated_key: bool = False
    """Whether the stack holds a secret key that it generated."""
    secret_key: str | None = None
    """Reference of the key in use, in words."""
    key_generation: int | None = None
    """The newest key that the stack generated, of a failed `up` too: it is not made again, and is not forgotten."""
    keys_given_up: int | None = None
    """The last generation that may be deleted."""
    key_rotations: int | None = None
    """How often the key was rotated."""
    password_versions: tuple[str, ...] | None = None
    """Paths of the stack file that named a version of a password, in a failed `up` too: the first one counts no more."""
    frozen: dict[str, str] = {}
    """Choices that hold for the life of the data, by path of the stack file."""
    released: tuple[str, ...] | None = None
    """Components that `operations release` has let go of; each `up` that reached its end exports none."""

    def __repr__(self) -> str:
        """Leaves out everything but the namespace, since a traceback may show it and a kubeconfig is a secret."""
        return f"{type(self).__name__}(namespace={self.namespace!r})"

    def by_name(self) -> dict[str, Any]:
        """The outputs by their names on the wire, without those that the stack does not have."""
        return _by_name(self)


def _by_name(struct: Struct) -> dict[str, Any]:
    values = {field.encode_name: getattr(struct, field.name) for field in fields(struct)}
    return {
        name: _by_name(value) if isinstance(value, Struct) else value
        for name, value in values.items()
        if value is not None
    }
