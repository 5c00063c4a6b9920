"""What the stack exported when it last came up, read before anything is declared."""

from dataclasses import dataclass

import pulumi

STATE_READS = 50
TORN_READ = "failed to load checkpoint"
"""The engine writes its state file, not at once, while a program starts; a read takes about 20 ms."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """The running stack; a stack that never came up exported nothing."""

    stack: str
    """`ORGANIZATION/PROJECT/STACK`: whose what it makes is."""
    frozen: dict[str, str]
    """Choices that hold for the life of the data."""
    generated_key: bool
    """Whether it holds a key that it generated."""


def read_live() -> Live:
    """The stack's own outputs, from the engine's state. A state file that is being written is read again."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    reads = 0
    while True:
        try:
            read = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack})
        except Exception as error:  # the SDK raises nothing narrower
            reads += 1
            if TORN_READ not in str(error) or reads == STATE_READS:
                raise
        else:
            outputs = read.value["outputs"]
            return Live(
                stack=stack,
                frozen=outputs.get("frozen", {}),
                generated_key=outputs.get("generatedKey", False),
            )
