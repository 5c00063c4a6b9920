"""What NetworkPolicies let through, by the rules of Kubernetes' API: from here to there, on this port.

Pods and addresses are endpoints of different kinds. Some enforcers (Cilium) never match a pod by its address, so
an `ipBlock` is held to match addresses outside the cluster's pods only: what passes here passes everywhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any


@dataclass(frozen=True)
class Pod:
    """A pod by its namespace and its labels."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Address:
    """An address that is no pod's: of a node, a load balancer, a server elsewhere."""

    ip: str


Endpoint = Pod | Address


def passes(
    policies: Iterable[Mapping[str, Any]],
    source: Endpoint,
    target: Endpoint,
    port: int,
    protocol: str = "TCP",
) -> bool:
    """Whether a connection is let out by the source's policies and in by the target's.

    `policies` are NetworkPolicy objects; a pod that none of them selects for a direction is open in it.
    """
    policies = list(policies)
    return _open(policies, "Egress", source, target, port, protocol) and _open(
        policies, "Ingress", target, source, port, protocol
    )


def _open(
    policies: list[Mapping[str, Any]], way: str, own: Endpoint, other: Endpoint, port: int, protocol: str
) -> bool:
    selecting = [policy for policy in policies if isinstance(own, Pod) and _selects(policy, way, own)]
    return not selecting or any(
        _rule(rule, policy["metadata"]["namespace"], way, other, port, protocol)
        for policy in selecting
        for rule in policy["spec"].get(way.lower(), [])
    )


def _selects(policy: Mapping[str, Any], way: str, pod: Pod) -> bool:
    spec = policy["spec"]
    usual = ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return (
        way in spec.get("policyTypes", usual)
        and policy["metadata"]["namespace"] == pod.namespace
        and selected(spec.get("podSelector", {}), pod.labels)
    )


def _rule(
    rule: Mapping[str, Any], namespace: str, way: str, other: Endpoint, port: int, protocol: str
) -> bool:
    peers = rule.get({"Ingress": "from", "Egress": "to"}[way])
    ports = rule.get("ports")
    return (not peers or any(_peer(peer, namespace, other) for peer in peers)) and (
        not ports or any(_port(row, port, protocol) for row in ports)
    )


def _peer(peer: Mapping[str, Any], namespace: str, other: Endpoint) -> bool:
    if "ipBlock" in peer:
        return isinstance(other, Address) and _in_block(peer["ipBlock"], other)
    if isinstance(other, Address):
        return False
    if "namespaceSelector" in peer:
        there = selected(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace})
    else:
        there = other.namespace == namespace
    return there and selected(peer.get("podSelector", {}), other.labels)


def _in_block(block: Mapping[str, Any], address: Address) -> bool:
    ip = ip_address(address.ip)
    return ip in ip_network(block["cidr"]) and not any(
        ip in ip_network(excepted) for excepted in block.get("except", [])
    )


def _port(row: Mapping[str, Any], port: int, protocol: str) -> bool:
    if row.get("protocol", "TCP") != protocol:
        return False
    return "port" not in row or row["port"] <= port <= row.get("endPort", row["port"])


def selected(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects what has these labels; an empty one selects everything."""
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        _expression(row, labels) for row in selector.get("matchExpressions", [])
    )


def _expression(row: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(row["key"])
    return {
        "In": value in row.get("values", []),
        "NotIn": value not in row.get("values", []),
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[row["operator"]]
