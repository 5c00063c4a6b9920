"""The application: Deployment and Service, as the guide names them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names, pods, workloads
from .component import Component
from .edge import Target
from .runtime import STARTUP_SECONDS, Runtime

COMPONENT = names.BACKEND
MIN_READY_SECONDS = 5
ROTATIONS = "skillflaw.com/key-rotations"


@dataclass(frozen=True, kw_only=True)
class Autoscaling:
    """A number of replicas that follows CPU use."""

    min_replicas: int
    """Fewest pods."""
    max_replicas: int
    """Most pods."""
    cpu_percent: int = 80
    """Target CPU use, in percent of the request."""


@dataclass(frozen=True, kw_only=True)
class BackendArgs:
    """How many replicas serve, and how each one leaves."""

    runtime: Runtime
    """What each replica runs and on which data."""
    bootstrap: pulumi.Resource
    """What must have ended before a replica starts."""
    scale: int | Autoscaling = 2
    """A fixed number of replicas, or a range."""
    pre_stop_seconds: int = 15
    """How long a leaving pod still accepts requests, in seconds."""
    key_rotations: int = 0
    """How often the secret key was rotated. Another number stops every replica before the first one starts again."""
    account_annotations: Mapping[str, str] = field(default_factory=dict)
    """Annotations of the ServiceAccount, by which a cloud knows the replicas."""
    service_annotations: Mapping[str, str] = field(default_factory=dict)
    """Extra annotations of the Service."""


class Backend(Component):
    """Replicas of the backend that are replaced one by one, without a failed request."""

    target = Target(component=COMPONENT, port=names.BACKEND_PORT)

    def __init__(self, name: str, args: BackendArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Backend", name, None, opts)
        scale, runtime, workload = args.scale, args.runtime, args.runtime.workload
        most = scale.max_replicas if isinstance(scale, Autoscaling) else scale
        account = self.service_account(
            name, workload.namespace, COMPONENT, annotations=args.account_annotations
        )
        # preStop counts inside the grace; 15 s are the application's own shutdown.
        self.grace = grace = args.pre_stop_seconds + runtime.longest_flow_seconds + 15
        progress = workload.image.pull_deadline_seconds + STARTUP_SECONDS + MIN_READY_SECONDS
        if not runtime.storage.shared:
            # Under Recreate nothing progresses while the old pod finishes its flows.
            progress += grace
        self.deployment = k8s.apps.v1.Deployment(
            name,
            metadata=labels.metadata(
                COMPONENT,
                workload.namespace,
                name=self.target.service,
                # kube-controller-manager still owns `replicas` of a Deployment that was autoscaled before,
                # and an update that takes it back would end in a conflict.
                annotations={
                    **({} if isinstance(scale, Autoscaling) else {"pulumi.com/patchForce": "true"}),
                    **({ROTATIONS: str(args.key_rotations)} if args.key_rotations else {}),
                },
            ),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                # Left out, the autoscaler alone owns the number.
                replicas=None if isinstance(scale, Autoscaling) else scale,
                strategy=workloads.ONE_BY_ONE if runtime.storage.shared else workloads.RECREATE,
                min_ready_seconds=MIN_READY_SECONDS,
                progress_deadline_seconds=progress,
                revision_history_limit=3,
                selector=workloads.pods_of(COMPONENT),
                template=pods.template(
                    COMPONENT,
                    workload,
                    account,
                    annotations=runtime.annotations,
                    stateless=True,
                    termination_grace_period_seconds=grace,
                    topology_spread_constraints=workloads.spread(COMPONENT),
                    init_containers=[
                        runtime.guard,
                        *([runtime.reencryption("exchange")] if runtime.rotates else []),
                    ],
                    containers=[_server(args)],
                    volumes=runtime.volumes,
                ),
            ),
            opts=self.child(
                depends_on=[args.bootstrap],
                # Taken out of a live Deployment's spec, the number would fall to 1 until the autoscaler acts.
                ignore_changes=["spec.replicas"] if isinstance(scale, Autoscaling) else [],
                # Old replicas encrypt with the old key for as long as they live.
                replace_on_changes=[f'metadata.annotations["{ROTATIONS}"]'],
                delete_before_replace=True,
                # One pod after the other, each within the progress deadline that Kubernetes itself enforces.
                custom_timeouts=workloads.timeouts(progress, pods=most, grace=grace),
            ),
        )
        workloads.service(
            self,
            f"{name}-service",
            COMPONENT,
            workload.namespace,
            name=self.target.service,
            port_name="http",
            port=self.target.port,
            annotations=args.service_annotations,
        )
        if most > 1:
            workloads.disruption_budget(self, f"{name}-budget", COMPONENT, workload.namespace)
        if isinstance(scale, Autoscaling):
            self._autoscaler(name, workload.namespace, scale)
        self.register_outputs({"service": self.target.service, "port": self.target.port})

    def _autoscaler(self, name: str, namespace: pulumi.Input[str], scale: Autoscaling) -> None:
        k8s.autoscaling.v2.HorizontalPodAutoscaler(
            f"{name}-autoscaler",
            metadata=labels.metadata(COMPONENT, namespace, name=self.target.service),
            spec=k8s.autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=k8s.autoscaling.v2.CrossVersionObjectReferenceArgs(
                    api_version="apps/v1", kind="Deployment", name=self.target.service
                ),
                min_replicas=scale.min_replicas,
                max_replicas=scale.max_replicas,
                metrics=[
                    k8s.autoscaling.v2.MetricSpecArgs(
                        type="Resource",
                        resource=k8s.autoscaling.v2.ResourceMetricSourceArgs(
                            name="cpu",
                            target=k8s.autoscaling.v2.MetricTargetArgs(
                                type="Utilization", average_utilization=scale.cpu_percent
                            ),
                        ),
                    )
                ],
                behavior=k8s.autoscaling.v2.HorizontalPodAutoscalerBehaviorArgs(
                    # One pod a minute at most: a leaving pod finishes its flows first.
                    scale_down=k8s.autoscaling.v2.HPAScalingRulesArgs(
                        stabilization_window_seconds=300,
                        policies=[
                            k8s.autoscaling.v2.HPAScalingPolicyArgs(type="Pods", value=1, period_seconds=60)
                        ],
                    )
                ),
            ),
            opts=self.child(),
        )


def _server(args: BackendArgs) -> k8s.core.v1.ContainerArgs:
    probes = args.runtime.probes
    return args.runtime.container(
        COMPONENT,
        # 90 s of tolerance: longer than a database is away whose primary's node has died (decision 0043).
        readiness_probe=pods.http(
            probes.readiness, "http", period_seconds=10, failure_threshold=9, timeout_seconds=5
        ),
        # Never asks state: a restart cures no database, and all replicas at once is an outage.
        liveness_probe=pods.http(
            probes.liveness, "http", period_seconds=15, failure_threshold=6, timeout_seconds=5
        ),
        lifecycle=pods.pre_stop_sleep(args.pre_stop_seconds),
    )
