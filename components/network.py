"""NetworkPolicies: everything is closed, and each connection that is really made is opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names
from .component import Component
from .connections import EDGE, INTERNET, RANGES, Connection
from .workloads import pods_of

NOT_OUTSIDE = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    # Holds 169.254.169.254, where clouds hand out credentials of the node.
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
]
"""Ranges that are never the internet: flows run code that users wrote."""

WEB_PORTS = (80, 443)
# Policies see the port of the pod, not of the Service: CoreDNS listens on 5353 where it has no privilege.
DNS_PORTS = (53, 5353)


@dataclass(frozen=True, kw_only=True)
class Range:
    """An IPv4 range and TCP ports in it."""

    cidr: str
    """The range in CIDR form."""
    ports: tuple[int, ...]
    """Ports that are open in it."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """The pods that there are, and the connections they need."""

    namespace: pulumi.Input[str]
    """Namespace of the pods."""
    ports: Mapping[str, int | None]
    """Every component that has pods, and the port it listens on, if any."""
    connections: Sequence[Connection]
    """Who opens connections to whom; nothing else is open."""
    close_namespace: bool = True
    """Whether pods the stack does not know are closed as well: only in a namespace it made."""
    edge_namespace: str | None = None
    """Namespace of the ingress controller or the Gateway; needed by a connection with the edge."""
    ranges: Sequence[Range] = ()
    """Destinations that `RANGES` stands for."""


class Rule(NamedTuple):
    """A peer, and its open ports; None is all of them."""

    peer: k8s.networking.v1.NetworkPolicyPeerArgs
    ports: list[k8s.networking.v1.NetworkPolicyPortArgs] | None


class Network(Component):
    """One policy per component: closed in both directions but for the connections it is in.

    A component that opens connections by name may ask the cluster's DNS, no other may.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Network", name, None, opts)
        if args.close_namespace:
            everything = k8s.meta.v1.LabelSelectorArgs()
            self._policy(f"{name}-closed", args.namespace, "closed", everything, ingress=[], egress=[])
        for component in args.ports:
            self._policy(
                f"{name}-{component}",
                args.namespace,
                component,
                pods_of(component),
                ingress=_ingress(args, component),
                egress=_egress(args, component),
            )
        self.register_outputs({"parts": list(args.ports)})

    def _policy(
        self,
        name: str,
        namespace: pulumi.Input[str],
        component: str,
        selected: k8s.meta.v1.LabelSelectorArgs,
        *,
        ingress: list[k8s.networking.v1.NetworkPolicyIngressRuleArgs],
        egress: list[k8s.networking.v1.NetworkPolicyEgressRuleArgs],
    ) -> None:
        k8s.networking.v1.NetworkPolicy(
            name,
            metadata=labels.metadata(component, namespace, name=names.prefixed(component)),
            spec=k8s.networking.v1.NetworkPolicySpecArgs(
                pod_selector=selected, policy_types=["Ingress", "Egress"], ingress=ingress, egress=egress
            ),
            opts=self.child(),
        )


def _ingress(args: NetworkArgs, component: str) -> list[k8s.networking.v1.NetworkPolicyIngressRuleArgs]:
    return [
        k8s.networking.v1.NetworkPolicyIngressRuleArgs(from_=[_source(args, row)], ports=_open(args, row))
        for row in args.connections
        if row.target == component
    ]


def _source(args: NetworkArgs, row: Connection) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    if row.source == EDGE:
        return _edge(args)
    return k8s.networking.v1.NetworkPolicyPeerArgs(pod_selector=pods_of(row.source))


def _open(args: NetworkArgs, row: Connection) -> list[k8s.networking.v1.NetworkPolicyPortArgs]:
    port = row.port or args.ports[row.target]
    return _ports(port) if port else []


def _egress(args: NetworkArgs, component: str) -> list[k8s.networking.v1.NetworkPolicyEgressRuleArgs]:
    rules = [rule for row in args.connections if row.source == component for rule in _targets(args, row)]
    if rules:
        rules.insert(0, Rule(_DNS, [*_ports(*DNS_PORTS, protocol="UDP"), *_ports(*DNS_PORTS)]))
    return [k8s.networking.v1.NetworkPolicyEgressRuleArgs(to=[rule.peer], ports=rule.ports) for rule in rules]


def _targets(args: NetworkArgs, row: Connection) -> list[Rule]:
    if row.target == EDGE:
        # Its ports are the controller's own business: 8443 here, 443 there.
        return [Rule(_edge(args), None)]
    if row.target == INTERNET:
        return [Rule(_range("0.0.0.0/0", NOT_OUTSIDE), _ports(*WEB_PORTS))]
    if row.target == RANGES:
        return [Rule(_range(where.cidr), _ports(*where.ports)) for where in args.ranges]
    peer = k8s.networking.v1.NetworkPolicyPeerArgs(pod_selector=pods_of(row.target))
    return [Rule(peer, _open(args, row))]


def _edge(args: NetworkArgs) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    if not args.edge_namespace:
        raise ValueError("edge_namespace is None, and a connection with the edge needs it: name it")
    return _namespace(args.edge_namespace)


def _ports(*ports: int, protocol: str = "TCP") -> list[k8s.networking.v1.NetworkPolicyPortArgs]:
    return [k8s.networking.v1.NetworkPolicyPortArgs(port=port, protocol=protocol) for port in ports]


def _range(cidr: str, but: list[str] | None = None) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    return k8s.networking.v1.NetworkPolicyPeerArgs(
        ip_block=k8s.networking.v1.IPBlockArgs(cidr=cidr, except_=but)
    )


def _namespace(
    name: str, pods: k8s.meta.v1.LabelSelectorArgs | None = None
) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    return k8s.networking.v1.NetworkPolicyPeerArgs(
        namespace_selector=k8s.meta.v1.LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": name}),
        pod_selector=pods,
    )


_DNS = _namespace("kube-system", k8s.meta.v1.LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}))
