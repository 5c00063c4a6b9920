"""A refusal, reported in a line of its own on stderr, without a traceback."""

import contextlib
from collections.abc import Iterator

import typer

from operations.program import ProgramError


@contextlib.contextmanager
def refusal(what: str, code: int = 2) -> Iterator[None]:
    """Ends the command with an exit code when a program or a file says no; `what` could not be done."""
    try:
        yield
    except (ProgramError, OSError) as error:
        typer.secho(f"{what}: {error}", fg="red", err=True)
        raise typer.Exit(code) from None
