"""Public hosts as HTTPRoute objects of the Gateway API."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names
from .component import Component
from .edge import EdgeArgs, Path, Route

ACCEPTED = {
    "pulumi.com/waitFor": 'jsonpath={.status.parents[0].conditions[?(@.type=="Accepted")].status}=True'
}
"""The provider waits for nothing of a custom resource unless this says what readiness is."""


@dataclass(frozen=True, kw_only=True)
class GatewayEdgeArgs(EdgeArgs):
    """Routes, and the Gateway they are attached to."""

    gateway: str
    """Name of the Gateway."""
    gateway_namespace: str
    """Namespace of the Gateway."""
    listener: str = "https"
    """Its listener that terminates TLS."""
    redirect_listener: str | None = None
    """Its plain listener, whose requests are redirected to HTTPS."""
    timeouts: bool = True
    """Whether rules carry `timeouts`; GKE's Gateways reject a route that has them."""


class GatewayEdge(Component):
    """One HTTPRoute per host, attached to a Gateway that exists."""

    def __init__(self, name: str, args: GatewayEdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:GatewayEdge", name, None, opts)
        for surface, route in args.routes.items():
            rules = [_rule(args, path) for path in route.paths]
            self._route(f"{name}-{surface}", surface, args, route, args.listener, rules)
            if args.redirect_listener:
                redirect = {
                    "type": "RequestRedirect",
                    "requestRedirect": {"scheme": "https", "statusCode": 301},
                }
                self._route(
                    f"{name}-{surface}-redirect",
                    f"{surface}-redirect",
                    args,
                    route,
                    args.redirect_listener,
                    [{"filters": [redirect]}],
                )
        self.register_outputs({"hosts": [route.host for route in args.routes.values()]})

    def _route(
        self,
        name: str,
        surface: str,
        args: GatewayEdgeArgs,
        route: Route,
        listener: str,
        rules: list[dict[str, object]],
    ) -> None:
        awaited = ACCEPTED if args.await_address else {}
        k8s.apiextensions.CustomResource(
            name,
            api_version="gateway.networking.k8s.io/v1",
            kind="HTTPRoute",
            metadata=labels.metadata(
                surface,
                args.namespace,
                name=names.prefixed(surface),
                annotations={**awaited, **args.annotations, **route.annotations},
            ),
            spec={
                "parentRefs": [
                    {"name": args.gateway, "namespace": args.gateway_namespace, "sectionName": listener}
                ],
                "hostnames": [route.host],
                "rules": rules,
            },
            opts=self.child(),
        )


def _rule(args: GatewayEdgeArgs, path: Path) -> dict[str, object]:
    # Envoy-based gateways give up after 15 s by default.
    seconds = f"{args.seconds}s"
    kind = {"Prefix": "PathPrefix", "Exact": "Exact"}[path.kind]
    return {
        "matches": [{"path": {"type": kind, "value": path.path}}],
        **({"timeouts": {"request": seconds, "backendRequest": seconds}} if args.timeouts else {}),
        "backendRefs": [{"name": path.target.service, "port": path.target.port}],
    }
