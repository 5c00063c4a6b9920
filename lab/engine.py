"""The Pulumi engine of a lab, and the stack it keeps running: `pulumi up` as anyone would call it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lab import process
from lab.errors import LabError
from lab.layout import PROJECT, Lab
from lab.toolchain import Tools, installed

STACK = "lab"
"""Name of the stack; its file is Pulumi.lab.yaml."""
PASSPHRASE = "lab"  # noqa: S105  no secret is kept by it
"""Passphrase of a cluster that anyone on the machine may throw away."""


def environment(lab: Lab, tools: Tools) -> dict[str, str]:
    """Environment of a process whose `pulumi` and `kubectl` mean this lab, and end with it."""
    variables = {
        "PATH": f"{tools.folder}:{os.environ['PATH']}",
        "KUBECONFIG": str(lab.kubeconfig),
        # Without the sidecar of each file: an engine killed while it writes one leaves the stack unreadable.
        "PULUMI_BACKEND_URL": f"file://{backend(lab)}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # Programs that end after seconds have no use for memory given back; it took a tenth of their time.
        "GOGC": "400",
        # Providers and language hosts outlive an engine that is killed, not the lab.
        process.MARK: process.mark(lab, "pulumi"),
    }
    if not installed.pulumi():
        # The machine's own Pulumi keeps its home, where its providers are.
        variables["PULUMI_HOME"] = str(lab.state / "pulumi-home")
        variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    return variables


def backend(lab: Lab) -> Path:
    """The folder in which Pulumi keeps the lab's state."""
    return lab.state / "pulumi"


def up(lab: Lab, tools: Tools, report: Callable[[str], None]) -> dict[str, int]:
    """Brings the stack to what its file says; returns how many resources were created, updated, kept and so on.

    What a killed run left (a lock, half-made objects) is cleared first. Raises `LabError` with the end of the output.
    """
    log = process.log_of(lab, "pulumi-up")
    log.parent.mkdir(parents=True, exist_ok=True)
    backend(lab).mkdir(parents=True, exist_ok=True)
    stacks = json.loads(_pulumi(lab, tools, "stack", "ls", "--json"))
    if STACK not in {stack["name"] for stack in stacks}:
        _pulumi(lab, tools, "stack", "init", STACK, "--no-select", "--secrets-provider=passphrase")
    if _interrupted(lab):
        report("clearing what an interrupted run left")
        _run(lab, tools, sys.executable, "-m", "operations", "recover", f"--stack={STACK}")
    command = ["pulumi", "up", "--yes", "--skip-preview"]
    with log.open("w") as output:
        running = subprocess.Popen(
            [*command, f"--stack={STACK}", "--non-interactive", "--color=never", "--suppress-outputs"],
            cwd=PROJECT,
            env=os.environ | environment(lab, tools),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for line in running.stdout:
            output.write(line)
            output.flush()
            if line.strip():
                report(line.strip())
    if running.wait():
        raise LabError(f"`pulumi up --stack={STACK}` failed", log)
    [latest, *_] = json.loads(_pulumi(lab, tools, "stack", "history", "--json", f"--stack={STACK}"))
    return latest["resourceChanges"]


def _interrupted(lab: Lab) -> bool:
    """Whether a lock is there whose holder is not."""
    for file in (backend(lab) / ".pulumi" / "locks").rglob("*.json"):
        if not Path("/proc", str(json.loads(file.read_text())["pid"])).exists():
            return True
    return False


def _pulumi(lab: Lab, tools: Tools, *words: str) -> str:
    return _run(lab, tools, "pulumi", *words, "--non-interactive")


def _run(lab: Lab, tools: Tools, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=os.environ | environment(lab, tools),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
