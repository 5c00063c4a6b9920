"""Checks that what the stack does not expose is closed."""

from operations.kubectl import Kubectl
from operations.validate.check import CheckError, expect
from operations.wire import Endpoint

GATEWAY = "gateway.networking.k8s.io"


def has_no_route(at: Endpoint, method: str, path: str, host: str | None = None) -> None:
    """The edge itself answers 404. A 404 with FastAPI's JSON is the backend's: the request got through."""
    headers = {"host": host} if host else {}
    with at.client() as client:
        response = expect(client.request(method, path, headers=headers), 404)
    if response.headers.get("content-type", "").startswith("application/json"):
        raise CheckError(f"{method} {path}: the 404 is the backend's, so the edge let the request through")


def routes_only(kubectl: Kubectl, hosts: set[str]) -> None:
    """The namespace's Ingresses and HTTPRoutes carry these hosts and no other (`*`: any host)."""
    kinds = "ingresses.networking.k8s.io" + (f",httproutes.{GATEWAY}" if kubectl.serves(GATEWAY) else "")
    routed = set()
    for route in kubectl.items(kinds):
        if route["kind"] == "HTTPRoute":
            routed |= set(route["spec"].get("hostnames") or ["*"])
        else:
            routed |= {rule.get("host") or "*" for rule in route["spec"].get("rules") or [{}]}
    if routed != hosts:
        raise CheckError(f"routed: {_listed(routed)}; the stack exposes: {_listed(hosts)}")


def is_absent(kubectl: Kubectl, name: str) -> None:
    """No Deployment and no Service of this name."""
    found = [
        item["kind"]
        for item in kubectl.items("deployments.apps,services")
        if item["metadata"]["name"] == name
    ]
    if found:
        raise CheckError(f"{' and '.join(found)} {name} exist, though the stack does not expose it")


def _listed(hosts: set[str]) -> str:
    return ", ".join(sorted(hosts)) or "none"
