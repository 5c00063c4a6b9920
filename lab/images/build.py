"""From a folder here to an OCI archive in the cache, which `ctr images import` gives to a node.

An image's tag is a hash of what goes into it, so an archive that exists is never built again, a fresh clone on the same
machine builds nothing, and a stack file that names a tag names exactly one content.
"""

import fcntl
import hashlib
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lab.images import machine
from lab.images.command import ImageError, Report, run

HERE = Path(__file__).parent
CACHE = Path("/var/cache/skillflaw-lab/images")
REPOSITORY = "skillflaw.lab"

SCRATCH = 'FROM scratch\nCOPY binary "/{name}"\nENTRYPOINT ["/{name}"]\n'


class Image(NamedTuple):
    """What a pod calls it (`skillflaw.lab/redis:0123456789ab`), and the OCI archive that holds it under that name."""

    reference: str
    archive: Path


def names() -> tuple[str, ...]:
    """Every image that has a folder here, parents before children."""
    folders = [file.parent.name for file in HERE.glob("*/Containerfile")]
    return tuple(sorted(folders, key=lambda name: (_depth(name), name)))


def tag(name: str) -> str:
    """12 hex digits over the files of the image's folder and the tags of the images it is built from."""
    digest = hashlib.sha256()
    for file in _files(name):
        digest.update(f"{file.relative_to(HERE)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    for parent in _parents(name):
        digest.update(f"{parent}:{tag(parent)}\0".encode())
    return digest.hexdigest()[:12]


def reference(name: str) -> str:
    """The name a pod uses for this content of the image."""
    return f"{REPOSITORY}/{name}:{tag(name)}"


def build(name: str, report: Report = print) -> Image:
    """The image of the folder `name`, built now unless the cache has it; its parents first.

    `report` is called with one line per step. Raises `ImageError` with the end of the output of the step that failed.
    """
    image = Image(reference(name), _archive(name, tag(name)))
    if not image.archive.exists():
        parents = {parent: build(parent, report) for parent in _parents(name)}

        def context(folder: Path) -> None:
            for file in _files(name):
                target = folder / file.relative_to(HERE / name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
            PREPARE.get(name, _nothing)(folder, report)

        _build(name, image, parents, context, report)
    return image


def binary_image(name: str, binary: Path, report: Report = print) -> Image:
    """A static program as an image of nothing else: its entrypoint is `/<name>`, its tag a hash of the program."""
    with binary.open("rb") as content:
        hashed = hashlib.file_digest(content, "sha256").hexdigest()[:12]
    image = Image(f"{REPOSITORY}/{name}:{hashed}", _archive(name, hashed))
    if not image.archive.exists():

        def context(folder: Path) -> None:
            shutil.copy(binary, folder / "binary")
            (folder / "Containerfile").write_text(SCRATCH.format(name=name))

        _build(name, image, {}, context, report)
    return image


def _files(name: str) -> list[Path]:
    found = (file for file in (HERE / name).rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    files = sorted(found)
    if HERE / name / "Containerfile" not in files:
        raise ImageError(f"no image {name!r}; there are {', '.join(names())}")
    return files


def _parents(name: str) -> list[str]:
    """The images named by the arguments before a Containerfile's first FROM: `ARG base`, then `FROM $base`."""
    head, _, _ = (HERE / name / "Containerfile").read_text().partition("\nFROM ")
    return re.findall(r"^ARG (\w+)$", head, re.MULTILINE)


def _depth(name: str) -> int:
    return 1 + max(map(_depth, _parents(name)), default=0)


def _archive(name: str, hashed: str) -> Path:
    return CACHE / f"{name}-{hashed}.tar"


def _build(
    name: str, image: Image, parents: dict[str, Image], context: Callable[[Path], None], report: Report
) -> None:
    """Everything happens in one scratch folder, buildah's storage included: a build that dies leaves only that folder,
    which the next build removes, and an archive appears under its name only when it is whole."""
    report(f"{name}: starting")
    machine.ensure_packages("buildah", "mmdebstrap")
    with _scratch() as scratch:
        folder = scratch / "context"
        folder.mkdir()
        context(folder)
        registries = machine.registries(scratch / "registries")
        buildah = ["buildah", "--storage-driver=overlay", f"--root={scratch}/storage", f"--runroot={scratch}/run"]
        for parent in parents.values():
            run([*buildah, "pull", "--quiet", f"oci-archive:{parent.archive}"], name, report)
        run(
            [
                *buildah, "build", "--isolation=chroot", "--pull-never",
                *(f"--build-arg={parent}={built.reference}" for parent, built in parents.items()),
                # /mnt exists in every image and is empty, so the mount leaves no trace in one
                f"--volume={registries}:/mnt:ro",
                f"--tag={image.reference}", str(folder),
            ],
            name,
            report,
        )  # fmt: skip
        report(f"{name}: writing the archive")
        # zstd: a third of the size at the speed of the disk; gzip would take longer than most builds
        target = f"oci-archive:{scratch}/archive:{image.reference}"
        run([*buildah, "push", "--quiet", "--compression-format=zstd", image.reference, target], name, report)
        (scratch / "archive").rename(image.archive)
    report(f"{name}: {image.archive.stat().st_size / 1e6:.0f} MB")


@contextmanager
def _scratch() -> Iterator[Path]:
    """An empty folder in the cache, for one build at a time on this machine."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in CACHE.glob("build-*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix="build-", dir=CACHE) as scratch:
            # mmdebstrap's apt downloads as an unprivileged user, who must be able to walk in
            Path(scratch).chmod(0o755)
            yield Path(scratch)


def _nothing(folder: Path, report: Report) -> None:
    """Most images need no more than the files of their folder."""


def _debian(folder: Path, report: Report) -> None:
    report("base: installing Debian")
    run(
        [
            "mmdebstrap", "--variant=minbase", f"--dpkgopt={folder}/dpkg.cfg", f"--aptopt={machine.apt_options(folder / 'apt.conf')}",
            "bookworm", f"{folder}/rootfs.tar", *machine.debian_sources(),
        ],
        "base",
        report,
    )  # fmt: skip


def _go(folder: Path, report: Report) -> None:
    run(["env", "CGO_ENABLED=0", "go", "build", "-C", f"{folder}", "-trimpath", "-ldflags=-s -w"], "pause", report)


def _web_ui(folder: Path, report: Report) -> None:
    """The upstream's wheel carries its built web UI: only that is taken from it."""
    report("frontend: fetching the web UI")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    run([*pip, f"--requirement={folder}/requirements.lock", f"--dest={folder}"], "frontend", report)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(folder, [file for file in content.namelist() if file.startswith("langflow/frontend/")])


PREPARE: dict[str, Callable[[Path, Report], None]] = {"base": _debian, "pause": _go, "frontend": _web_ui}
