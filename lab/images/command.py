"""Running a build's programs so that nothing of them outlives the build."""

import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from textwrap import shorten

from lab.errors import LabError

Report = Callable[[str], None]

# Own mount and PID namespaces that end with this process: a killed build leaves no mount and no process.
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
ISOLATED = ("setpriv", "--pdeathsig", "KILL", *NAMESPACES)

# How lines begin that say what is being done: of buildah, mmdebstrap, apt and pip.
STEPS = ("STEP ", "I: ", "Setting up ", "Collecting ", "Installing collected packages")


class ImageError(LabError):
    """An image could not be built; the text names it and ends with the output of the step that failed."""


def run(command: Sequence[str], image: str, report: Report) -> None:
    """Runs one program to its end, reporting its steps. Raises `ImageError` if it fails."""
    tail: deque[str] = deque(maxlen=30)
    with subprocess.Popen(
        [*ISOLATED, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            for line in process.stdout:
                tail.append(line)
                if line.startswith(STEPS):
                    report(f"{image}: {shorten(line, 100)}")
        except BaseException:
            # Ctrl-C: `unshare` ignores it, and the folder the program works in is about to be removed
            process.kill()
            raise
    if process.returncode:
        raise ImageError(f"{image}: `{command[0]}` ended with {process.returncode}\n{''.join(tail)}")
