"""All that operations know of a stack: its outputs."""

import contextlib
from collections.abc import Iterator

import msgspec

from operations.kubectl import Kubectl, cluster
from operations.program import ProgramError, output_of


class SecretRef(msgspec.Struct, frozen=True, rename="camel"):
    """Where a user and a password are kept in the stack's namespace; never their values."""

    name: str
    password_key: str
    username_key: str | None = None


class Stack(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A stack's outputs.

    `surfaces` holds those that are exposed, of `api`, `app` and `docs`, each as an origin (`https://host`).
    """

    context: str | None = None
    kubeconfig: str | None = None
    namespace: str
    backend_service: str
    backend_port: int
    surfaces: dict[str, str]
    api_allow: tuple[str, ...]
    superuser_secret: SecretRef
    backup_cron_job: str | None = None

    def __repr__(self) -> str:
        """Without the kubeconfig, since a traceback may show it."""
        return f"Stack(namespace={self.namespace!r})"

    @contextlib.contextmanager
    def kubectl(self) -> Iterator[Kubectl]:
        """The stack's namespace, while the block runs."""
        with cluster(self.context, self.kubeconfig) as chosen:
            yield Kubectl(chosen, self.namespace)


def read(name: str) -> Stack:
    """The outputs of the stack `name` of the project in the current directory.

    Raises:
        ProgramError: pulumi cannot read the stack, or it lacks outputs (it was never brought up).
    """
    outputs = output_of("pulumi", "stack", "output", "--json", "--show-secrets", "--stack", name)
    try:
        return msgspec.json.decode(outputs, type=Stack)
    except msgspec.ValidationError as error:
        raise ProgramError(
            f"stack {name} lacks outputs ({error}): run `pulumi up --stack {name}` first"
        ) from None
