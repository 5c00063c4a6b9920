"""How pods are placed, replaced and found."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Unpack

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names, pods
from .component import Component

HOST = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"

ONE_BY_ONE = k8s.apps.v1.DeploymentStrategyArgs(
    type="RollingUpdate",
    rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(max_unavailable=0, max_surge=1),
)
"""A pod leaves only after its successor is ready."""

RECREATE = k8s.apps.v1.DeploymentStrategyArgs(type="Recreate")
"""The old pod leaves first: a ReadWriteOnce volume cannot follow a pod that is still there."""


def pods_of(component: str) -> k8s.meta.v1.LabelSelectorArgs:
    """Selects the pods of a component."""
    return k8s.meta.v1.LabelSelectorArgs(match_labels=labels.selector(component))


def spread(component: str) -> list[k8s.core.v1.TopologySpreadConstraintArgs]:
    """Pods of a component on different nodes and zones where there are any.

    Never required: with every node taken, the surge pod of a rollout would wait for ever. No anti-affinity next to it: that
    counts the pods of every revision, and after a drain would keep new ones off the node that the old ones are on.
    """
    return [
        k8s.core.v1.TopologySpreadConstraintArgs(
            topology_key=key,
            max_skew=1,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=pods_of(component),
            # Counts the pods of one revision only: those about to leave do not repel new ones.
            match_label_keys=["pod-template-hash"],
        )
        for key in (HOST, ZONE)
    ]


def prefer_same_node_as(component: str) -> k8s.core.v1.AffinityArgs:
    """Prefers the node of the component's pod: a ReadWriteOnce volume can be mounted twice there, and only there."""
    return k8s.core.v1.AffinityArgs(
        pod_affinity=k8s.core.v1.PodAffinityArgs(
            preferred_during_scheduling_ignored_during_execution=[
                k8s.core.v1.WeightedPodAffinityTermArgs(
                    weight=100,
                    pod_affinity_term=k8s.core.v1.PodAffinityTermArgs(
                        topology_key=HOST, label_selector=pods_of(component)
                    ),
                )
            ]
        )
    )


def service(
    owner: Component,
    logical_name: str,
    component: str,
    namespace: pulumi.Input[str],
    *,
    name: str,
    port_name: str,
    port: int,
    headless: bool = False,
    annotations: Mapping[str, str] = MappingProxyType({}),
) -> k8s.core.v1.Service:
    """The fixed name under which a component's ready pods are reached inside the cluster, by each family it has."""
    return k8s.core.v1.Service(
        logical_name,
        metadata=labels.metadata(
            component, namespace, name=name, annotations={**labels.SKIP_AWAIT, **annotations}
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="ClusterIP",
            ip_family_policy="PreferDualStack",
            cluster_ip="None" if headless else None,
            selector=labels.selector(component),
            ports=[k8s.core.v1.ServicePortArgs(name=port_name, port=port, target_port=port_name)],
        ),
        opts=owner.child(),
    )


def disruption_budget(
    owner: Component, logical_name: str, component: str, namespace: pulumi.Input[str]
) -> k8s.policy.v1.PodDisruptionBudget:
    """Lets a drain take one pod at a time, and never blocks on a pod that is broken anyway."""
    return k8s.policy.v1.PodDisruptionBudget(
        logical_name,
        metadata=labels.metadata(component, namespace, name=names.prefixed(component)),
        spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            unhealthy_pod_eviction_policy="AlwaysAllow",
            selector=pods_of(component),
        ),
        opts=owner.child(),
    )


def claim(
    owner: Component,
    logical_name: str,
    component: str,
    namespace: pulumi.Input[str],
    *,
    name: str,
    size: str,
    class_name: str | None,
    access_mode: str = "ReadWriteOnce",
    protect: bool,
) -> k8s.core.v1.PersistentVolumeClaim:
    """A volume under a fixed name; a protected one outlives even the stack."""
    return k8s.core.v1.PersistentVolumeClaim(
        logical_name,
        metadata=labels.metadata(component, namespace, name=name, annotations=labels.SKIP_AWAIT),
        spec=k8s.core.v1.PersistentVolumeClaimSpecArgs(
            access_modes=[access_mode],
            storage_class_name=class_name,
            resources=k8s.core.v1.VolumeResourceRequirementsArgs(requests={"storage": size}),
        ),
        opts=owner.child(protect=protect, retain_on_delete=protect),
    )


def timeouts(seconds: int, *, pods: int = 1, grace: int | None = None) -> pulumi.CustomTimeouts:
    """How long Pulumi waits: a minute longer than Kubernetes does, whose reason then stands in the message.

    `seconds` is the deadline of one pod; an update replaces `pods` of them one after the other. A deletion that waits
    for them takes their `grace`, in seconds.
    """
    return pulumi.CustomTimeouts(
        create=f"{seconds + 60}s",
        update=f"{pods * seconds + 60}s",
        delete=f"{grace + 60}s" if grace else None,
    )


def job_spec(
    component: str,
    workload: pods.Workload,
    account: k8s.core.v1.ServiceAccount,
    *,
    backoff_limit: int,
    deadline_seconds: int,
    shared: bool,
    annotations: Mapping[str, pulumi.Input[str]] | None = None,
    **spec: Unpack[pods.PodSpec],
) -> k8s.batch.v1.JobSpecArgs:
    """A pod that mounts the backend's data, runs to its end, and counts as failed after the deadline.

    A pod that a drain or an eviction took is started again, whatever `backoff_limit` says. Unless the data is `shared`
    between nodes, the pod prefers the backend's: during an update the old backend still holds the volume.
    """
    spec["restart_policy"] = "Never"
    spec["affinity"] = None if shared else prefer_same_node_as(names.BACKEND)
    return k8s.batch.v1.JobSpecArgs(
        backoff_limit=backoff_limit,
        active_deadline_seconds=deadline_seconds,
        pod_failure_policy=k8s.batch.v1.PodFailurePolicyArgs(
            rules=[
                k8s.batch.v1.PodFailurePolicyRuleArgs(
                    action="Ignore",
                    on_pod_conditions=[
                        k8s.batch.v1.PodFailurePolicyOnPodConditionsPatternArgs(
                            type="DisruptionTarget", status="True"
                        )
                    ],
                )
            ]
        ),
        template=pods.template(component, workload, account, annotations=annotations, **spec),
    )
