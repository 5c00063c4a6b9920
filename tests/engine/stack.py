"""One Pulumi stack of the engine ring: a stack file of its own next to a copy of the program, driven by the CLI."""

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

import yaml

from lab.layout import PROJECT, SIMULATED
from tests.stack_files import stack_file

PROGRAM = (
    "Pulumi.yaml",
    "__main__.py",
    "deployment.py",
    "arguments.py",
    "outputs.py",
    "components",
    "settings",
    "detection",
    "policies",
)


def copy_program(folder: Path) -> Path:
    """A copy of the program, so that no test writes a stack file into the checkout."""
    for name in PROGRAM:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    # Once, not in each of hundreds of runs.
    compileall.compile_dir(folder, quiet=1)
    (folder / ".venv").symlink_to((PROJECT / ".venv").resolve())
    return folder


def shipped(name: str) -> dict[str, Any]:
    """The sections of a stack file of the project, on the simulated cluster."""
    return stack_file(name) | {"cluster": {"context": SIMULATED.name}}


class Stack:
    """A stack in the namespace of its name; `sections` is what its file says, to be edited between runs."""

    def __init__(self, program: Path, name: str, environment: dict[str, str]) -> None:
        self.program = program
        self.name = name
        self.environment = environment
        self.sections: dict[str, Any] = shipped("lab") | {"namespace": {"name": name}}

        self.ups = 0

    def __enter__(self) -> Self:
        self.pulumi("stack", "init", self.name, "--no-select", "--secrets-provider=passphrase")
        return self

    def __exit__(self, *raised: object) -> None:
        # Not by `destroy`: it would wait for what a failed test left in the way of a claim.
        self.kubectl("delete", "namespace", self.name, "--ignore-not-found", "--timeout=120s")
        self._release_volumes()
        self.pulumi("stack", "rm", self.name, "--yes", "--force")

    def up(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Brings the stack to what `sections` says."""
        self.ups += 1
        return self.pulumi("up", "--yes", "--skip-preview", "--color=never", *options, check=check)

    def begin_up(self) -> subprocess.Popen[bytes]:
        """An `up` that is under way."""
        self.write()
        return subprocess.Popen(
            ["pulumi", "up", "--yes", "--skip-preview", f"--stack={self.name}", "--non-interactive"],
            cwd=self.program,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def preview(self, sections: dict[str, Any] | None = None) -> dict[str, set[str]]:
        """Steps of an `up`: logical names by operation, components and what stays left out.

        It previews the stack's own `sections`, or those given, in a file of their own: such previews may run side by side.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(self._file(sections or self.sections))
            file.flush()
            shown = self.pulumi("preview", "--json", f"--config-file={file.name}").stdout
        planned: dict[str, set[str]] = {}
        for step in json.loads(shown)["steps"]:
            component = step["urn"].split("::")[2].rpartition("$")[2].startswith("skillflaw:")
            if step["op"] != "same" and not component:
                planned.setdefault(step["op"], set()).add(step["urn"].rpartition("::")[2])
        return planned

    def refusal(self) -> str:
        """Output of a preview that must fail."""
        done = self.pulumi("preview", "--color=never", check=False)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def objects(self, kinds: str) -> set[str]:
        """Names of the objects of these kinds in the stack's namespace, as `kind/name`."""
        listed = self.kubectl("get", kinds, f"--namespace={self.name}", "--output=name")
        return set(listed.split())

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            ["kubectl", *words],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pulumi(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        self.write()
        chosen = () if words[0] == "stack" else (f"--stack={self.name}",)
        done = subprocess.run(
            ["pulumi", *words, *chosen, "--non-interactive"],
            cwd=self.program,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    @property
    def _environment(self) -> dict[str, str]:
        return os.environ | self.environment

    def _release_volumes(self) -> None:
        """Lets the next run have what this one claimed: no provisioner makes new volumes here."""
        for volume in json.loads(self.kubectl("get", "persistentvolumes", "--output=json"))["items"]:
            if volume["spec"].get("claimRef", {}).get("namespace") == self.name:
                name = volume["metadata"]["name"]
                self.kubectl("patch", "persistentvolume", name, "--patch", '{"spec": {"claimRef": null}}')

    def operations(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of an operator on the stack."""
        self.write()
        command, *rest = words
        return subprocess.run(
            [sys.executable, "-m", "operations", command, f"--stack={self.name}", *rest],
            cwd=self.program,
            env=self._environment | {"PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            check=False,
        )

    def forget(self, *outputs: str) -> None:
        """Takes outputs out of the state, as if the stack had come up before they existed."""
        exported = json.loads(self.pulumi("stack", "export", f"--stack={self.name}").stdout)
        [root] = [row for row in exported["deployment"]["resources"] if row["type"] == "pulumi:pulumi:Stack"]
        for output in outputs:
            del root["outputs"][output]
        self.restore(json.dumps(exported))

    def restore(self, state: str) -> None:
        """Puts an exported state in the place of the stack's own."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(state)
            file.flush()
            self.pulumi("stack", "import", f"--file={file.name}", f"--stack={self.name}")

    def encrypted(self, key: str, value: str) -> dict[str, str]:
        """A value as the stack file holds one that was set with `--secret`."""
        self.pulumi("config", "set", "--secret", f"skillflaw:{key}", value)
        file = yaml.safe_load((self.program / f"Pulumi.{self.name}.yaml").read_text())
        return file["config"][f"skillflaw:{key}"]

    def write(self) -> None:
        own = self.program / f"Pulumi.{self.name}.yaml"
        text = self._file(self.sections)
        if not own.exists() or own.read_text() != text:
            own.write_text(text)

    def _file(self, sections: dict[str, Any]) -> str:
        """A stack file with these sections, and with what the engine wrote into this stack's own."""
        own = self.program / f"Pulumi.{self.name}.yaml"
        kept = yaml.safe_load(own.read_text()) if own.exists() else {}
        config = {f"skillflaw:{name}": section for name, section in sections.items()}
        config["pulumi:disable-default-providers"] = ["kubernetes"]
        return yaml.safe_dump((kept or {}) | {"config": config})
