"""Programs that the machine has, which are used instead of own ones."""

import json
import os
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from lab.layout import CACHE


def installed(name: str) -> str | None:
    """The machine's own program of that name; `python -m lab env` puts the lab's first on the path."""
    folders = os.environ.get("PATH", "").split(":")
    return shutil.which(
        name, path=":".join(folder for folder in folders if not folder.startswith(f"{CACHE}/"))
    )


def pulumi() -> bool:
    """Whether the machine has a Pulumi of its own that can run Python programs."""
    return all(installed(name) for name in ("pulumi", "pulumi-language-python"))


def provider(name: str) -> bool:
    """Whether the machine's Pulumi has the provider that the Python package of that name asks for, or can fetch it."""
    if installed(f"pulumi-resource-{name}"):
        return True
    version = metadata.version(f"pulumi-{name}")
    listed = _pulumi("plugin", "ls", "--json")
    if any((row["name"], row["version"]) == (name, version) for row in json.loads(listed.stdout or "[]")):
        return True
    return _pulumi("plugin", "install", "resource", name, version).returncode == 0


def _pulumi(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([installed("pulumi"), *words], capture_output=True, text=True, check=False)


def kubectl(minor: int) -> Path | None:
    """The machine's kubectl, if Kubernetes supports it for a cluster of version 1.`minor`: one minor version apart."""
    found = installed("kubectl")
    if not found:
        return None
    said = subprocess.run([found, "version", "--client"], capture_output=True, text=True, check=False).stdout
    version = re.search(r'v?1\.(\d+)|Minor:"(\d+)', said)
    own = int(next(filter(None, version.groups()))) if version else 0
    return Path(found) if abs(own - minor) <= 1 else None
