"""`python -m operations` against a stack of the lab, as anyone would call it."""

import os
import subprocess
import sys
from pathlib import Path

from lab.layout import PROJECT, REAL
from lab.mint import Minted


def operation(stack: str, *words: str, program: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    """Runs one operation on a stack of the program in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "operations", *words, f"--stack={stack}"],
        cwd=program, env=os.environ | {"PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def backed_up(stack: str, program: Path = PROJECT) -> str:
    """Takes a backup of a stack now; its id."""
    done = operation(stack, "backup", program=program)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split("backup ")[-1].split(":")[0]


def validate(
    stack: str, minted: Minted, *words: str, flow: str | None = None, program: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Validates a stack with its own flow or another; `words` are further options."""
    options = {
        "--flow": flow or minted.flow,
        "--api-key-file": minted.api_key_file,
        "--ui-user": minted.user,
        "--ui-password-file": minted.ui_password_file,
        "--ingress-address": REAL.nodes[0].address,
        "--ca-file": REAL.pki / "ca.crt",
    }
    given = [str(word) for option in options.items() for word in option]
    return operation(stack, "validate", *given, *words, program=program)
