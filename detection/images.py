"""Image references: whose registry they name, and whether what they name can move."""

import re
from collections.abc import Iterable

_MOVING = re.compile(
    r"latest|nightly|main|master|trunk|dev|develop|edge|stable|head|next|canary|rolling|snapshot|testing",
    re.IGNORECASE,
)
_RELEASE = re.compile(r"v?(\d+(?:\.\d+)*)((?:[-._]\w+)*)(?:\.\d+)*", re.IGNORECASE)
_CONTENT = re.compile(r"(?:(?:sha|git|commit)-)?[0-9a-f]{7,64}")
_POSTGRES = re.compile(r"(?:^|[^a-z0-9])(?:pg|postgres(?:ql)?)-?(\d+)", re.IGNORECASE)


def full_name(image: str) -> str:
    """An image's name as a container engine completes it: short names are Docker Hub's."""
    first, _, rest = image.partition("/")
    if not rest:
        return f"docker.io/library/{image}"
    return image if set(".:") & set(first) or first == "localhost" else f"docker.io/{image}"


def from_registry(image: str, registries: Iterable[str]) -> bool:
    """Whether an image is of one of the registries, or of a folder of one, by whole segments of its path."""
    return full_name(image).startswith(tuple(f"{registry.rstrip('/')}/" for registry in registries))


def tag(image: str) -> str:
    """The tag of an image; empty if it has none."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def is_fixed(image: str, *, database: bool = False) -> bool:
    """Whether a reference names one content for good: a digest, a patch release or a hash of the content.

    PostgreSQL counts its patch releases with two numbers (`16.4`, and with three before 10), a `database`
    therefore too; everything else with three (`1.8.4`).
    """
    if "@" in image:
        return True
    version = tag(image)
    if _CONTENT.fullmatch(version):
        return True
    release = _RELEASE.fullmatch(version)
    if not release or any(_MOVING.fullmatch(word) for word in re.split(r"[-._]", release[2])):
        return False
    numbers = release[1].split(".")
    return len(numbers) >= (2 if database and int(numbers[0]) >= 10 else 3)


def postgres_major(image: str) -> str | None:
    """PostgreSQL's major version by an image's tag (`16` of `postgres:16.4`); None where the tag is silent."""
    version = tag(image)
    if named := _POSTGRES.search(version):
        return named[1]
    release = _RELEASE.fullmatch(version)
    if not release or _CONTENT.fullmatch(version):
        return None
    numbers = release[1].split(".")
    return numbers[0] if int(numbers[0]) >= 10 else ".".join(numbers[:2])


def names_postgres(image: str) -> bool:
    """Whether an image is PostgreSQL's by its name."""
    return bool(re.search(r"postgres|postgis|pgvector|timescale", image.partition("@")[0].rpartition("/")[2]))
