"""Requirements of a machine on which a lab can be built: its size, its rights, its Debian packages."""

import fcntl
import os
import platform
import shutil
from typing import TextIO

from lab import debian
from lab.errors import LabError
from lab.layout import CACHE, Lab

FREE_GIB_COLD = 30
"""Go's build cache, images and their unpacked copies on two nodes took 27 GiB of a clean machine."""
FREE_GIB_WARM = 3

PROGRAMS = {"ip": "iproute2", "unshare": "util-linux"}
NODE_PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "iptables": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "chromium": "chromium",
    # Of the program that playwright drives a browser with; a small Debian lacks it.
    f"/usr/lib/{platform.machine()}-linux-gnu/libatomic.so.1": "libatomic1",
}


_claims: list[TextIO] = []
"""Open files keep their locks."""


def claim(lab: Lab) -> None:
    """Makes this process the only one that changes the lab, until it ends; raises `LabError` if another is at it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    file = (CACHE / f"{lab.name}.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise LabError(f"{lab.name} is being changed by process {file.read()}; wait for it") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    _claims.append(file)


def prepare(lab: Lab) -> None:
    """Installs what is missing; raises `LabError` if this machine cannot hold a lab."""
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and mounts: run it as root")
    CACHE.mkdir(parents=True, exist_ok=True)
    needed = FREE_GIB_WARM if (CACHE / "toolchains").exists() else FREE_GIB_COLD
    free = shutil.disk_usage(CACHE).free / 2**30
    if free < needed:
        raise LabError(
            f"{CACHE} has {free:.1f} GiB free and the lab needs {needed}: free some, or mount a disk there"
        )
    debian.ensure(PROGRAMS | ({} if lab.simulated else NODE_PROGRAMS))
