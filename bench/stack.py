"""Stacks that are measured: each a stack file of its own next to a copy of the program."""

import compileall
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from lab.layout import PROJECT, SIMULATED

DIGEST = f"sha256:{'a' * 64}"


def stack_file(name: str) -> dict[str, Any]:
    """The sections of a stack file of the project on the simulated cluster, with the digests an operator fills in."""
    file = msgspec.yaml.decode((PROJECT / f"Pulumi.{name}.yaml").read_bytes())
    sections = {
        key.removeprefix("skillflaw:"): section
        for key, section in file["config"].items()
        if key.startswith("skillflaw:")
    }
    images = {
        key: f"{image}@{DIGEST}" if str(image).startswith("ghcr.io/") and ":" not in image else image
        for key, image in sections["images"].items()
    }
    return sections | {"images": images, "cluster": {"context": SIMULATED.name}}


def copy_program(folder: Path) -> Path:
    """A copy of the program, so that nothing is written into the checkout."""
    unneeded = shutil.ignore_patterns(".*", "__pycache__", "Pulumi.*.yaml")
    shutil.copytree(PROJECT, folder, ignore=unneeded, dirs_exist_ok=True)
    # Once, not in each of the previews that are timed.
    compileall.compile_dir(folder, quiet=1)
    (folder / ".venv").symlink_to((PROJECT / ".venv").resolve())
    return folder


class Stack:
    """A stack in a namespace of its own name; `sections` is what its file says, to be edited between runs."""

    def __init__(self, program: Path, name: str, environment: Mapping[str, str]) -> None:
        self.program = program
        self.name = name
        self.environment = environment
        self.sections = stack_file("lab") | {"namespace": {"name": name}}
        self._file = program / f"Pulumi.{name}.yaml"

    def __enter__(self) -> Self:
        self.pulumi("stack", "init", self.name, "--no-select", "--secrets-provider=passphrase")
        self.write()
        return self

    def __exit__(self, *raised: object) -> None:
        # Not by `destroy`: it would wait for whatever a failed measurement left in the way of a claim.
        self._run("kubectl", "delete", "namespace", self.name, "--ignore-not-found", "--timeout=120s")
        self._release_volumes()
        self.pulumi("stack", "rm", self.name, "--yes", "--force")

    def up(self) -> None:
        """Brings the stack to what `sections` says."""
        self.write()
        self.pulumi("up", f"--stack={self.name}", "--yes", "--skip-preview")

    def write(self) -> None:
        """Writes the sections to the stack's file, next to what the engine keeps there; JSON is YAML."""
        kept = msgspec.yaml.decode(self._file.read_bytes()) if self._file.exists() else {}
        config = {f"skillflaw:{name}": section for name, section in self.sections.items()}
        config["pulumi:disable-default-providers"] = ["kubernetes"]
        self._file.write_text(json.dumps((kept or {}) | {"config": config}))

    def pulumi(self, *words: str) -> None:
        """Runs the Pulumi CLI in the program's folder; raises `RuntimeError` with what it said when it fails."""
        self._run("pulumi", *words, "--non-interactive")

    def _release_volumes(self) -> None:
        """Lets the next stack have what this one claimed: no provisioner makes new volumes on simulated nodes."""
        for volume in json.loads(self._run("kubectl", "get", "persistentvolumes", "--output=json"))["items"]:
            if volume["spec"].get("claimRef", {}).get("namespace") == self.name:
                name = volume["metadata"]["name"]
                unclaimed = json.dumps({"spec": {"claimRef": None}})
                self._run("kubectl", "patch", "persistentvolume", name, f"--patch={unclaimed}")

    def _run(self, *words: str) -> str:
        return run(self.program, self.environment, *words)


def run(folder: Path, environment: Mapping[str, str], *words: str) -> str:
    """Standard output of a command run in a folder; raises `RuntimeError` with what it said when it fails."""
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout
