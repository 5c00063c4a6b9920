"""All that operations know of a stack: its outputs."""

import contextlib
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from operations.kubectl import Kubectl, cluster
from operations.program import ProgramError, output_of


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class SecretRef(_Output):
    """Where a user and a password are kept in the stack's namespace; never their values."""

    name: str
    password_key: str
    username_key: str | None = None


class Stack(_Output):
    """A stack's outputs.

    `surfaces` holds those that are exposed, of `api`, `app` and `docs`, each as an origin (`https://host`).
    """

    context: str | None = None
    kubeconfig: str | None = Field(default=None, repr=False)
    namespace: str
    backend_service: str
    backend_port: int
    surfaces: dict[str, str]
    api_allow: tuple[str, ...]
    superuser_secret: SecretRef
    backup_cron_job: str | None = None

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
        return Stack.model_validate_json(outputs)
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        raise ProgramError(
            f"stack {name} lacks outputs ({wrong}): run `pulumi up --stack {name}` first"
        ) from None
