"""A lab that goes leaves nothing on the machine."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from lab import addons, cgroups, cluster, controlplane, network, node, nodes, pki, process
from lab.images import build
from lab.layout import Lab
from lab.toolchain import Tools

pytestmark = pytest.mark.independent

OTHER = Lab(name="skillflaw-test", bridge="sftst0", number=106, zones=("only",))


def machine() -> dict[str, set[str]]:
    """Things on this machine that a lab makes, and the test lab's processes."""

    def lines(*command: str) -> set[str]:
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())

    return {
        "links": {line.split()[0] for line in lines("ip", "-brief", "link")},
        "routes": lines("ip", "route"),
        "tables": lines("nft", "list", "tables"),
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "cgroups": {str(path) for place in ("", "*/") for path in cgroups.ROOT.glob(f"{place}{OTHER.name}*")},
        "controllers": {
            word for file in cgroups.ROOT.glob(cgroups.HANDED_DOWN.name) for word in file.read_text().split()
        },
        "processes": {part for part in cluster.parts(OTHER) if process.find(OTHER, part)},
    }


def start(tools: Tools) -> None:
    """A cluster of one real node, Ready, with a pod on the host's network."""
    pause = build.binary_image("pause", tools.program("pause").resolve())
    pki.make(OTHER)
    network.up(OTHER)
    controlplane.start(OTHER, tools)
    addons.apply_definitions(OTHER, tools)
    nodes.load(OTHER, [pause], lambda words: None)
    nodes.start(OTHER, tools, pause)
    process.wait_for(lambda: " Ready " in addons.kubectl(OTHER, tools, "get", "nodes"), 90, "the node Ready")
    process.wait_for(
        lambda: "default" in addons.kubectl(OTHER, tools, "get", "serviceaccounts"), 30, "the service account"
    )
    addons.kubectl(OTHER, tools, "run", "pause", f"--image={pause.reference}", "--image-pull-policy=Never")
    addons.kubectl(OTHER, tools, "wait", "pod/pause", "--for=condition=Ready", "--timeout=60s")


@pytest.fixture
def before():
    cluster.down(OTHER)
    yield machine()
    cluster.down(OTHER)
    for each in OTHER.nodes:
        shutil.rmtree(node.images(OTHER, each), ignore_errors=True)


def test_down_leaves_the_machine_as_it_was(tools, before):
    start(tools)
    during = machine()
    assert during["processes"] == set(cluster.parts(OTHER))
    assert OTHER.bridge in during["links"]
    cluster.down(OTHER)
    assert machine() == before
    assert not OTHER.state.exists()


def test_a_lab_whose_parts_were_killed_comes_down_and_up_again(tools, before):
    start(tools)
    for part in ("kube-apiserver", OTHER.nodes[0].name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.find(OTHER, part), signal.SIGKILL)
    assert not cluster.running(OTHER)
    cluster.down(OTHER)
    assert machine() == before
    start(tools)
    cluster.down(OTHER)
    assert machine() == before
