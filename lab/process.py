"""Long-running programs of a lab: started, found again, waited for, ended.

A program is known by a mark in its environment, not by a file that a killed run could leave behind or lose.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lab.errors import LabError
from lab.layout import Lab

MARK = "SKILLFLAW_LAB"
BEGIN_SECONDS = 10


def log_of(lab: Lab, name: str) -> Path:
    return lab.state / "logs" / f"{name}.log"


def start(
    lab: Lab, name: str, command: Iterable[str | Path], environment: dict[str, str] | None = None
) -> int:
    """Starts `command` as a daemon of the lab, its output in the lab's logs; returns its process id."""
    log = log_of(lab, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=os.environ | (environment or {}) | {MARK: mark(lab, name)},
            start_new_session=True,
        )
    # For a moment after it began, a program shows no environment, and would count as ended.
    wait_for(
        lambda: process.poll() is not None or find(lab, name), BEGIN_SECONDS, f"the start of {name}", log
    )
    return process.pid


def find(lab: Lab, name: str) -> int | None:
    """Process id of the daemon, the oldest of a family, or None if it does not run."""
    return min(_marked(mark(lab, name)), key=_started, default=None)


def stop(lab: Lab, name: str, timeout: float = 20) -> None:
    """Asks the daemon to end and waits until it has."""
    pid = find(lab, name)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: find(lab, name) is None, timeout, f"the end of {name}", log_of(lab, name))


def kill_all(lab: Lab, timeout: float = 20) -> None:
    """Ends every process of the lab: at once, for a lab that goes has nothing to save."""
    wait_for(lambda: not _killed(f"{lab.name}/"), timeout, f"the end of every process of {lab.name}")


def _killed(start: str) -> bool:
    """Kills what has a mark that starts so, as often as it is asked: one may begin another in its last moment."""
    found = list(_marked(start, prefix=True))
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(found)


def wait_for(
    condition: Callable[[], object],
    timeout: float,
    what: str,
    log: Path | None = None,
    alive: Callable[[], object] = lambda: True,
) -> None:
    """Returns when `condition` is truthy; raises `LabError` after `timeout` seconds or when `alive` no longer is."""
    deadline = time.monotonic() + timeout
    while not condition():
        if not alive():
            raise LabError(f"{what}: it ended", log)
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not so after {timeout:.0f} s", log)
        time.sleep(0.1)


def mark(lab: Lab, name: str) -> str:
    """Value of the variable `MARK` in the environment of a process that belongs to the lab."""
    return f"{lab.name}/{name}"


def _marked(mark: str, prefix: bool = False) -> Iterator[int]:
    """Processes with the mark; one that ended and was not yet waited for has no environment and is not among them."""
    start = f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(value.startswith(start) if prefix else value == start for value in variables):
            yield int(folder.name)


def _started(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 1 << 62
