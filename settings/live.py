"""What the stack exported when it last came up, read before anything is declared."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pulumi

STATE_READS = 50
TORN_READ = "failed to load checkpoint"
"""The engine writes its state file, not at once, while a program starts; a read takes about 20 ms."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """The running stack; a stack that never came up exported nothing."""

    stack: str
    """`ORGANIZATION/PROJECT/STACK`: whose what it makes is."""
    frozen: Mapping[str, str] = field(default_factory=dict)
    """Choices that hold for the life of the data."""
    secret_key: str | None = None
    """The key in use, as a reference in words; None where it is not known."""
    key_generation: int = 0
    """The newest key that it generated."""
    keys_given_up: int = 0
    """The last generation of them that may be deleted."""
    key_rotations: int = 0
    """How often the key was rotated."""
    password_versions: Collection[str] = ()
    """Paths of the stack file that named a version of a password."""
    released: Collection[str] = ()
    """Components whose objects the next `up` leaves in the cluster where it no longer declares them."""

    @property
    def name(self) -> str:
        """Name of the stack alone."""
        return self.stack.rpartition("/")[2]


NOTHING = Live(stack="")
"""A stack that nothing is known of."""


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
                secret_key=outputs.get("secretKey"),
                # The first release generates one key, and says no number.
                key_generation=int(outputs.get("keyGeneration", outputs.get("generatedKey", False))),
                keys_given_up=int(outputs.get("keysGivenUp", 0)),
                key_rotations=int(outputs.get("keyRotations", 0)),
                password_versions=outputs.get("passwordVersions", ()),
                released=outputs.get("released", ()),
            )
