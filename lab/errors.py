"""The one kind of error a user of the lab sees: a sentence, and the end of the log that explains it."""

from pathlib import Path

SHOWN_LINES = 25


class LabError(Exception):
    """Something the lab needs is missing or did not work; the message says what and what to do."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        if log is not None and log.exists():
            lines = log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
            message += f"\nThe end of {log}:\n" + "\n".join(f"  {line}" for line in lines)
        super().__init__(message)
