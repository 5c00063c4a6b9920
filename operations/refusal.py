"""A refusal, reported in a line of its own on stderr, without a traceback."""

import contextlib
from collections.abc import Iterator

import typer

from operations.program import ProgramError


@contextlib.contextmanager
def refusal(what: str) -> Iterator[None]:
    """Ends the command with exit code 2 when a program or a file says no; `what` could not be done."""
    try:
        yield
    except (ProgramError, OSError) as error:
        typer.secho(f"{what}: {error}", fg="red", err=True)
        raise typer.Exit(2) from None
