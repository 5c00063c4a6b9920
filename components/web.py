"""A stateless web server: what the frontend and the docs are alike in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi_kubernetes as k8s

from . import labels, pods, workloads
from .component import Component
from .edge import Target

RESOURCES = pods.Resources(
    requests={"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
    limits={"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "256Mi"},
)
"""What nginx with static files needs."""
PRE_STOP_SECONDS = 15
STARTUP_SECONDS = 300
"""How long a pod may take to find a node and to start, once its image is there."""
FIRST_UNPRIVILEGED_PORT = 1024


@dataclass(frozen=True, kw_only=True)
class WebArgs:
    """What a web server runs and how often."""

    workload: pods.Workload
    """Image, user and resources of its pods."""
    replicas: int = 2
    """Number of pods."""
    port: int = 80
    """Port the container listens on."""
    service_annotations: Mapping[str, str] = field(default_factory=dict)
    """Extra annotations of the Service."""


class Web(Component):
    """Deployment, Service and disruption budget of one web server."""

    target: Target

    def serve(self, name: str, component: str, args: WebArgs, env: Mapping[str, str]) -> None:
        """Declares the server's children and says where it is reached."""
        self.target = Target(component=component, port=args.port)
        namespace = args.workload.namespace
        account = self.service_account(name, namespace, component)
        progress = args.workload.image.pull_deadline_seconds + STARTUP_SECONDS
        k8s.apps.v1.Deployment(
            name,
            metadata=labels.metadata(component, namespace, name=self.target.service),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=args.replicas,
                strategy=workloads.ONE_BY_ONE,
                progress_deadline_seconds=progress,
                revision_history_limit=3,
                selector=workloads.pods_of(component),
                template=pods.template(
                    component,
                    args.workload,
                    account,
                    sysctls=_sysctls(args.port),
                    stateless=True,
                    termination_grace_period_seconds=PRE_STOP_SECONDS + 30,
                    topology_spread_constraints=workloads.spread(component),
                    containers=[
                        pods.container(
                            component,
                            args.workload.image,
                            args.workload.resources or RESOURCES,
                            env=pods.variables(env),
                            ports=[k8s.core.v1.ContainerPortArgs(name="http", container_port=args.port)],
                            startup_probe=pods.tcp("http", period_seconds=2, failure_threshold=60),
                            # Paths every build of these images has: the start page, and the port itself.
                            readiness_probe=pods.http("/", "http", period_seconds=5, failure_threshold=3),
                            liveness_probe=pods.tcp("http", period_seconds=15, failure_threshold=6),
                            lifecycle=pods.pre_stop_sleep(PRE_STOP_SECONDS),
                            mounts={"tmp": "/tmp", "run": "/var/run", "cache": "/var/cache/nginx"},
                            read_only_root=args.workload.read_only_root,
                        )
                    ],
                    volumes=[pods.empty_dir(volume, "32Mi") for volume in ("tmp", "run", "cache")],
                ),
            ),
            opts=self.child(custom_timeouts=workloads.timeouts(progress, pods=args.replicas)),
        )
        workloads.service(
            self,
            f"{name}-service",
            component,
            namespace,
            name=self.target.service,
            port_name="http",
            port=args.port,
            annotations=args.service_annotations,
        )
        if args.replicas > 1:
            workloads.disruption_budget(self, f"{name}-budget", component, namespace)
        self.register_outputs({"service": self.target.service, "port": args.port})


def _sysctls(port: int) -> list[k8s.core.v1.SysctlArgs] | None:
    """Lets a process without privileges listen on a low port; one of the sysctls `restricted` calls safe."""
    if port >= FIRST_UNPRIVILEGED_PORT:
        return None
    return [k8s.core.v1.SysctlArgs(name="net.ipv4.ip_unprivileged_port_start", value="0")]
