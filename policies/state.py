"""Policies about what outlives its pods."""

from collections.abc import Iterator

from policies.policy import policy
from policies.resources import RUNNING, Resource, Stack, mapping, mappings, strings


@policy(
    why="A second pod on another node waits for ever for a volume that can be attached to one node only.",
    remedy="Use a ReadWriteMany claim (`storage.accessMode`), or one replica.",
    whole=True,
)
def shared_claim(resource: Resource, stack: Stack) -> Iterator[str]:
    """Pods of a workload with several replicas mount no claim that one node alone may mount."""
    if resource.kind not in ("Deployment", "ReplicaSet", "StatefulSet") or _most(resource, stack) < 2:
        return
    alone = [
        claim.at("metadata", "name")
        for claim in stack.resources
        if claim.kind == "PersistentVolumeClaim"
        and not {"ReadWriteMany", "ReadOnlyMany"} & set(strings(claim.at("spec", "accessModes")))
    ]
    for volume in mappings(resource.pod.get("volumes")):
        claim = mapping(volume.get("persistentVolumeClaim")).get("claimName")
        if claim and claim in alone:
            yield f"up to {_most(resource, stack):g} replicas mount {claim}, which one node alone may mount"


def _most(resource: Resource, stack: Stack) -> float:
    """The most replicas a workload can have: its own number, or its autoscaler's."""
    scaled = [
        scaler.at("spec", "maxReplicas")
        for scaler in stack.resources
        if scaler.kind == "HorizontalPodAutoscaler"
        and scaler.at("spec", "scaleTargetRef", "kind") == resource.kind
        and scaler.at("spec", "scaleTargetRef", "name") == resource.at("metadata", "name")
    ]
    numbers = [
        number for number in (resource.at("spec", "replicas"), *scaled) if isinstance(number, int | float)
    ]
    return max(numbers, default=1)


_STATEFUL = ("Namespace", "PersistentVolumeClaim", "StatefulSet", "Cluster")
_RENEWED = (
    "skillflaw:app:InClusterCache",
    "skillflaw:app:OperatedDatabase",
    "skillflaw:app:VersionedPassword",
)
"""Components that take a password made again for the one that counts, so it locks nothing up."""


@policy(
    why="One `pulumi destroy` or one replacement deletes what nobody can make again, or locks up what is left.",
    remedy="Set `protection.enabled: true`; a throw-away environment only hears of it.",
)
def protected_state(resource: Resource, stack: Stack) -> Iterator[str]:
    """What holds state or unlocks it (claims, StatefulSets, Clusters, the namespace, keys and passwords) is protected."""
    generated = resource.group == "random" and resource.parent not in _RENEWED
    if (resource.kind in _STATEFUL or generated) and not resource.protect:
        yield "it holds state and is not protected"


@policy(
    why="Selectors are immutable: another pair replaces the workload, and two workloads that share one take each "
    "other's requests.",
    remedy="Select by `app.kubernetes.io/name` and `app.kubernetes.io/component` alone, as `components/labels.py` does.",
)
def frozen_selector(resource: Resource, stack: Stack) -> Iterator[str]:
    """Services, workloads and disruption budgets select by the frozen pair of labels and nothing else."""
    if resource.kind not in ("Service", "PodDisruptionBudget", *RUNNING):
        return
    selector = mapping(resource.at("spec", "selector"))
    labels = selector if resource.kind == "Service" else mapping(selector.get("matchLabels"))
    name, component = "app.kubernetes.io/name", "app.kubernetes.io/component"
    if labels != {name: "skillflaw", component: labels.get(component)} or "matchExpressions" in selector:
        yield f"it selects by {', '.join(sorted(labels)) or 'nothing'}"
