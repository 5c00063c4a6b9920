"""The bridge that joins a lab's hosts, and this machine's routes to pods and Services."""

import json
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.layout import Lab, Node


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"`ip {' '.join(words)}` failed: {done.stderr.strip()}")
    return done.stdout


def _links() -> set[str]:
    """Names, from the kernel itself: `down` must work on a machine where nothing was installed yet."""
    return {link.name for link in Path("/sys/class/net").iterdir()}


def _delete(link: str) -> None:
    """Removes the link, which may be on its way out by itself."""
    done = subprocess.run(["ip", "link", "delete", link], capture_output=True, text=True, check=False)
    if done.returncode and link in _links():
        raise LabError(f"{link} cannot be removed: {done.stderr.strip()}")


def check_free(lab: Lab) -> None:
    """Raises `LabError` if another link of this machine uses the lab's addresses."""
    for link in json.loads(_ip("-json", "address", "show")):
        for address in link["addr_info"]:
            if link["ifname"] != lab.bridge and address.get("local", "").startswith(f"10.{lab.number}.0."):
                raise LabError(
                    f"the lab's network 10.{lab.number}.0.0/24 is in use: {link['ifname']} has {address['local']}; "
                    "free it, or give the lab another number in lab/layout.py"
                )


def up(lab: Lab) -> None:
    """Makes the bridge, this machine's address on it, and the routes."""
    if lab.bridge not in _links():
        _ip("link", "add", lab.bridge, "type", "bridge")
    _ip("address", "replace", f"{lab.machine}/24", "dev", lab.bridge)
    _ip("link", "set", lab.bridge, "up")
    if not lab.simulated:
        for node in lab.nodes:
            _ip("route", "replace", node.pods, "via", node.address)
        _ip("route", "replace", lab.services, "via", lab.nodes[0].address)


def plug(lab: Lab, node: Node, pid: int) -> None:
    """Gives the network namespace of `pid` an `eth0` whose other end is in the bridge; it goes when the namespace goes."""
    port = f"{lab.bridge}-{node.name[-1]}"
    _delete(port)  # the kernel may not yet have removed that of a node which just ended
    _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    _ip("link", "set", port, "master", lab.bridge, "up")


def down(lab: Lab) -> None:
    """Removes the bridge and its ports, and with them the routes.

    A port should go with its node's namespace, but the kernel may keep that for minutes after its last process.
    """
    for link in sorted(_links()):
        if link == lab.bridge or link.startswith(f"{lab.bridge}-"):
            _delete(link)
