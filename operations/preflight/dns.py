"""Who answers names in the cluster, and whether the stack's NetworkPolicies let its pods ask."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from operations.preflight.found import Found
from operations.preflight.problem import Outcome, Problem
from operations.preflight.selectors import selects
from operations.preflight.wanted import Object, Wanted, name_of
from operations.review.preview import at

PORT = 53
SERVICES = (("kube-system", "k8s-app=kube-dns"), ("openshift-dns", "dns.operator.openshift.io/owning-dns"))
"""Namespaces and labels of the Service that answers: CoreDNS bears kube-dns's label, OpenShift's its own."""
ADDRESS = re.compile(r"\d+(?:\.\d+){3}|[0-9a-fA-F]*:[0-9a-fA-F:]+")


@dataclass(frozen=True)
class Answerer:
    """One that answers names: a pod, or an address of a node, which no selector of pods means."""

    name: str
    ports: dict[str, int]
    """The port that it listens on, by protocol."""
    addresses: tuple[str, ...]
    """A peer must hold one of them, if it is no pod; or the one of the pod."""
    namespace: str | None = None
    labels: dict[str, str] | None = None


def is_dns(rule: dict[str, Any]) -> bool:
    """Whether an egress rule opens the port of names."""
    return any(port.get("port") == PORT for port in rule.get("ports") or ())


def reachable(wanted: Wanted, found: Found) -> Outcome:
    policies = [
        each
        for each in wanted.of("NetworkPolicy")
        if any(is_dns(rule) for rule in each["spec"].get("egress") or ())
    ]
    if not policies:
        return Outcome("who answers names: no NetworkPolicy is about it")
    answerers = list(_answerers(found))
    if not answerers:
        problem = Problem(
            "who answers names",
            "no pod behind a Service with the label k8s-app=kube-dns",
            "install CoreDNS, or give its Service in kube-system that label",
        )
        return Outcome("who answers names", (problem,))
    labels = found.namespaces()
    blocked = {
        answerer.name: [
            f"{protocol} {port} from {name_of(policy)}"
            for policy in policies
            for protocol, port in answerer.ports.items()
            if not _passes(policy, answerer, protocol, port, labels)
        ]
        for answerer in answerers
    }
    problems = tuple(
        Problem(
            f"{answerer.name}, which answers names",
            f"closed: {', '.join(blocked[answerer.name])}",
            "network.dns in the stack file: " + _peer(answerer),
        )
        for answerer in answerers
        if blocked[answerer.name]
    )
    return Outcome(f"who answers names: {', '.join(answerer.name for answerer in answerers)}", problems)


def _peer(answerer: Answerer) -> str:
    if answerer.labels is None:
        address = ipaddress.ip_address(answerer.addresses[0])
        return f"{{cidr: {address}/{address.max_prefixlen}}}"
    return f"{{namespace: {answerer.namespace}, labels: {answerer.labels}}}"


def _answerers(found: Found) -> Iterator[Answerer]:
    services = [
        service
        for namespace, label in SERVICES
        for service in found.items(f"/api/v1/namespaces/{namespace}/services", labelSelector=label)
    ]
    cached = found.read("/apis/apps/v1/namespaces/kube-system/daemonsets/node-local-dns")
    if cached:
        # Every pod asks the cache on its node, by an address of its own or by the Service's, which it takes over.
        addresses = _local(cached) or tuple(at(service, "spec", "clusterIP") for service in services)
        yield Answerer("NodeLocal DNSCache", {"UDP": PORT, "TCP": PORT}, addresses)
        return
    for service in services:
        yield from _endpoints(found, service)


def _local(cache: Object) -> tuple[str, ...]:
    """Addresses that NodeLocal DNSCache listens on, by its arguments."""
    words = [
        word
        for container in at(cache, "spec", "template", "spec", "containers") or ()
        for word in (*(container.get("command") or ()), *(container.get("args") or ()))
    ]
    for place, word in enumerate(words):
        if word.lstrip("-").partition("=")[0] == "localip":
            given = word.partition("=")[2] or next(iter(words[place + 1 : place + 2]), "")
            return tuple(ADDRESS.findall(given))
    return ()


def _endpoints(found: Found, service: Object) -> Iterator[Answerer]:
    namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
    pods = {
        each["metadata"]["name"]: each
        for each in found.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=_selector(service))
    }
    slices = found.items(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        labelSelector=f"kubernetes.io/service-name={name}",
    )
    seen = set()
    for each in slices:
        ports = {
            row.get("protocol", "TCP"): row["port"]
            for row in each.get("ports") or ()
            if str(row.get("name", "")).startswith("dns") and row.get("port")
        }
        for endpoint in each.get("endpoints") or ():
            pod = pods.get(at(endpoint, "targetRef", "name") or "", {})
            on_host = not pod or at(pod, "spec", "hostNetwork")
            labels = None if on_host else at(pod, "metadata", "labels") or {}
            addresses = tuple(endpoint.get("addresses") or ())
            # Pods of one Deployment are alike to a selector, and one of them is enough.
            likeness = str((labels, ports) if labels is not None else addresses)
            if likeness not in seen:
                seen.add(likeness)
                what = f"Service {namespace}/{name}" + (f" on {addresses[0]}" if on_host else "")
                yield Answerer(what, ports or {"UDP": PORT, "TCP": PORT}, addresses, namespace, labels)


def _selector(service: Object) -> str:
    return ",".join(f"{key}={value}" for key, value in (at(service, "spec", "selector") or {}).items())


def _passes(
    policy: Object, answerer: Answerer, protocol: str, port: int, namespaces: dict[str, dict[str, str]]
) -> bool:
    return any(
        _opens(rule, protocol, port)
        and (not rule.get("to") or any(_means(policy, peer, answerer, namespaces) for peer in rule["to"]))
        for rule in policy["spec"].get("egress") or ()
    )


def _opens(rule: dict[str, Any], protocol: str, port: int) -> bool:
    ports = rule.get("ports")
    return not ports or any(
        row.get("protocol", "TCP") == protocol
        and (row.get("port") is None or row["port"] <= port <= row.get("endPort", row["port"]))
        for row in ports
        if not isinstance(row.get("port"), str)
    )


def _means(
    policy: Object, peer: dict[str, Any], answerer: Answerer, namespaces: dict[str, dict[str, str]]
) -> bool:
    if block := peer.get("ipBlock"):
        return any(_within(address, block) for address in answerer.addresses)
    if answerer.labels is None or answerer.namespace is None:
        return False
    where = peer.get("namespaceSelector")
    named = {"kubernetes.io/metadata.name": answerer.namespace}
    there = (
        answerer.namespace == policy["metadata"]["namespace"]
        if where is None
        else selects(where, namespaces.get(answerer.namespace, {}) | named)
    )
    return there and selects(peer.get("podSelector") or {}, answerer.labels)


def _within(address: str, block: dict[str, Any]) -> bool:
    held = ipaddress.ip_address(address)
    return held in ipaddress.ip_network(block["cidr"]) and not any(
        held in ipaddress.ip_network(cidr) for cidr in block.get("except") or ()
    )
