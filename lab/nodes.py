"""The hosts of the cluster, from the outside: their images loaded, started, awaited."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from lab import cgroups, network, node, process
from lab.errors import LabError
from lab.images.build import Image
from lab.layout import PROJECT, Lab, Node
from lab.progress import Report
from lab.toolchain import Tools

NAMESPACE = "k8s.io"
"""containerd's namespace of what Kubernetes uses."""
START_SECONDS = 60


def load(lab: Lab, images: list[Image], report: Report) -> None:
    """Gives every node's containerd exactly these images, and takes the containers of an earlier lab from it."""
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(_load, lab, each, images, report) for each in lab.nodes]:
            done.result()


def add(lab: Lab, image: Image, report: Report) -> None:
    """Gives an image to the containerd of every node that runs. Raises `LabError` with what it says."""
    for each in lab.nodes:
        pid = process.find(lab, each.name)
        if pid is not None:
            report(f"{each.name}: importing {image.reference}")
            inside = ["nsenter", f"--target={pid}", "--mount"]
            _ctr(each, node.RUNTIME, "images", "import", image.archive, inside=inside)


def start(lab: Lab, tools: Tools, pause: Image) -> None:
    """Starts the nodes that do not run. Kubernetes sees them ready once the network policy controller runs too."""
    stopped = [each for each in lab.nodes if process.find(lab, each.name) is None]
    for each in stopped:
        cgroups.clear(lab, each)
    cgroups.make(lab)
    for each in stopped:
        namespaces = [
            "unshare",
            "--net",
            "--pid",
            "--mount",
            "--uts",
            "--ipc",
            "--fork",
            "--mount-proc",
            "--kill-child",
        ]
        itself = [
            sys.executable,
            "-m",
            "lab.node",
            json.dumps(asdict(lab)),
            each.name,
            tools.folder,
            pause.reference,
        ]
        pid = process.start(lab, each.name, [*namespaces, *itself], {"PYTHONPATH": str(PROJECT)})
        process.wait_for(
            lambda pid=pid: _network_namespace(pid) not in (None, _network_namespace(os.getpid())),
            START_SECONDS,
            f"{each.name} with a network of its own",
            process.log_of(lab, each.name),
        )
        network.plug(lab, each, pid)


def kill(lab: Lab, each: Node) -> None:
    """Ends a node with everything in it at once, as a power cut does."""
    pid = process.find(lab, each.name)
    if pid is None:
        raise LabError(f"{each.name} does not run")
    os.kill(pid, signal.SIGKILL)


def _network_namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None


def _load(lab: Lab, each: Node, images: list[Image], report: Report) -> None:
    own = node.folder(lab, each)
    own.mkdir(parents=True, exist_ok=True)
    socket = own / "load.sock"
    name = f"{each.name}-load"
    config = own / "load.toml"
    config.write_text(
        f'version = 2\nroot = "{node.images(lab, each)}"\nstate = "{own / "load"}"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{socket}"\n'
    )
    process.start(lab, name, ["unshare", "--mount", "containerd", f"--config={config}", "--log-level=warn"])
    log = process.log_of(lab, name)

    def ctr(*words: str | Path) -> list[str]:
        return _ctr(each, socket, *words, log=log)

    process.wait_for(socket.exists, START_SECONDS, f"{each.name}: containerd's socket", log)
    if containers := ctr("containers", "list", "--quiet"):
        ctr("containers", "rm", *containers)
    present = {line for line in ctr("images", "list", "--quiet") if not line.startswith("sha256:")}
    wanted = {image.reference: image for image in images}
    if outdated := present - set(wanted):
        ctr("images", "rm", *outdated)
    for reference in sorted(set(wanted) - present):
        report(f"{each.name}: importing {reference}")
        ctr("images", "import", wanted[reference].archive)
    process.stop(lab, name)


def _ctr(
    each: Node,
    socket: str | Path,
    *words: str | Path,
    inside: Sequence[str] = (),
    log: Path | None = None,
) -> list[str]:
    """Runs ctr on a node's containerd, `inside` the node's namespaces or not, and returns the words that it prints."""
    command = [*inside, "ctr", f"--address={socket}", f"--namespace={NAMESPACE}", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{each.name}: `ctr {words[0]} {words[1]}` failed: {done.stderr.strip()}", log)
    return done.stdout.split()
