"""A stateless web server: what the frontend and the docs are alike in."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import labels, pods, workloads
from components.component import Component
from components.references import Image

PRE_STOP_SECONDS = 15
FIRST_UNPRIVILEGED_PORT = 1024


@dataclass(frozen=True, kw_only=True)
class WebArgs:
    namespace: pulumi.Input[str]
    image: Image
    identity: pods.Identity
    resources: pods.Resources
    replicas: int
    port: int


class Web(Component):
    """Deployment, Service and disruption budget of one web server."""

    service_name: str
    port: int

    def serve(self, name: str, part: str, args: WebArgs, env: Mapping[str, pulumi.Input[str]]) -> None:
        """Declares the server's children and tells where it is reached."""
        self.service_name, self.port = f"skillflaw-{part}", args.port
        account = self.service_account(name, args.namespace, part)
        k8s.apps.v1.Deployment(
            name,
            metadata=labels.metadata(part, args.namespace, name=self.service_name),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=args.replicas,
                strategy=workloads.ONE_BY_ONE,
                revision_history_limit=3,
                selector=workloads.pods_of(part),
                template=pods.template(
                    part,
                    args.identity,
                    account,
                    args.image,
                    sysctls=_sysctls(args.port),
                    termination_grace_period_seconds=PRE_STOP_SECONDS + 30,
                    topology_spread_constraints=workloads.spread(part),
                    affinity=workloads.apart(part),
                    containers=[
                        pods.container(
                            part,
                            args.image,
                            args.resources,
                            env=pods.variables(env),
                            ports=[k8s.core.v1.ContainerPortArgs(name="http", container_port=args.port)],
                            startup_probe=pods.tcp("http", period_seconds=2, failure_threshold=60),
                            # Paths every build of these images has: the start page, and the port itself.
                            readiness_probe=pods.http("/", "http", period_seconds=5, failure_threshold=3),
                            liveness_probe=pods.tcp("http", period_seconds=15, failure_threshold=6),
                            lifecycle=pods.linger(PRE_STOP_SECONDS),
                            mounts={"tmp": "/tmp", "run": "/var/run", "cache": "/var/cache/nginx"},
                        )
                    ],
                    volumes=[pods.scratch(volume, "32Mi") for volume in ("tmp", "run", "cache")],
                ),
            ),
            opts=self.child(),
        )
        workloads.service(
            self,
            f"{name}-service",
            part,
            args.namespace,
            name=self.service_name,
            port_name="http",
            port=args.port,
        )
        if args.replicas > 1:
            workloads.disruption_budget(self, f"{name}-budget", part, args.namespace)
        self.register_outputs({"service": self.service_name, "port": args.port})


def _sysctls(port: int) -> list[k8s.core.v1.SysctlArgs] | None:
    """Lets a process without privileges listen on a low port; one of the sysctls `restricted` calls safe."""
    if port >= FIRST_UNPRIVILEGED_PORT:
        return None
    return [k8s.core.v1.SysctlArgs(name="net.ipv4.ip_unprivileged_port_start", value="0")]
