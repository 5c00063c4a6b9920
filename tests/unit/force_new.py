"""Fields whose change makes the Kubernetes provider replace an object instead of updating it.

Source: pulumi-kubernetes, provider/pkg/provider/diff.go (forceNewProperties).
"""

FORCE_NEW = {
    "Deployment": ["spec.selector"],
    "StatefulSet": [
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ],
    "PersistentVolumeClaim": [
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ],
    "Service": ["spec.clusterIP"],
    "Namespace": [],
    "Ingress": [],
    "ServiceAccount": [],
    "PodDisruptionBudget": [],
    "HorizontalPodAutoscaler": [],
    "NetworkPolicy": [],
    "HTTPRoute": [],
    "CronJob": [],
}
"""Fields by kind; `metadata.name` and `metadata.namespace` force a replacement of every kind."""
EVERY_KIND = ["metadata.name", "metadata.namespace"]


def identity(kind: str, inputs: dict) -> dict:
    """The values of the fields that must never change under an object that is in use."""
    return {path: _at(inputs, path) for path in [*EVERY_KIND, *FORCE_NEW[kind]]}


def _at(value: dict, path: str):
    for key in path.split("."):
        value = value.get(key, {}) if isinstance(value, dict) else {}
    return value
