"""Builds of OCI archives from folders here; `ctr images import` gives them to a node.

An image's tag is a hash of what goes into it, so an archive that exists is never built again, a fresh clone
on the same machine builds nothing, and a stack file that names a tag names exactly one content.
"""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lab import debian
from lab.images import folders, machine
from lab.images.command import Report, run
from lab.images.prepare import PREPARE

CACHE = Path("/var/cache/skillflaw-lab/images")

SCRATCH = 'FROM scratch\nCOPY {name} /{name}\nENTRYPOINT ["/{name}"]\n'


class Image(NamedTuple):
    """A name as pods use it, and the OCI archive that holds the image under that name."""

    reference: str
    archive: Path


def build(name: str, report: Report) -> Image:
    """The image of the folder `name`, built now unless the cache has it; its parents first.

    `report` is called with one line per step. Raises `ImageError` with the end of the failed step's output.
    """
    image = _image(name, folders.tag(name))
    if not image.archive.exists():
        parents = {parent: build(parent, report) for parent in folders.parents(name)}

        def fill(context: Path) -> None:
            for file in folders.files(name):
                target = context / file.relative_to(folders.HERE / name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
            if name in PREPARE:
                PREPARE[name](context, report)

        _build(name, image, parents, fill, report)
    return image


def binary_image(name: str, binary: Path, report: Report = print) -> Image:
    """A static program as an image of nothing else: its entrypoint is `/<name>`, its tag a hash of it."""

    def fill(context: Path) -> None:
        shutil.copyfile(binary, context / name)
        (context / name).chmod(0o755)

    return program_image(name, binary, SCRATCH.format(name=name), fill, report)


def program_image(
    name: str, binary: Path, containerfile: str, fill: Callable[[Path], None], report: Report = print
) -> Image:
    """A static program in a folder that `fill` fills; the image's tag is a hash of the program."""
    with binary.open("rb") as content:
        image = _image(name, hashlib.file_digest(content, "sha256").hexdigest()[:12])
    if not image.archive.exists():

        def whole(context: Path) -> None:
            fill(context)
            (context / "Containerfile").write_text(containerfile)

        _build(name, image, {}, whole, report)
    return image


def derived_image(name: str, parent: str, lines: str, report: Report = print) -> Image:
    """A few lines of a Containerfile on top of an image that has a folder here."""
    text = f"ARG {parent}\nFROM ${parent}\n{lines}"
    image = _image(name, hashlib.sha256(f"{folders.tag(parent)}\0{text}".encode()).hexdigest()[:12])
    if not image.archive.exists():

        def fill(context: Path) -> None:
            (context / "Containerfile").write_text(text)

        _build(name, image, {parent: build(parent, report)}, fill, report)
    return image


def _image(name: str, tag: str) -> Image:
    return Image(f"{folders.REPOSITORY}/{name}:{tag}", CACHE / f"{name}-{tag}.tar")


def _build(
    name: str, image: Image, parents: dict[str, Image], fill: Callable[[Path], None], report: Report
) -> None:
    """Builds in one scratch folder, buildah's storage included.

    A build that dies leaves that folder and no more, which the next build removes; an archive appears under
    its name only when it is whole.
    """
    report(f"{name}: starting")
    debian.ensure({"buildah": "buildah", "mmdebstrap": "mmdebstrap"})
    with _scratch() as scratch:
        context = scratch / "context"
        context.mkdir()
        fill(context)

        def buildah(*arguments: str) -> None:
            storage = ("--storage-driver=overlay", f"--root={scratch}/storage", f"--runroot={scratch}/run")
            run(["buildah", *storage, *arguments], name, report)

        for parent in parents.values():
            buildah("pull", "--quiet", f"oci-archive:{parent.archive}")
        buildah(
            "build",
            "--isolation=chroot",
            "--pull-never",
            # /mnt exists in every image and is empty, so this leaves no trace in one
            f"--volume={machine.registries(scratch / 'registries')}:/mnt:ro",
            *_arguments(parents),
            # straight into the archive: by way of buildah's storage every layer would be written twice
            f"--tag=oci-archive:{scratch}/archive:{image.reference}",
            f"{context}",
        )
        (scratch / "archive").rename(image.archive)
    report(f"{name}: built, {image.archive.stat().st_size / 1e6:.0f} MB")


def _arguments(parents: dict[str, Image]) -> Sequence[str]:
    return [f"--build-arg={parent}={built.reference}" for parent, built in parents.items()]


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
