"""What is in a cluster and not in a stack, as a report needs it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Added:
    """Sentences by object, and the commands that take it back."""

    lines: tuple[tuple[str, str], ...] = ()
    """An object's kind and name, and what was added to it."""
    commands: tuple[str, ...] = ()
