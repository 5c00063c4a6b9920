"""The cgroups below which a lab's nodes run their pods, in either version of the kernel's interface."""

import contextlib
import os
from pathlib import Path

from lab import process
from lab.layout import Lab, Node

ROOT = Path("/sys/fs/cgroup")
HANDED_DOWN = ROOT / "cgroup.subtree_control"
"""Version 2: controllers that the cgroups below have, for whoever writes `+name` or `-name`."""
END_SECONDS = 30


def name(lab: Lab, node: Node) -> str:
    """Path of a node's cgroup."""
    return f"{lab.name}-{node.name}"


def make(lab: Lab) -> None:
    """One cgroup per node, with every controller that there is: the kubelet starts with nothing less."""
    if HANDED_DOWN.exists():
        if missing := _words(ROOT / "cgroup.controllers") - _words(HANDED_DOWN):
            _added(lab).write_text(" ".join(missing))
            _hand_down("+", missing)
        tops = [ROOT]
    else:
        tops = [top for top in ROOT.iterdir() if not top.is_symlink() and (top / "cgroup.procs").exists()]
    for top in tops:
        for node in lab.nodes:
            (top / name(lab, node)).mkdir(exist_ok=True)
            # In version 1 a new cpuset allows nothing until it is set.
            for file in ("cpuset.cpus", "cpuset.mems"):
                if (top / file).exists():
                    (top / name(lab, node) / file).write_text((top / file).read_text())


def remove(lab: Lab) -> None:
    """Removes them with what the nodes' pods leave there, once the last of their processes has gone."""
    for node in lab.nodes:
        clear(lab, node)
    if _added(lab).exists():
        with contextlib.suppress(OSError):  # a user of it remains
            _hand_down("-", _words(_added(lab)))


def clear(lab: Lab, node: Node) -> None:
    """Removes a node's cgroups. A node that starts among those of its own past is Ready a minute later than else."""
    tops = [top / name(lab, node) for top in (ROOT, *ROOT.iterdir())]
    process.wait_for(
        lambda: not any(_remains(top) for top in tops),
        END_SECONDS,
        f"the cgroups of {name(lab, node)} removed",
    )


def _added(lab: Lab) -> Path:
    """The file that says which controllers the machine did not hand down before."""
    return lab.state / "controllers"


def _hand_down(sign: str, controllers: set[str]) -> None:
    HANDED_DOWN.write_text(" ".join(f"{sign}{controller}" for controller in controllers))


def _words(file: Path) -> set[str]:
    return set(file.read_text().split())


def _remains(top: Path) -> bool:
    """Removes the cgroup and those below it; whether a process that is still ending kept one."""
    for folder, _, _ in os.walk(top, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            return True
    return False
