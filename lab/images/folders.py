"""The images there are, what each is built from, and the tag that says so."""

import hashlib
import re
from pathlib import Path

from lab.images.command import ImageError

HERE = Path(__file__).parent
REPOSITORY = "skillflaw.lab"
ON_DEMAND = frozenset({"barman"})
"""Images that no lab starts with; whoever needs one builds it."""


def names() -> tuple[str, ...]:
    """Every image that a lab starts with, parents before children."""
    folders = {file.parent.name for file in HERE.glob("*/Containerfile")} - ON_DEMAND
    return tuple(sorted(folders, key=lambda name: (_depth(name), name)))


def parents(name: str) -> list[str]:
    """The images an image is built from: the arguments before its first FROM (`ARG base`, `FROM $base`)."""
    text = (HERE / name / "Containerfile").read_text()
    head, *_ = re.split(r"^FROM ", text, maxsplit=1, flags=re.MULTILINE)
    return re.findall(r"^ARG (\w+)$", head, re.MULTILINE)


def files(name: str) -> list[Path]:
    """Every file of an image's folder. Raises `ImageError` if there is no such image."""
    if not (HERE / name / "Containerfile").exists():
        raise ImageError(f"no image {name!r}; there are {', '.join(names())}")
    found = (HERE / name).rglob("*")
    return sorted(file for file in found if file.is_file() and "__pycache__" not in file.parts)


def tag(name: str) -> str:
    """12 hex digits over the files of the image's folder and the tags of the images it is built from."""
    digest = hashlib.sha256()
    for file in files(name):
        digest.update(f"{file.relative_to(HERE)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    for parent in parents(name):
        digest.update(f"{parent}:{tag(parent)}\0".encode())
    return digest.hexdigest()[:12]


def reference(name: str) -> str:
    """The name a pod uses for this content of the image: `skillflaw.lab/redis:0123456789ab`."""
    return f"{REPOSITORY}/{name}:{tag(name)}"


def _depth(name: str) -> int:
    return 1 + max(map(_depth, parents(name)), default=0)
