"""Running a build's programs so that nothing of them outlives the build."""

import subprocess
from collections import deque
from collections.abc import Callable, Sequence

Report = Callable[[str], None]

# Own mount and PID namespaces, killed with this process: a build that is killed leaves no mount and no process behind.
ISOLATED = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


class ImageError(Exception):
    """An image could not be built; the text names the image and ends with the output of the step that failed."""


def run(command: Sequence[str], image: str, report: Report) -> None:
    """Runs one program to its end, reporting buildah's steps. Raises `ImageError` if it fails or does not exist."""
    tail: deque[str] = deque(maxlen=30)
    with subprocess.Popen(
        [*ISOLATED, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    ) as process:
        try:
            for line in process.stdout:
                tail.append(line)
                if line.startswith("STEP "):
                    report(f"{image}: {line.split(': ', 1)[1].strip()}")
        except BaseException:
            # Ctrl-C: `unshare` ignores it, and the folder the program works in is about to be removed
            process.kill()
            raise
    if process.returncode:
        raise ImageError(f"{image}: `{command[0]}` ended with {process.returncode}\n{''.join(tail)}")
