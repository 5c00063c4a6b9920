"""A status for a person, a line for each fact, or for a program, as JSON."""

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from operations.status.facts import Status
from operations.status.judge import Line, judge, worst
from operations.status.verdicts.verdict import Verdict

CODES = {Verdict.WELL: 0, Verdict.LOOK: 1, Verdict.BROKEN: 2}
"""Exit codes of the command."""
MARKS = {Verdict.WELL: ("✓", "green"), Verdict.LOOK: ("?", "yellow"), Verdict.BROKEN: ("✗", "red")}


def report(status: Status, console: Console) -> int:
    """Shows the lines and what they come to, and returns the command's exit code."""
    lines = judge(status)
    console.print(
        f"{status.stack} ({status.where}), {status.at:%Y-%m-%d %H:%M:%S} UTC", markup=False, soft_wrap=True
    )
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        mark, color = MARKS[line.verdict]
        # As Text: names and messages of a cluster may look like markup.
        table.add_row(Text(mark, color), Text(line.name), Text(line.says, color if mark != "✓" else ""))
    console.print(table)
    console.print(_sum(lines), markup=False)
    return CODES[worst(lines)]


def as_json(status: Status) -> tuple[str, int]:
    """The document of `--json`, and the command's exit code.

    It has `stack`, `at`, `verdict` (the worst one), `lines` (`name`, `verdict`, `says`) and `facts`.
    """
    lines = judge(status)
    document = {
        "stack": status.stack,
        "at": status.at,
        "verdict": worst(lines),
        "lines": lines,
        "facts": status,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode(), CODES[worst(lines)]


def _sum(lines: list[Line]) -> str:
    counts = {verdict: sum(line.verdict is verdict for line in lines) for verdict in Verdict}
    parts = [f"{count} {verdict}" for verdict, count in counts.items() if count]
    return f"{worst(lines)}: {', '.join(parts)}"
