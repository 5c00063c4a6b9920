"""The table of `make drill`: what was done to a stack, and what its users met."""

from collections.abc import Callable

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


def line(cells: tuple[object, ...]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def say(config: pytest.Config) -> Say:
    terminal, capture = map(config.pluginmanager.getplugin, ("terminalreporter", "capturemanager"))

    def write(*cells: object) -> None:
        with capture.global_and_fixture_disabled():
            terminal.ensure_newline()
            terminal.write_line(line(cells))

    return write


class Row:
    """Writes a row of the table as it is measured, and keeps it for the table at the run's end."""

    def __init__(self, config: pytest.Config) -> None:
        self._rows = config.stash.setdefault(ROWS, [])
        self._say = say(config)

    def __call__(
        self,
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
        self._rows.append(cells)
        self._say(*cells)


def summary(config: pytest.Config) -> list[str]:
    """The table in Markdown, line by line; empty if no test has a row."""
    rows = config.stash.get(ROWS, [])
    return [line(HEAD), line(("---",) * len(HEAD)), *map(line, rows)] if rows else []
