"""Public hosts as Ingress objects."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names
from .component import Component
from .controllers import ANNOTATIONS
from .edge import EdgeArgs, Path, Route

GOOGLE = "gce"
CLASS = "kubernetes.io/ingress.class"
"""Google's controller has no IngressClass, and takes the routes that are annotated so."""


@dataclass(frozen=True, kw_only=True)
class IngressEdgeArgs(EdgeArgs):
    """Routes, and the controller that serves them."""

    class_name: str
    """IngressClass of the controller."""
    controller: str = "none"
    """The controller by its name in `ANNOTATIONS`, whose annotations carry timeouts and buffering."""
    issuer: str | None = None
    """cert-manager ClusterIssuer for hosts without a certificate of their own."""


class IngressEdge(Component):
    """One Ingress per host: certificates, failures and changes of one host leave every other alone."""

    def __init__(self, name: str, args: IngressEdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:IngressEdge", name, None, opts)
        for surface, route in args.routes.items():
            k8s.networking.v1.Ingress(
                f"{name}-{surface}",
                metadata=labels.metadata(
                    surface,
                    args.namespace,
                    name=names.prefixed(surface),
                    annotations=_annotations(args, route),
                ),
                spec=k8s.networking.v1.IngressSpecArgs(
                    ingress_class_name=None if args.controller == GOOGLE else args.class_name,
                    tls=None
                    if route.tls_at_edge
                    else [
                        k8s.networking.v1.IngressTLSArgs(
                            hosts=[route.host], secret_name=_certificate(args, surface, route)
                        )
                    ],
                    rules=[
                        k8s.networking.v1.IngressRuleArgs(
                            host=route.host,
                            http=k8s.networking.v1.HTTPIngressRuleValueArgs(
                                paths=[_path(path) for path in route.paths]
                            ),
                        )
                    ],
                ),
                opts=self.child(),
            )
        self.register_outputs({"hosts": [route.host for route in args.routes.values()]})


def _certificate(args: IngressEdgeArgs, surface: str, route: Route) -> str | None:
    """Secret of the host's own certificate or of the issuer's; None leaves it to the controller's default."""
    return route.tls_secret or (names.certificate(surface) if args.issuer else None)


def _path(path: Path) -> k8s.networking.v1.HTTPIngressPathArgs:
    return k8s.networking.v1.HTTPIngressPathArgs(
        path=path.path,
        path_type=path.kind,
        backend=k8s.networking.v1.IngressBackendArgs(
            service=k8s.networking.v1.IngressServiceBackendArgs(
                name=path.target.service,
                port=k8s.networking.v1.ServiceBackendPortArgs(number=path.target.port),
            )
        ),
    )


def _annotations(args: IngressEdgeArgs, route: Route) -> dict[str, str]:
    issued = None if route.tls_secret or route.tls_at_edge else args.issuer
    return {
        **ANNOTATIONS[args.controller](args.seconds),
        **({CLASS: args.class_name} if args.controller == GOOGLE else {}),
        **({"cert-manager.io/cluster-issuer": issued} if issued else {}),
        # Not every controller publishes an address; waiting for one must be asked for.
        **({} if args.await_address else labels.SKIP_AWAIT),
        **args.annotations,
        **route.annotations,
    }
