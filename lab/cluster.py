"""A lab from nothing to ready, and back to nothing."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import addons, cgroups, controlplane, kubeconfig, machine, network, nodes, pki, process, toolchain
from lab.images import build, folders
from lab.images.build import Image
from lab.layout import CACHE, Lab
from lab.progress import Progress, Report
from lab.toolchain import Tools

HOST_PROGRAMS = ("etcd", "kube-apiserver", "kube-router", "kwok")
CLUSTER_PROGRAMS = ("pause", "coredns", "metrics-server", "local-path-provisioner", "traefik", "cert-manager")
"""Programs of the toolchain that run as pods, each in an image of its own."""


def running(lab: Lab) -> bool:
    """Whether the lab was once ready and every part of it still runs."""
    return _made_of(lab).exists() and all(process.find(lab, name) is not None for name in parts(lab))


def steps(lab: Lab) -> int:
    """Number of steps of `up`."""
    return 2 if lab.simulated else 3


def build_parts(lab: Lab, progress: Progress) -> tuple[Tools, dict[str, Image]]:
    """Toolchain and images; from the cache where it has them. A simulated lab needs no image."""
    with progress.step("toolchain and images" if not lab.simulated else "toolchain") as report:
        machine.prepare(lab)
        with ThreadPoolExecutor() as pool:
            # Images mostly wait for downloads and unpacking, the toolchain for the processor.
            own = [] if lab.simulated else [pool.submit(_images, _prefixed(report, "images"))]
            tools = toolchain.prepare(_prefixed(report, "toolchain"))
            images = {name: image for done in own for name, image in done.result().items()}
        if not lab.simulated:
            for name in CLUSTER_PROGRAMS:
                images[name] = build.binary_image(name, tools.program(name).resolve(), report)
    return tools, images


def up(lab: Lab, tools: Tools, images: dict[str, Image], progress: Progress) -> None:
    """Starts the lab unless it runs.

    One that runs in part, or is made of other programs and images, is taken down first: it is what a killed
    run or another version of the project left.
    """
    programs = [str(tools.program(name).resolve()) for name in HOST_PROGRAMS]
    wanted = "\n".join(
        [addons.fingerprint(), *programs, *sorted(image.reference for image in images.values())]
    )
    if running(lab) and _made_of(lab).read_text() == wanted:
        progress.skip(steps(lab))
        return
    down(lab)
    network.check_free(lab)
    with progress.step("control plane") as report:
        pki.make(lab)
        network.up(lab)
        controlplane.start(lab, tools)
        report("definitions")
        addons.apply_definitions(lab, tools)
    if lab.simulated:
        with progress.step("simulated nodes"):
            _simulate(lab, tools)
    else:
        _real(lab, tools, images, progress)
    _made_of(lab).write_text(wanted)


def down(lab: Lab) -> None:
    """Ends every process of the lab and removes what it made; the cache stays."""
    process.kill_all(lab)
    for target in left_mounted(lab, Path("/proc/self/mountinfo").read_text()):
        subprocess.run(["umount", "--lazy", target], check=True)
    cgroups.remove(lab)
    network.down(lab)
    shutil.rmtree(lab.state, ignore_errors=True)


@contextlib.contextmanager
def api_server(lab: Lab, tools: Tools) -> Iterator[None]:
    """An API server with nothing behind it, for the block."""
    down(lab)
    network.check_free(lab)
    try:
        pki.make(lab)
        network.up(lab)
        controlplane.start(lab, tools, ("etcd", "kube-apiserver"))
        yield
    finally:
        down(lab)


@contextlib.contextmanager
def unfinished(lab: Lab) -> Iterator[None]:
    """Marks the lab as half-made for the block: a run killed meanwhile leaves one that the next `up` makes again."""
    made_of = _made_of(lab).read_text()
    _made_of(lab).unlink()
    yield
    _made_of(lab).write_text(made_of)


def parts(lab: Lab) -> tuple[str, ...]:
    """Names of the long-running parts of the lab."""
    hosts = ("kwok",) if lab.simulated else tuple(node.name for node in lab.nodes)
    return (*controlplane.NAMES, *hosts)


def _made_of(lab: Lab) -> Path:
    """File with the programs and images that the lab is made of, written when it is ready."""
    return lab.state / "ready"


def _real(lab: Lab, tools: Tools, images: dict[str, Image], progress: Progress) -> None:
    with progress.step("nodes") as report:
        nodes.load(lab, list(images.values()), report)
        nodes.start(lab, tools, images["pause"])
        report("waiting until they are Ready")
        names = [f"node/{node.name}" for node in lab.nodes]
        process.wait_for(
            lambda: all(
                name in addons.kubectl(lab, tools, "get", "nodes", "--output=name").split() for name in names
            ),
            120,
            f"{len(names)} nodes registered",
            process.log_of(lab, f"{lab.nodes[0].name}-kubelet"),
        )
        addons.kubectl(lab, tools, "wait", "--for=condition=Ready", "--timeout=120s", *names)
    with progress.step("DNS, metrics, storage, ingress, certificates") as report:
        addons.apply(lab, tools, images, report)


def _images(report: Report) -> dict[str, Image]:
    return {name: build.build(name, report) for name in folders.names()}


def _prefixed(report: Report, prefix: str) -> Report:
    return lambda words: report(f"{prefix}: {words}")


def _simulate(lab: Lab, tools: Tools) -> None:
    addons.apply_simulation(lab, tools)
    file = kubeconfig.write(lab, "kwok")
    command = [
        tools.program("kwok"), f"--kubeconfig={file}", "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40", f"--config={tools.program('kwok-stages.yaml')}",
    ]  # fmt: skip
    process.start(lab, "kwok", command)
    process.wait_for(
        lambda: addons.kubectl(lab, tools, "get", "nodes").count(" Ready ") == len(lab.nodes),
        60,
        f"{len(lab.nodes)} simulated nodes Ready",
        process.log_of(lab, "kwok"),
    )


def left_mounted(lab: Lab, mountinfo: str) -> list[str]:
    """Mount points that a killed run of the lab left in this machine's view, the innermost first.

    A disk that is mounted below the cache is not the lab's; what is mounted in a folder that the lab made there is.
    """
    made = (lab.state, *CACHE.glob(f"nodes/{lab.name}-*"), *CACHE.glob("images/build-*"))
    mounted = [line.split()[4] for line in mountinfo.splitlines()]
    return [target for target in reversed(mounted) if any(target.startswith(f"{folder}/") for folder in made)]
