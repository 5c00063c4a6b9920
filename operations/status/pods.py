"""Workloads, their pods, and the nodes that these are on."""

from datetime import UTC, datetime, timedelta
from typing import Any

from detection.scrub import scrubbed
from operations.review.preview import at
from operations.status.asked import WORKLOADS, Asked, containers, holds, known, time
from operations.status.facts import Node, Pod, Unknown, Workload

ZONE = "topology.kubernetes.io/zone"
STARTING = ("PodInitializing", "ContainerCreating")
START = timedelta(minutes=2)
"""How long a pod may take before its start is trouble."""

Object = dict[str, Any]


def workload(asked: Asked, kind: str, name: str) -> Workload:
    """A workload by its kind and name."""
    each = asked.object(kind, name)
    if each is None:
        return Workload(kind=kind, name=name, images=(), wanted=None, ready=0, rolling=False)
    spec, status = each["spec"], each.get("status") or {}
    if kind == "Cluster":
        ready = status.get("readyInstances") or 0
        return Workload(
            kind=kind,
            name=name,
            images=tuple(filter(None, [status.get("image")])),
            wanted=spec.get("instances", 1),
            ready=ready,
            rolling=False,
        )
    wanted = spec.get("replicas", 1)
    counts = {key: status.get(key) or 0 for key in ("replicas", "updatedReplicas", "unavailableReplicas")}
    rolled = counts == {"replicas": wanted, "updatedReplicas": wanted, "unavailableReplicas": 0}
    seen = status.get("observedGeneration") == each["metadata"].get("generation")
    return Workload(
        kind=kind,
        name=name,
        images=tuple(row["image"] for row in spec["template"]["spec"]["containers"]),
        wanted=wanted,
        ready=status.get("readyReplicas") or 0,
        rolling=not (seen and rolled),
    )


def nodes(asked: Asked) -> tuple[Node, ...]:
    """Every node of the cluster."""
    return tuple(
        Node(
            name=each["metadata"]["name"],
            zone=(each["metadata"].get("labels") or {}).get(ZONE),
            usable=holds(each, "Ready") and not at(each, "spec", "unschedulable"),
        )
        for each in asked.found.items("/api/v1/nodes")
    )


def pods(asked: Asked) -> tuple[Pod, ...]:
    """Pods of the namespace that have not ended."""
    seen = known(nodes, asked)
    zones: dict[str, str | None] = (
        {} if isinstance(seen, Unknown) else {node.name: node.zone for node in seen}
    )
    return tuple(_pod(each, zones, asked.now) for each in asked.living())


def _pod(pod: Object, zones: dict[str, str | None], now: datetime) -> Pod:
    node = at(pod, "spec", "nodeName")
    rows = containers(pod)
    again = [row for row in rows if row.get("restartCount")]
    last: Object = max(again, key=_ended, default={})
    ended = at(last, "lastState", "terminated") or {}
    return Pod(
        name=pod["metadata"]["name"],
        workload=_owner(pod),
        node=node,
        zone=zones.get(node or ""),
        ready=holds(pod, "Ready"),
        trouble=_trouble(pod, now),
        restarts=sum(row["restartCount"] for row in again),
        restarted=_ended(last) if ended else None,
        reason=f"{last['name']} ended: {ended.get('reason', 'unknown')}, exit code {ended.get('exitCode', '?')}"
        if last
        else None,
    )


def _owner(pod: Object) -> str:
    owner = next(iter(pod["metadata"].get("ownerReferences") or ()), {"kind": "", "name": ""})
    if owner["kind"] == "ReplicaSet":
        return str(owner["name"]).rpartition("-")[0]
    return str(owner["name"]) if owner["kind"] in WORKLOADS else ""


def _trouble(pod: Object, now: datetime) -> str | None:
    conditions = {row["type"]: row for row in at(pod, "status", "conditions") or ()}
    scheduled = conditions.get("PodScheduled")
    if scheduled and scheduled["status"] == "False":
        return scrubbed(f"no node takes it: {scheduled.get('message') or scheduled.get('reason')}")
    leaves = pod["metadata"].get("deletionTimestamp")
    if leaves:
        return f"is to be gone since {leaves}" if now - time(leaves) > START else None
    for row in containers(pod):
        waiting = row["state"].get("waiting") or {}
        if waiting.get("reason") not in (None, *STARTING):
            return scrubbed(f"{row['name']}: {waiting['reason']}: {waiting.get('message', '')}"[:300])
    ready = conditions.get("Ready")
    since = (ready or {}).get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
    if not holds(pod, "Ready") and now - time(since) > START and _owner(pod):
        return f"is not ready since {since}"
    return None


def _ended(row: Object) -> datetime:
    when = at(row, "lastState", "terminated", "finishedAt") or at(row, "state", "terminated", "finishedAt")
    return time(when) if when else datetime.min.replace(tzinfo=UTC)
