"""Stacks of their own on the lab, next to the one that `make up` leaves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.edits import edited
from tests.engine.stack import Stack, copy_program
from tests.live.namespace import discard_volumes


@contextmanager
def alone(kubectl, folder: Path, name: str, changes: Mapping[str, Any]) -> Iterator[Stack]:
    """A stack of that name, not up yet: nothing of an earlier run is there, and nothing of it stays."""
    stack = Stack(copy_program(folder), name, {})
    for words in (["cancel", "--yes"], ["stack", "rm", name, "--yes", "--force"]):
        stack.pulumi(*words, check=False)
    discard_volumes(kubectl, name)
    with stack:
        stack.sections = edited(changes)
        yield stack
    discard_volumes(kubectl, name)
