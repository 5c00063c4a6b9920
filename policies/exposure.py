"""Policies about what is reached from outside."""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.policy import policy
from policies.resources import Resource, Stack, mapping, mappings


@policy(
    why="A port of a node or a load balancer of its own is public next to the edge: no TLS, no list of open paths.",
    remedy="Keep the Service `ClusterIP` and name a host in `surfaces` of the stack file.",
)
def closed_service(resource: Resource, stack: Stack) -> Iterator[str]:
    """A Service is reached inside the cluster only: its type is `ClusterIP`, and it has no address from outside."""
    if resource.kind != "Service":
        return
    if (type_ := resource.at("spec", "type") or "ClusterIP") != "ClusterIP":
        yield f"the Service is a {type_}"
    for field in ("externalIPs", "externalName", "loadBalancerIP"):
        if resource.at("spec", field):
            yield f"the Service has {field}"


@policy(
    why="`surfaces` is the one place that says what is public; another route is open without anybody having said so.",
    remedy="Name the host in `surfaces` of the stack file, or remove the route.",
)
def census(resource: Resource, stack: Stack) -> Iterator[str]:
    """A route serves hosts of `surfaces` only, each by name; no annotation adds hosts or configures the controller."""
    for host in _hosts(resource):
        if not host:
            yield "a route answers for every host"
        elif str(host) not in stack.hosts:
            yield f"the host {host} is in no surface"
    for name in _annotations(resource):
        if name.endswith(("-snippet", "-snippets")):
            yield f"the annotation {name} opens what no surface names"


def _hosts(resource: Resource) -> list[Any]:
    if resource.kind == "Ingress":
        routed = [row.get("host") for row in mappings(resource.at("spec", "rules"))]
        certified = [host for row in mappings(resource.at("spec", "tls")) for host in _list(row.get("hosts"))]
        aliases = [
            alias.strip()
            for name, value in _annotations(resource).items()
            if name.endswith("/server-alias")
            for alias in str(value).split(",")
        ]
        return [*routed, *certified, *aliases, *([None] if resource.at("spec", "defaultBackend") else [])]
    if resource.kind in ("HTTPRoute", "GRPCRoute", "TLSRoute"):
        return _list(resource.at("spec", "hostnames")) or [None]
    return []


def _annotations(resource: Resource) -> Mapping[str, Any]:
    return mapping(resource.at("metadata", "annotations"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
