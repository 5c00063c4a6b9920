"""Additions to a cluster that no stack knows, as a report needs them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Added:
    """Sentences by object, and the commands that take it back."""

    lines: tuple[tuple[str, str], ...] = ()
    """An object's kind and name, and what was added to it."""
    commands: tuple[str, ...] = ()
