"""Debian packages, installed by whatever needs them."""

import os
import shutil
import subprocess
from pathlib import Path

from lab.errors import LabError


def ensure(needed: dict[str, str]) -> None:
    """Installs the packages of what is missing: `needed` maps a program or an absolute path to its Debian package."""
    missing = sorted({package for what, package in needed.items() if not _present(what)})
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LabError(
            f"missing: {', '.join(missing)}; the lab installs them on Debian, here install them by hand"
        )
    # No recommended packages, and no service started: the lab runs its own.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    first = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)
    if first.returncode:  # no package lists yet, or stale ones
        subprocess.run(["apt-get", "update"], env=environment, capture_output=True, check=False)
        second = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)
        if second.returncode:
            raise LabError(f"could not install {', '.join(missing)}: {second.stderr.strip()}")


def _present(what: str) -> bool:
    return Path(what).exists() if what.startswith("/") else shutil.which(what) is not None
