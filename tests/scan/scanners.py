"""Findings of scanners in a file of manifests, as rule, kind and name."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab import toolchain
from lab.layout import CACHE
from lab.toolchain.catalogue import KUBERNETES

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
CRITICAL = 1

Finding = tuple[str, str, str]
"""Rule, kind and name of what breaks it."""


def checkov(file: Path) -> Iterator[Finding]:
    """Every failed check."""
    command = [sys.executable, "-m", "checkov.main", "--framework=kubernetes", f"--file={file}"]
    done = subprocess.run(
        [*command, "--output=json", "--compact", "--quiet", "--skip-download", "--soft-fail"],
        env=os.environ | {"PYTHONPATH": str(_checkov())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    for check in report["results"]["failed_checks"]:
        kind, _, name, *_ = check["resource"].split(".")
        yield check["check_id"], kind, name


def kube_score(file: Path) -> Iterator[Finding]:
    """Every critical comment."""
    version = ".".join(KUBERNETES.split(".")[:2])
    done = subprocess.run(
        [_kube_score(), "score", f"--kubernetes-version=v{version}", "--output-format=json", file],
        capture_output=True,
        text=True,
        check=False,
    )
    for scored in json.loads(done.stdout):
        for check in scored["checks"]:
            if check["grade"] == CRITICAL and not check["skipped"]:
                yield check["check"]["id"], scored["type_meta"]["kind"], scored["object_meta"]["name"]


SCANNERS = {"checkov": checkov, "kube-score": kube_score}


def prepare() -> None:
    """Installs what the cache lacks. Not safe to do twice at once."""
    _checkov()
    _kube_score()


def _checkov() -> Path:
    """checkov and what it needs, apart from this environment, whose pins it does not share."""
    key = hashlib.sha256(f"{sys.version} {REQUIREMENTS.read_text()}".encode()).hexdigest()[:12]
    folder = CACHE / "venvs" / f"checkov-{key}"
    if not folder.exists():
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", f"--target={unfinished}"]
        done = subprocess.run(
            [*pip, f"--requirement={REQUIREMENTS}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        unfinished.replace(folder)
    return folder


def _kube_score() -> Path:
    return toolchain.kube_score(lambda words: None)
