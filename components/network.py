"""NetworkPolicies: everything is closed, and each connection that is really made is opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names
from .component import Component
from .connections import API_SERVER, CALLERS, EDGE, EGRESS, INTERNET, MONITORING, OPERATOR, Connection
from .workloads import pods_of

NOT_OUTSIDE = {
    "0.0.0.0/0": [
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        # Holds 169.254.169.254, where clouds hand out credentials of the node.
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    ],
    "::/0": [
        # Holds fd00:ec2::254, the same over IPv6.
        "fc00::/7",
        "fe80::/10",
    ],
}
"""Ranges that are never the internet, by the range of all addresses of a family: flows run code that users wrote."""

WEB_PORTS = (80, 443)
# Policies see the port of the pod, not of the Service: CoreDNS listens on 5353 where it has no privilege.
DNS_PORTS = (53, 5353)

SOLVER = "acme-http01-solver"
SOLVER_LABELS = {"acme.cert-manager.io/http01-solver": "true"}
SOLVER_PORT = 8089
"""cert-manager answers a challenge with a pod in the namespace of the route, labelled so, on this port."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Pods of a namespace, or a range of addresses; exactly one of `namespace` and `cidr`."""

    namespace: str | None = None
    """Namespace of the pods."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that the pods have; every pod of the namespace when empty."""
    cidr: str | None = None
    """IPv4 or IPv6 range in CIDR form."""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A peer, and TCP ports of it."""

    peer: Peer
    """Pods or addresses."""
    ports: tuple[int, ...]
    """Ports that are open there."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """The pods that there are, and the connections they need."""

    namespace: pulumi.Input[str]
    """Namespace of the pods."""
    ports: Mapping[str, int | None]
    """Every component that has pods, and the port it listens on, if any."""
    connections: Sequence[Connection]
    """Who opens connections to whom; nothing else is open."""
    dns: Sequence[Peer]
    """Who answers names."""
    close_namespace: bool = True
    """Whether pods the stack does not know are closed as well: only in a namespace it made."""
    edge: Sequence[Peer] = ()
    """Who carries public requests; needed by a connection with the edge."""
    callers: Sequence[Peer] = ()
    """Clients inside the cluster."""
    monitoring: Sequence[Peer] = ()
    """Who scrapes; asked for by a connection of `MONITORING` alone."""
    egress: Sequence[Destination] = ()
    """Destinations that `EGRESS` stands for."""
    operator: Sequence[Peer] = ()
    """CloudNativePG's operator."""
    clusters: Sequence[str] = (names.CLUSTER,)
    """Clusters that it runs for the stack: the one in use, and those before it."""
    api_server: Sequence[Destination] = ()
    """The API server at its own addresses and ports."""
    acme: bool = False
    """Whether cert-manager answers challenges by HTTP inside the namespace."""


class Rule(NamedTuple):
    """Peers, and their open ports; None is all of them."""

    peers: list[k8s.networking.v1.NetworkPolicyPeerArgs]
    ports: list[k8s.networking.v1.NetworkPolicyPortArgs] | None


