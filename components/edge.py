"""Public hosts and the paths they open: the census of surfaces, rendered as routes."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import labels
from components.component import Component

API_PATHS = {
    "health": [("Exact", "/health"), ("Exact", "/health_check")],
    "run": [("Prefix", "/api/v1/run")],
    "responses": [("Prefix", "/api/v1/responses")],
    "mcp": [("Prefix", "/api/v1/mcp/streamable")],
    "management": [("Prefix", "/api")],
}
"""Paths of the backend by group. What no group opens has no route: the edge answers 404."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A Service and its port."""

    service: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Route:
    """One public host."""

    host: str
    paths: tuple[tuple[str, str, Target], ...]
    """`Exact` or `Prefix`, path, and who answers."""
    tls_secret: str | None
    """Existing certificate; without it the issuer's, or the controller's default."""


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    namespace: pulumi.Input[str]
    routes: Mapping[str, Route]
    """Routes by name of their surface."""
    class_name: str
    issuer: str | None
    annotations: Mapping[str, str]
    await_address: bool
    longest_flow_seconds: int


def api_paths(groups: tuple[str, ...], backend: Target) -> tuple[tuple[str, str, Target], ...]:
    """The paths that some groups open."""
    return tuple((kind, path, backend) for group in groups for kind, path in API_PATHS[group])


def app_paths(frontend: Target, backend: Target) -> tuple[tuple[str, str, Target], ...]:
    """The UI, and its API straight from the backend: no second proxy in the way of streams."""
    return (("Prefix", "/api", backend), ("Prefix", "/", frontend))


class IngressEdge(Component):
    """One Ingress per host: certificates, failures and changes of one host leave the others alone."""

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:IngressEdge", name, None, opts)
        for surface, route in args.routes.items():
            k8s.networking.v1.Ingress(
                f"{name}-{surface}",
                metadata=labels.metadata(
                    surface,
                    args.namespace,
                    name=f"skillflaw-{surface}",
                    annotations=_annotations(args, route),
                ),
                spec=k8s.networking.v1.IngressSpecArgs(
                    ingress_class_name=args.class_name,
                    tls=[
                        k8s.networking.v1.IngressTLSArgs(
                            hosts=[route.host], secret_name=_tls_secret(args, surface, route)
                        )
                    ],
                    rules=[
                        k8s.networking.v1.IngressRuleArgs(
                            host=route.host,
                            http=k8s.networking.v1.HTTPIngressRuleValueArgs(
                                paths=[_path(*path) for path in route.paths]
                            ),
                        )
                    ],
                ),
                opts=self.child(),
            )
        self.register_outputs({"hosts": [route.host for route in args.routes.values()]})


def _tls_secret(args: EdgeArgs, surface: str, route: Route) -> str | None:
    return route.tls_secret or (f"skillflaw-{surface}-tls" if args.issuer else None)


def _path(kind: str, path: str, target: Target) -> k8s.networking.v1.HTTPIngressPathArgs:
    return k8s.networking.v1.HTTPIngressPathArgs(
        path=path,
        path_type=kind,
        backend=k8s.networking.v1.IngressBackendArgs(
            service=k8s.networking.v1.IngressServiceBackendArgs(
                name=target.service, port=k8s.networking.v1.ServiceBackendPortArgs(number=target.port)
            )
        ),
    )


def _annotations(args: EdgeArgs, route: Route) -> dict[str, str]:
    seconds = str(args.longest_flow_seconds + 15)
    # Traefik streams and never times out a response by itself; nginx controllers buffer and give up
    # after 60 s. A controller ignores the other's annotations.
    nginx = {
        "nginx.ingress.kubernetes.io/proxy-read-timeout": seconds,
        "nginx.ingress.kubernetes.io/proxy-send-timeout": seconds,
        "nginx.ingress.kubernetes.io/proxy-buffering": "off",
        "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
        "nginx.ingress.kubernetes.io/proxy-body-size": "1024m",
    }
    issuer = {"cert-manager.io/cluster-issuer": args.issuer} if args.issuer and not route.tls_secret else {}
    # Not every controller publishes an address; waiting for one must be asked for.
    wait = {} if args.await_address else labels.SKIP_AWAIT
    return {**nginx, **issuer, **wait, **args.annotations}
