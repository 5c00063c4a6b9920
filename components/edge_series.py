"""What an ingress controller measures of the stack's requests: PromQL over series of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import names
from .edge import Target

WINDOW = "10m"
"""Range over which requests are counted."""
STREAMS = "/api/v1/mcp/streamable"
"""Path whose requests stay open for as long as their client listens: how long they take says nothing."""


@dataclass(frozen=True, kw_only=True)
class EdgeSeries:
    """Expressions over the requests to some Services, each with one series per `label` of the controller."""

    label: str
    """The label that tells what was asked: a Service, an Ingress or a proxy."""
    requests: str
    """Requests in a second."""
    failed: str
    """Those of them that were answered with 5xx."""
    seconds: str
    """Their mean duration."""
    failed_flows: str | None = None
    """Runs of flows in a second that were answered with 5xx, where the controller tells paths apart."""
    flows: str | None = None
    """Runs of flows in a second."""


def _by(label: str, series: str) -> str:
    return f"sum by ({label}) (rate({series}[{WINDOW}]))"


def _traefik(namespace: str, public: Sequence[Target]) -> EdgeSeries:
    services = "|".join(f"{namespace}-{it.service}-{it.port}@kubernetes" for it in public)
    asked = f'service=~"{services}"'
    # Clients of MCP accept event streams, and count as `sse`.
    took = f'{asked},protocol="http"'
    duration = "traefik_service_request_duration_seconds"
    return EdgeSeries(
        label="service",
        requests=_by("service", f"traefik_service_requests_total{{{asked}}}"),
        failed=_by("service", f'traefik_service_requests_total{{{asked},code=~"5.."}}'),
        seconds=f"{_by('service', f'{duration}_sum{{{took}}}')} / {_by('service', f'{duration}_count{{{took}}}')}",
    )


def _nginx(namespace: str, public: Sequence[Target]) -> EdgeSeries:
    def by(series: str, more: str = "") -> str:
        # Its own namespace takes the place of the route's label, unless whoever scrapes honours labels.
        either = " or ".join(
            f'rate({series}{{{label}="{namespace}",ingress=~"{routes}"{more}}}[{WINDOW}])'
            for label in ("namespace", "exported_namespace")
        )
        return f"sum by (ingress) ({either})"

    routes = names.prefixed("(api|app|docs)")
    requests, duration = (
        "nginx_ingress_controller_requests",
        "nginx_ingress_controller_request_duration_seconds",
    )
    failed, short = ',status=~"5.."', f',path!="{STREAMS}"'
    flows = ',path="/api/v1/run"'
    return EdgeSeries(
        label="ingress",
        requests=by(requests),
        failed=by(requests, failed),
        seconds=f"{by(f'{duration}_sum', short)} / {by(f'{duration}_count', short)}",
        flows=by(requests, flows),
        failed_flows=by(requests, flows + failed),
    )


def _haproxy(namespace: str, public: Sequence[Target]) -> EdgeSeries:
    proxies = "|".join(f"{namespace}_svc_{it.service}_http" for it in public)
    asked = f'proxy=~"{proxies}"'
    responses = "haproxy_backend_http_responses_total"
    return EdgeSeries(
        label="proxy",
        requests=_by("proxy", f"{responses}{{{asked}}}"),
        failed=_by("proxy", f'{responses}{{{asked},code="5xx"}}'),
        seconds=f"max by (proxy) (haproxy_backend_total_time_average_seconds{{{asked}}})",
    )


SERIES: Mapping[str, Callable[[str, Sequence[Target]], EdgeSeries]] = {
    "traefik": _traefik,
    "nginx": _nginx,
    "haproxy": _haproxy,
}
"""By controller as `controllers.ANNOTATIONS` names it: its series about a namespace's public Services.

The rest has none that Prometheus reads: `alb` and `gce` measure in their clouds, `f5-nginx` counts no answers by route
without NGINX Plus, and rules about OpenShift's router may be its platform's alone. A Gateway's implementation is not known.
"""
