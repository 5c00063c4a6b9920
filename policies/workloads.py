"""Policies about what every container has."""

from collections.abc import Iterator

from policies.policy import policy
from policies.resources import RUNNING, Resource, Stack, mapping, mappings


@policy(
    why="Without them Kubernetes sends requests to a process that is not ready, and never replaces one that hangs.",
    remedy="Give the container a startup, a readiness and a liveness probe; liveness asks no database.",
)
def probes(resource: Resource, stack: Stack) -> Iterator[str]:
    """Every container of a Deployment, StatefulSet or DaemonSet has all three probes."""
    if resource.kind not in RUNNING:
        return
    for container in mappings(resource.pod.get("containers")):
        for probe in ("startup", "readiness", "liveness"):
            if not container.get(f"{probe}Probe"):
                yield f"the container {container.get('name')} has no {probe} probe"


@policy(
    why="A pod without requests is placed on a full node; one without limits takes its neighbours down with it.",
    remedy="Set requests and limits of `cpu`, `memory` and `ephemeral-storage`; stack files have them per workload.",
)
def bounded(resource: Resource, stack: Stack) -> Iterator[str]:
    """Every container, those that only prepare included, has requests and limits of cpu, memory and disk."""
    for container in resource.containers:
        resources = mapping(container.get("resources"))
        for kind in ("requests", "limits"):
            for amount in ("cpu", "memory", "ephemeral-storage"):
                if amount not in mapping(resources.get(kind)):
                    yield f"the container {container.get('name')} has no {amount} in its {kind}"
