"""All that operations know of a stack: its outputs."""

import contextlib
from collections.abc import Iterator

import msgspec

from operations.kubectl import Kubectl, cluster
from operations.program import ProgramError, output_of
from outputs import Outputs

PULUMI_SECONDS = 60
"""How long reading a state may take, wherever it is kept."""


class Stack(Outputs, frozen=True):
    """A stack's outputs, and its namespace as `kubectl` reaches it."""

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
    outputs = output_of(
        "pulumi", "stack", "output", "--json", "--show-secrets", "--stack", name, seconds=PULUMI_SECONDS
    )
    try:
        return msgspec.json.decode(outputs, type=Stack)
    except msgspec.ValidationError as error:
        raise ProgramError(
            f"stack {name} lacks outputs ({error}): run `pulumi up --stack {name}` first"
        ) from None
