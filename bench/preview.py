"""`pulumi preview` of a folder, timed and weighed."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Cost:
    seconds: float
    """Wall-clock time from start to end."""
    mebibytes: float
    """Most memory that the program's own process ever held."""


def preview(folder: Path, stack: str, environment: Mapping[str, str], *options: str) -> Cost:
    """Previews a stack and watches the processes it starts. Raises `RuntimeError` with what a failed preview said."""
    began = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            ["pulumi", "preview", f"--stack={stack}", "--non-interactive", *options],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as engine,
    ):
        most = 0
        while engine.poll() is None:
            most = max(most, _program_kibibytes(engine.pid))
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - began
        if engine.returncode:
            said.seek(0)
            raise RuntimeError(said.read())
    return Cost(seconds, most / 1024)


def _program_kibibytes(session: int) -> int:
    """Peak memory of the session's Python processes that run a program."""
    most = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
            runs_program = b"\0--run\0" in words or b"pulumi-language-python-exec" in words
            if not runs_program or os.getsid(int(process.name)) != session:
                continue
            status = (process / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        peak = [line for line in status.splitlines() if line.startswith("VmHWM")]
        most = max([most, *(int(line.split()[1]) for line in peak)])
    return most
