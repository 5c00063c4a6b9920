"""The kinds that a stack may declare: each is judged by policies that know it."""

from collections.abc import Iterator

from policies.policy import policy
from policies.resources import Resource, Stack

KINDS: dict[str, frozenset[str]] = {
    "apps": frozenset({"Deployment", "StatefulSet"}),
    "autoscaling": frozenset({"HorizontalPodAutoscaler"}),
    "barmancloud.cnpg.io": frozenset({"ObjectStore"}),
    "batch": frozenset({"CronJob", "Job"}),
    "core": frozenset(
        {"ConfigMap", "Namespace", "PersistentVolumeClaim", "Secret", "Service", "ServiceAccount"}
    ),
    "gateway.networking.k8s.io": frozenset({"HTTPRoute"}),
    "monitoring.coreos.com": frozenset({"PodMonitor", "PrometheusRule"}),
    "networking.k8s.io": frozenset({"Ingress", "NetworkPolicy"}),
    "policy": frozenset({"PodDisruptionBudget"}),
    "postgresql.cnpg.io": frozenset({"Cluster", "ImageCatalog", "ScheduledBackup"}),
    "random": frozenset({"RandomBytes", "RandomPassword"}),
}
"""Kinds that the program declares, by API group or provider; a test compares it with the recorded program."""


@policy(
    why="Roles and bindings give pods rights, routes of other controllers publish, charts and manifests hold anything: "
    "no list of what is dangerous is ever complete.",
    remedy="Use one of these kinds. A component that needs another adds it to `policies/kinds.py`, with its policies.",
)
def known_kind(resource: Resource, stack: Stack) -> Iterator[str]:
    """A resource is of a kind that the program declares; every other kind is refused, RBAC and custom routes included."""
    if resource.kind and resource.kind not in KINDS.get(resource.group, ()):
        allowed = ", ".join(sorted(kind for kinds in KINDS.values() for kind in kinds))
        yield f"{resource.kind} ({resource.group}) is none of {allowed}"
