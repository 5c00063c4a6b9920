"""Policies about what NetworkPolicies open."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from policies.policy import policy
from policies.resources import Resource, Stack, mapping, mappings, strings

_NAMED_BITS = {4: 8, 6: 16}
"""Prefix length, by IP version, from which on a range is a network somebody runs and not a piece of the internet."""
_INSIDE = [
    ip_network(cidr)
    for cidr in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        # 169.254.169.254 hands out credentials of the node on most clouds.
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
]
"""Ranges that are never the internet."""
_WEB_PORTS = (80, 443)


@policy(
    why="NetworkPolicies add up: one that allows everything undoes every other, and flows run code that users wrote.",
    remedy="Name each peer by labels or by a range. The internet is a peer of egress alone: TCP to ports 80 and 443, with "
    "`except` for every private and link-local range.",
)
def named_peers(resource: Resource, stack: Stack) -> Iterator[str]:
    """Every rule of a NetworkPolicy names its peers: by labels, or by a range that is not the whole internet."""
    if resource.kind != "NetworkPolicy":
        return
    for direction, key in (("ingress", "from"), ("egress", "to")):
        for rule in mappings(resource.at("spec", direction)):
            if not rule.get(key):
                yield f"an {direction} rule without `{key}` is open to everybody"
            for peer in mappings(rule.get(key)):
                for found in _open(peer, direction, rule):
                    yield f"an {direction} rule is open to {found}"


def _open(peer: Mapping[str, Any], direction: str, rule: Mapping[str, Any]) -> Iterator[str]:
    """Words for what a peer that names nobody is open to."""
    if "ipBlock" in peer:
        yield from _wide(mapping(peer["ipBlock"]), direction, rule)
    elif "namespaceSelector" in peer:
        if not _names(mapping(peer["namespaceSelector"])):
            yield "every namespace"
    elif not _names(mapping(peer.get("podSelector"))):
        yield "every pod of the namespace" if "podSelector" in peer else "everybody"


def _names(selector: Mapping[str, Any]) -> bool:
    """Whether a label selector says what is selected, not only what is not."""
    listed = any(row.get("operator") == "In" for row in mappings(selector.get("matchExpressions")))
    return listed or bool(selector.get("matchLabels"))


def _wide(block: Mapping[str, Any], direction: str, rule: Mapping[str, Any]) -> Iterator[str]:
    """The fault of a range that holds a piece of the internet."""
    cidr = _network(block.get("cidr"))
    if cidr is None:
        yield f"the range {block.get('cidr')}, which is none"
        return
    private = any(_within(cidr, inside) for inside in _INSIDE)
    if private or cidr.prefixlen >= _NAMED_BITS[cidr.version]:
        return
    if direction == "ingress":
        yield f"the internet ({cidr})"
        return
    excepted = [_network(each) for each in strings(block.get("except"))]
    for inside in _INSIDE:
        if _within(inside, cidr) and not any(each and _within(inside, each) for each in excepted):
            yield f"{inside}, which is not the internet, by {cidr} without `except`"
    if not rule.get("ports"):
        yield f"every port of the internet ({cidr})"
    for port in mappings(rule.get("ports")):
        if port.get("protocol", "TCP") != "TCP" or port.get("port") not in _WEB_PORTS or port.get("endPort"):
            last = f"-{port['endPort']}" if port.get("endPort") else ""
            yield f"{port.get('protocol', 'TCP')} {port.get('port')}{last} of the internet ({cidr})"


def _network(cidr: Any) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(cidr, strict=False) if isinstance(cidr, str) else None
    except ValueError:
        return None


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False
