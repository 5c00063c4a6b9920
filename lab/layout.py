"""Files and addresses of a lab."""

from dataclasses import dataclass
from pathlib import Path

CACHE = Path("/var/cache/skillflaw-lab")
"""Folder of what is built once per machine and content; `down` leaves it."""

PROJECT = Path(__file__).parent.parent

DOMAIN = "skillflaw.test"
"""Every name below it leads to the ingress controller; `test` is reserved for such use (RFC 6761)."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One host of the cluster: its own network, process, mount, hostname and IPC namespaces."""

    name: str
    zone: str
    address: str
    pods: str
    """Range of its pods, in CIDR form."""


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One cluster: the names and addresses that no two labs on a machine share."""

    name: str
    """Kube context, and the name of the folder of its state."""
    bridge: str
    number: int
    """Second byte of its addresses: 10.n is the hosts' network, 10.n+1 the pods', 10.n+2 the Services'."""
    zones: tuple[str, ...]
    """Zones, with one node in each."""
    simulated: bool = False
    """Nodes are objects that kwok keeps ready; no container ever runs."""

    @property
    def state(self) -> Path:
        return Path("/var/lib") / self.name

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def machine(self) -> str:
        """Address of this machine on the lab's bridge; the API server listens there."""
        return f"10.{self.number}.0.1"

    @property
    def loopback(self) -> str:
        """Loopback address of what only this machine may reach."""
        return f"127.{self.number}.0.1"

    @property
    def pods(self) -> str:
        return f"10.{self.number + 1}.0.0/16"

    @property
    def services(self) -> str:
        return f"10.{self.number + 2}.0.0/16"

    def service(self, last: int) -> str:
        """Address number `last` of the Services' range."""
        return f"10.{self.number + 2}.0.{last}"

    @property
    def dns(self) -> str:
        return self.service(10)

    @property
    def ingress(self) -> str:
        """Address of the ingress controller's Service inside the cluster."""
        return self.service(80)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(
            Node(
                name=f"node-{index}",
                zone=zone,
                address=f"10.{self.number}.0.{10 + index}",
                pods=f"10.{self.number + 1}.{index}.0/24",
            )
            for index, zone in enumerate(self.zones, 1)
        )


REAL = Lab(name="skillflaw-lab", bridge="sflab0", number=86, zones=("lab-a", "lab-b"))
API_SERVER = Lab(name="skillflaw-api-server", bridge="sfapi0", number=76, zones=(), simulated=True)
SIMULATED = Lab(
    name="skillflaw-sim", bridge="sfsim0", number=96, zones=("sim-a", "sim-b", "sim-c"), simulated=True
)