class Network(Component):
    """One policy per component: closed in both directions but for the connections it is in.

    A component that opens connections by name may ask whoever answers names, no other may.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Network", name, None, opts)
        if args.close_namespace:
            everything = k8s.meta.v1.LabelSelectorArgs()
            self._policy(f"{name}-closed", args.namespace, "closed", everything, ingress=[], egress=[])
        if args.close_namespace and args.acme:
            self._policy(
                f"{name}-{SOLVER}",
                args.namespace,
                SOLVER,
                k8s.meta.v1.LabelSelectorArgs(match_labels=SOLVER_LABELS),
                ingress=[Rule(_all(args.edge), _ports(SOLVER_PORT))],
                egress=[],
            )
        for component in args.ports:
            self._policy(
                f"{name}-{component}",
                args.namespace,
                component,
                _selector(args, component),
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
        ingress: list[Rule],
        egress: list[Rule],
    ) -> None:
        # A rule without peers would be open to everybody.
        k8s.networking.v1.NetworkPolicy(
            name,
            metadata=labels.metadata(component, namespace, name=names.prefixed(component)),
            spec=k8s.networking.v1.NetworkPolicySpecArgs(
                pod_selector=selected,
                policy_types=["Ingress", "Egress"],
                ingress=[
                    k8s.networking.v1.NetworkPolicyIngressRuleArgs(from_=rule.peers, ports=rule.ports)
                    for rule in ingress
                    if rule.peers
                ],
                egress=[
                    k8s.networking.v1.NetworkPolicyEgressRuleArgs(to=rule.peers, ports=rule.ports)
                    for rule in egress
                    if rule.peers
                ],
            ),
            opts=self.child(),
        )


def _ingress(args: NetworkArgs, component: str) -> list[Rule]:
    return [
        Rule(_sources(args, row), _open(args, row)) for row in args.connections if row.target == component
    ]


def _sources(args: NetworkArgs, row: Connection) -> list[k8s.networking.v1.NetworkPolicyPeerArgs]:
    outside = {
        EDGE: args.edge,
        CALLERS: args.callers,
        MONITORING: args.monitoring,
        OPERATOR: args.operator,
    }
    if row.source == EDGE and not args.edge:
        raise ValueError("edge is empty, and a connection with the edge needs it: name its peers")
    return _all(outside[row.source]) if row.source in outside else [_pods(args, row.source)]


def _open(args: NetworkArgs, row: Connection) -> list[k8s.networking.v1.NetworkPolicyPortArgs]:
    port = row.port or args.ports[row.target]
    return _ports(port) if port else []


def _egress(args: NetworkArgs, component: str) -> list[Rule]:
    rules = [rule for row in args.connections if row.source == component for rule in _targets(args, row)]
    if rules:
        rules.insert(0, Rule(_all(args.dns), [*_ports(*DNS_PORTS, protocol="UDP"), *_ports(*DNS_PORTS)]))
    return rules


def _targets(args: NetworkArgs, row: Connection) -> list[Rule]:
    if row.target == EDGE:
        # Ports of a controller's pods are its own business: 8443 here, 443 there. Addresses are its public side.
        pods = [peer for peer in args.edge if not peer.cidr]
        addresses = [peer for peer in args.edge if peer.cidr]
        return [Rule(_all(pods), None), Rule(_all(addresses), _ports(*WEB_PORTS))]
    if row.target == INTERNET:
        return [Rule([_range(cidr, but) for cidr, but in NOT_OUTSIDE.items()], _ports(*WEB_PORTS))]
    named = {EGRESS: args.egress, API_SERVER: args.api_server}
    if row.target in named:
        return [Rule([_peer(where.peer)], _ports(*where.ports)) for where in named[row.target]]
    return [Rule([_pods(args, row.target)], _open(args, row))]


def _ports(*ports: int, protocol: str = "TCP") -> list[k8s.networking.v1.NetworkPolicyPortArgs]:
    return [k8s.networking.v1.NetworkPolicyPortArgs(port=port, protocol=protocol) for port in ports]


def _pods(args: NetworkArgs, component: str) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    return k8s.networking.v1.NetworkPolicyPeerArgs(pod_selector=_selector(args, component))


def _selector(args: NetworkArgs, component: str) -> k8s.meta.v1.LabelSelectorArgs:
    """Selects the pods of a component; those that CloudNativePG runs, its Jobs' too, bear the operator's own label."""
    if component != names.CLUSTER:
        return pods_of(component)
    if len(args.clusters) == 1:
        return k8s.meta.v1.LabelSelectorArgs(match_labels={"cnpg.io/cluster": args.clusters[0]})
    either = k8s.meta.v1.LabelSelectorRequirementArgs(
        key="cnpg.io/cluster", operator="In", values=list(args.clusters)
    )
    return k8s.meta.v1.LabelSelectorArgs(match_expressions=[either])


def _range(cidr: str, but: list[str] | None = None) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    return k8s.networking.v1.NetworkPolicyPeerArgs(
        ip_block=k8s.networking.v1.IPBlockArgs(cidr=cidr, except_=but)
    )


def _all(peers: Sequence[Peer]) -> list[k8s.networking.v1.NetworkPolicyPeerArgs]:
    return [_peer(peer) for peer in peers]


def _peer(peer: Peer) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    if peer.cidr:
        return _range(peer.cidr)
    return k8s.networking.v1.NetworkPolicyPeerArgs(
        namespace_selector=k8s.meta.v1.LabelSelectorArgs(
            match_labels={"kubernetes.io/metadata.name": peer.namespace or ""}
        ),
        pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels=peer.labels) if peer.labels else None,
    )
