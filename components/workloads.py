"""How pods are placed, replaced and found."""

import pulumi
import pulumi_kubernetes as k8s

from components import labels, pods
from components.component import Component
from components.references import Image

HOST = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"

ONE_BY_ONE = k8s.apps.v1.DeploymentStrategyArgs(
    type="RollingUpdate",
    rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(max_unavailable=0, max_surge=1),
)
"""A pod leaves only after its successor is ready."""

RECREATE = k8s.apps.v1.DeploymentStrategyArgs(type="Recreate")
"""The old pod leaves first: a ReadWriteOnce volume cannot follow a pod that is still there."""


def pods_of(part: str) -> k8s.meta.v1.LabelSelectorArgs:
    """Selects the pods of a part."""
    return k8s.meta.v1.LabelSelectorArgs(match_labels=labels.selector(part))


def spread(part: str) -> list[k8s.core.v1.TopologySpreadConstraintArgs]:
    """Pods of a part on different hosts and zones where there are any.

    Never required: with every host taken, the surge pod of a rollout would wait for ever.
    """
    return [
        k8s.core.v1.TopologySpreadConstraintArgs(
            topology_key=key,
            max_skew=1,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=pods_of(part),
            # Counts the pods of one revision only: those about to leave do not repel new ones.
            match_label_keys=["pod-template-hash"],
        )
        for key in (HOST, ZONE)
    ]


def apart(part: str) -> k8s.core.v1.AffinityArgs:
    """Prefers a host without a pod of the same part."""
    return k8s.core.v1.AffinityArgs(
        pod_anti_affinity=k8s.core.v1.PodAntiAffinityArgs(
            preferred_during_scheduling_ignored_during_execution=[_host_of(part)]
        )
    )


def near(part: str) -> k8s.core.v1.AffinityArgs:
    """Prefers the host of a part's pod: a ReadWriteOnce volume can be mounted twice there, and only there."""
    return k8s.core.v1.AffinityArgs(
        pod_affinity=k8s.core.v1.PodAffinityArgs(
            preferred_during_scheduling_ignored_during_execution=[_host_of(part)]
        )
    )


def _host_of(part: str) -> k8s.core.v1.WeightedPodAffinityTermArgs:
    return k8s.core.v1.WeightedPodAffinityTermArgs(
        weight=100,
        pod_affinity_term=k8s.core.v1.PodAffinityTermArgs(topology_key=HOST, label_selector=pods_of(part)),
    )


def service(
    owner: Component,
    logical_name: str,
    part: str,
    namespace: pulumi.Input[str],
    *,
    name: str,
    port_name: str,
    port: int,
    headless: bool = False,
) -> k8s.core.v1.Service:
    """The fixed name under which a part's ready pods are reached inside the cluster."""
    return k8s.core.v1.Service(
        logical_name,
        metadata=labels.metadata(part, namespace, name=name, annotations=labels.SKIP_AWAIT),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="ClusterIP",
            cluster_ip="None" if headless else None,
            selector=labels.selector(part),
            ports=[k8s.core.v1.ServicePortArgs(name=port_name, port=port, target_port=port_name)],
        ),
        opts=owner.child(),
    )


def disruption_budget(
    owner: Component, logical_name: str, part: str, namespace: pulumi.Input[str]
) -> k8s.policy.v1.PodDisruptionBudget:
    """Lets a drain take one pod at a time, and never blocks on a pod that is broken anyway."""
    return k8s.policy.v1.PodDisruptionBudget(
        logical_name,
        metadata=labels.metadata(part, namespace, name=f"skillflaw-{part}"),
        spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            unhealthy_pod_eviction_policy="AlwaysAllow",
            selector=pods_of(part),
        ),
        opts=owner.child(),
    )


def claim(
    owner: Component,
    logical_name: str,
    part: str,
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
        metadata=labels.metadata(part, namespace, name=name, annotations=labels.SKIP_AWAIT),
        spec=k8s.core.v1.PersistentVolumeClaimSpecArgs(
            access_modes=[access_mode],
            storage_class_name=class_name,
            resources=k8s.core.v1.VolumeResourceRequirementsArgs(requests={"storage": size}),
        ),
        opts=owner.child(protect=protect, retain_on_delete=protect),
    )


def once(
    part: str,
    identity: pods.Identity,
    account: k8s.core.v1.ServiceAccount,
    image: Image,
    *,
    retries: int,
    seconds: int,
    shared_volume: bool,
    **spec: object,
) -> k8s.batch.v1.JobSpecArgs:
    """A pod that mounts the backend's data, runs to its end, and counts as failed after so many seconds.

    A pod that a drain or an eviction took is started again, whatever `retries` says. Where two nodes cannot mount the
    data at once, it prefers the backend's node: during an update the old backend still holds the volume.
    """
    return k8s.batch.v1.JobSpecArgs(
        backoff_limit=retries,
        active_deadline_seconds=seconds,
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
        template=pods.template(
            part,
            identity,
            account,
            image,
            restart_policy="Never",
            affinity=None if shared_volume else near("backend"),
            **spec,
        ),
    )
