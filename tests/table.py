"""The table of `make drill`: what was done to a stack, and what its users met."""

from collections.abc import Callable
from typing import Protocol

import pytest

from tests.live.traffic import Traffic

HEAD = (
    "what was done",
    "requests",
    "failed",
    "longest time without a good answer",
    "seconds to recover",
    "rows acknowledged",
    "rows lost",
    "also",
)
ROWS = pytest.StashKey[list[tuple[str, ...]]]()

Say = Callable[..., None]
"""Writes cells as one line of a table on the terminal, whatever becomes of the test."""


class Row(Protocol):
    """Writes a row of the table as it is measured, and keeps it for the table at the run's end."""

    def __call__(
        self,
        event: str,
        traffic: Traffic | None = None,
        *,
        recovered: float | None = None,
        acknowledged: int | None = None,
        lost: int | None = None,
        also: str = "",
    ) -> None: ...


def line(cells: tuple[object, ...]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def say(config: pytest.Config) -> Say:
    terminal, capture = map(config.pluginmanager.getplugin, ("terminalreporter", "capturemanager"))

    def write(*cells: object) -> None:
        with capture.global_and_fixture_disabled():
            terminal.ensure_newline()
            terminal.write_line(line(cells))

    return write


def row(config: pytest.Config) -> Row:
    def write(
        event: str,
        traffic: Traffic | None = None,
        *,
        recovered: float | None = None,
        acknowledged: int | None = None,
        lost: int | None = None,
        also: str = "",
    ) -> None:
        cells = (
            event,
            f"{len(traffic.asked):,}" if traffic else "",
            f"{len(traffic.failures):,}" if traffic else "",
            ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in traffic.gaps.items()) if traffic else "",
            "" if recovered is None else f"{recovered:.1f}",
            "" if acknowledged is None else f"{acknowledged:,}",
            "" if lost is None else f"{lost:,}",
            also,
        )
        config.stash.setdefault(ROWS, []).append(cells)
        say(config)(*cells)

    return write


def summary(config: pytest.Config) -> list[str]:
    """The table in Markdown, line by line; empty if no test has a row."""
    rows = config.stash.get(ROWS, [])
    return [line(HEAD), line(("---",) * len(HEAD)), *map(line, rows)] if rows else []
