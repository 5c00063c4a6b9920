"""Images: which ones a mirror needs. Whether a node can pull one is known when it does."""

from operations.preflight.found import Found
from operations.preflight.problem import Outcome
from operations.preflight.wanted import Wanted
from operations.review.preview import at


def images(wanted: Wanted) -> list[str]:
    """Every image that pods run, those of an operator too, sorted."""
    listed = [row for each in wanted.of("ImageCatalog") for row in each["spec"]["images"]]
    run = [container for pods in wanted.pods for container in pods.containers]
    return sorted({row["image"] for row in (*run, *listed)})


def listed(wanted: Wanted, found: Found) -> Outcome:
    kinds = {
        at(node, "status", "nodeInfo", "architecture") or "unknown" for node in found.items("/api/v1/nodes")
    }
    nodes = f"nodes are {', '.join(sorted(kinds))}" if kinds else "no node yet"
    return Outcome(f"{len(images(wanted))} images, which only a node can try to pull; {nodes}")
