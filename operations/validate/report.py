"""Checks run one after another, a line each."""

import time
from collections.abc import Collection, Sequence

from rich.console import Console
from rich.markup import escape

from operations.validate.check import Check, CheckError


def report(checks: Sequence[Check], console: Console, secrets: Collection[str]) -> int:
    """Runs every check, whatever another one says, and prints a line as each ends; no line shows a secret.

    Returns:
        How many failed.
    """
    failed = 0
    began = time.monotonic()
    for number, check in enumerate(checks, 1):
        place = f"{number:>{len(str(len(checks)))}}/{len(checks)}"
        start = time.monotonic()
        with console.status(f"{place} {escape(check.name)}"):
            seen, reason = None, None
            try:
                seen = check.holds()
            except Exception as error:  # whatever a client library raises is a reason
                failed += 1
                reason = _concealed(_reason(error), secrets)
        mark = "[red]✗[/]" if reason else "[green]✓[/]"
        said = f"{check.name}: {_concealed(seen, secrets)}" if seen else check.name
        console.print(f"{place} {mark} {time.monotonic() - start:5.2f} s  {escape(said)}", soft_wrap=True)
        if reason:
            console.print(f"        {reason}", style="red", markup=False, soft_wrap=True)
    took = f"{time.monotonic() - began:.1f} s"
    console.print(
        f"{failed} of {len(checks)} checks failed in {took}"
        if failed
        else f"all {len(checks)} checks passed in {took}"
    )
    return failed


def _reason(error: BaseException) -> str:
    """The first line of what began it.

    What a client raises on top can say nothing ("Connection error."), and further lines can be a log of the
    calls made, with their arguments.
    """
    while inner := error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__:
        error = inner
    first = str(error).strip().partition("\n")[0]
    return first if isinstance(error, CheckError) else f"{type(error).__name__}: {first}"


def _concealed(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "•••")
    return text
