"""The application: Deployment and Service, as the guide names them."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import labels, pods, workloads
from components.bootstrap import STARTUP_SECONDS
from components.component import Component
from components.references import Image
from components.runtime import PORT, Runtime

PART = "backend"
NAME = "skillflaw-backend"
MIN_READY_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Paths the kubelet asks."""

    startup: str
    readiness: str
    liveness: str


@dataclass(frozen=True, kw_only=True)
class Autoscaling:
    """A range that follows CPU use."""

    fewest: int
    most: int
    cpu_percent: int


@dataclass(frozen=True, kw_only=True)
class BackendArgs:
    namespace: pulumi.Input[str]
    image: Image
    identity: pods.Identity
    runtime: Runtime
    scale: int | Autoscaling
    """A fixed number of replicas, or a range."""
    probes: Probes
    pre_stop_seconds: int
    longest_flow_seconds: int
    shared_volume: bool
    """Whether pods on two nodes can mount the data at once."""
    bootstrap: pulumi.Resource


class Backend(Component):
    """Replicas of the backend that are replaced one by one, without a failed request."""

    service_name: str = NAME
    port: int = PORT

    def __init__(self, name: str, args: BackendArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Backend", name, None, opts)
        most = args.scale.most if isinstance(args.scale, Autoscaling) else args.scale
        account = self.service_account(name, args.namespace, PART)
        progress = STARTUP_SECONDS + MIN_READY_SECONDS + 60
        k8s.apps.v1.Deployment(
            name,
            metadata=labels.metadata(
                PART,
                args.namespace,
                name=NAME,
                # kube-controller-manager still owns `replicas` of a Deployment that was autoscaled before,
                # and an update that takes it back would end in a conflict.
                annotations=None
                if isinstance(args.scale, Autoscaling)
                else {"pulumi.com/patchForce": "true"},
            ),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                # Left out, the autoscaler alone owns the number.
                replicas=None if isinstance(args.scale, Autoscaling) else args.scale,
                strategy=workloads.ONE_BY_ONE if args.shared_volume else workloads.RECREATE,
                min_ready_seconds=MIN_READY_SECONDS,
                progress_deadline_seconds=progress,
                revision_history_limit=3,
                selector=workloads.pods_of(PART),
                template=pods.template(
                    PART,
                    args.identity,
                    account,
                    args.image,
                    annotations=args.runtime.annotations,
                    # preStop counts inside the grace; 15 s are the application's own shutdown.
                    termination_grace_period_seconds=args.pre_stop_seconds + args.longest_flow_seconds + 15,
                    topology_spread_constraints=workloads.spread(PART),
                    affinity=workloads.apart(PART),
                    containers=[_server(args)],
                    volumes=args.runtime.volumes,
                ),
            ),
            opts=self.child(
                depends_on=[args.bootstrap],
                # Taken out of a live Deployment's spec, the number would fall to 1 until the autoscaler acts.
                ignore_changes=["spec.replicas"] if isinstance(args.scale, Autoscaling) else None,
                # One pod after the other, each within the progress deadline that Kubernetes itself enforces.
                custom_timeouts=pulumi.CustomTimeouts(
                    create=f"{progress + 60}s", update=f"{most * progress + 60}s"
                ),
            ),
        )
        workloads.service(
            self, f"{name}-service", PART, args.namespace, name=NAME, port_name="http", port=PORT
        )
        if most > 1:
            workloads.disruption_budget(self, f"{name}-budget", PART, args.namespace)
        if isinstance(args.scale, Autoscaling):
            self._autoscaler(name, args.namespace, args.scale)
        self.register_outputs({"service": NAME, "port": PORT})

    def _autoscaler(self, name: str, namespace: pulumi.Input[str], scale: Autoscaling) -> None:
        k8s.autoscaling.v2.HorizontalPodAutoscaler(
            f"{name}-autoscaler",
            metadata=labels.metadata(PART, namespace, name=NAME),
            spec=k8s.autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=k8s.autoscaling.v2.CrossVersionObjectReferenceArgs(
                    api_version="apps/v1", kind="Deployment", name=NAME
                ),
                min_replicas=scale.fewest,
                max_replicas=scale.most,
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
    probes = args.probes
    return args.runtime.container(
        PART,
        startup_probe=pods.http(
            probes.startup,
            "http",
            period_seconds=2,
            failure_threshold=STARTUP_SECONDS // 2,
            timeout_seconds=5,
        ),
        # 30 s of tolerance: longer than a database fails over, shorter than a user waits.
        readiness_probe=pods.http(
            probes.readiness, "http", period_seconds=10, failure_threshold=3, timeout_seconds=5
        ),
        # Never asks state: a restart cures no database, and all replicas at once is an outage.
        liveness_probe=pods.http(
            probes.liveness, "http", period_seconds=15, failure_threshold=6, timeout_seconds=5
        ),
        lifecycle=pods.linger(args.pre_stop_seconds),
    )
