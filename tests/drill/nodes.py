"""Nodes of the lab that die, and are back afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from lab import cluster, nodes
from lab.images import build
from lab.layout import REAL, Node
from lab.toolchain import Tools
from tests.live.namespace import staying


def share(asked: int) -> float:
    """Most of so many requests that one of two replicas has: half, and three deviations of a coin.

    Where each that fails holds its place for 30 s, about 40 are asked in a minute, and 22 of them are no sign of more.
    """
    return asked / 2 + 1.5 * asked**0.5


@contextmanager
def back_afterwards(kubectl, tools: Tools, node: Node) -> Iterator[None]:
    """For a block that kills a node: it is ready again after it.

    The cluster's DNS is on both nodes before, as a cluster's owner keeps it. It drifts to one in drains, and with that one
    dead no name is found for 300 s.
    """
    dns = ("deployment/coredns", "--namespace=kube-system")
    kubectl("rollout", "restart", *dns)
    kubectl("rollout", "status", *dns, "--timeout=120s")
    with cluster.unfinished(REAL):
        try:
            yield
        finally:
            nodes.start(REAL, tools, build.binary_image("pause", tools.program("pause").resolve()))
            kubectl("wait", f"node/{node.name}", "--for=condition=Ready", "--timeout=120s")


def ready_away_from(kubectl, node: str, namespace: str, selector: str) -> int:
    """Number of ready pods on other nodes, those that leave left out."""
    return sum(
        pod["spec"]["nodeName"] != node
        and any(row["type"] == "Ready" and row["status"] == "True" for row in pod["status"]["conditions"])
        for pod in staying(kubectl, namespace, selector)
        if "nodeName" in pod["spec"]
    )
