"""The stack `lab` under a stack file that tests edit."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from lab.layout import PROJECT
from tests.edits import edited

LAB = PROJECT / "Pulumi.lab.yaml"


class Stack:
    """Brings the stack `lab` to an edited copy of its file, and back."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._committed = yaml.safe_load(LAB.read_text())
        self._edited = False

    def restore(self) -> None:
        """Brings it to the committed file, unless it is there."""
        if self._edited:
            self.up({})

    def up(self, edits: dict[str, Any], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`pulumi up` with the committed file and these edits, by dotted path; None removes a key."""
        self._edited = bool(edits)
        config = {f"skillflaw:{name}": section for name, section in edited(edits).items()}
        self._file.write_text(yaml.safe_dump(self._committed | {"config": config}))
        done = subprocess.run(
            [
                "pulumi", "up", "--stack=lab", f"--config-file={self._file}",
                "--yes", "--skip-preview", "--non-interactive", "--color=never",
            ],
            cwd=PROJECT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done
