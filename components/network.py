"""What may talk to what: everything is closed, and each pair that really talks is opened."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import labels
from components.component import Component
from components.workloads import pods_of

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
class Pair:
    """A part that opens connections to another part's port."""

    source: str
    target: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Range:
    """An IPv4 range and TCP ports in it."""

    cidr: str
    ports: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    namespace: pulumi.Input[str]
    close_namespace: bool
    """Whether pods the stack does not know are closed as well: only in a namespace it made."""
    parts: tuple[str, ...]
    """Every part that has pods."""
    pairs: tuple[Pair, ...]
    """Who talks to whom inside the namespace."""
    public: Mapping[str, int]
    """Parts that the edge reaches, and their ports."""
    edge_namespace: str | None
    """Where the ingress controller or Gateway runs."""
    edge_callers: frozenset[str]
    """Parts that call public hosts of this stack."""
    internet: frozenset[str]
    """Parts that call web servers of others."""
    ranges: Mapping[str, tuple[Range, ...]]
    """Further destinations by part."""


class Network(Component):
    """One policy per part: closed in both directions but for the pairs the part is in.

    A part that opens connections by name may ask the cluster's DNS, the others may not.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Network", name, None, opts)
        if args.close_namespace:
            everything = k8s.meta.v1.LabelSelectorArgs()
            self._policy(f"{name}-closed", args.namespace, "closed", everything, ingress=[], egress=[])
        for part in args.parts:
            self._policy(
                f"{name}-{part}",
                args.namespace,
                part,
                pods_of(part),
                ingress=_ingress(args, part),
                egress=_egress(args, part),
            )
        self.register_outputs({"parts": list(args.parts)})

    def _policy(
        self,
        name: str,
        namespace: pulumi.Input[str],
        part: str,
        selected: k8s.meta.v1.LabelSelectorArgs,
        *,
        ingress: list[k8s.networking.v1.NetworkPolicyIngressRuleArgs],
        egress: list[k8s.networking.v1.NetworkPolicyEgressRuleArgs],
    ) -> None:
        k8s.networking.v1.NetworkPolicy(
            name,
            metadata=labels.metadata(part, namespace, name=f"skillflaw-{part}"),
            spec=k8s.networking.v1.NetworkPolicySpecArgs(
                pod_selector=selected, policy_types=["Ingress", "Egress"], ingress=ingress, egress=egress
            ),
            opts=self.child(),
        )


def _ingress(args: NetworkArgs, part: str) -> list[k8s.networking.v1.NetworkPolicyIngressRuleArgs]:
    peers = [
        (k8s.networking.v1.NetworkPolicyPeerArgs(pod_selector=pods_of(pair.source)), pair.port)
        for pair in args.pairs
        if pair.target == part
    ]
    if part in args.public:
        peers.append((_namespace(args.edge_namespace), args.public[part]))
    return [
        k8s.networking.v1.NetworkPolicyIngressRuleArgs(from_=[peer], ports=_ports(port))
        for peer, port in peers
    ]


def _egress(args: NetworkArgs, part: str) -> list[k8s.networking.v1.NetworkPolicyEgressRuleArgs]:
    peers = [
        (k8s.networking.v1.NetworkPolicyPeerArgs(pod_selector=pods_of(pair.target)), _ports(pair.port))
        for pair in args.pairs
        if pair.source == part
    ]
    peers += [(_range(where.cidr), _ports(*where.ports)) for where in args.ranges.get(part, ())]
    if part in args.edge_callers:
        # Their ports are the controller's own business: 8443 here, 443 there.
        peers.append((_namespace(args.edge_namespace), None))
    if part in args.internet:
        peers.append((_range("0.0.0.0/0", NOT_OUTSIDE), _ports(*WEB_PORTS)))
    if peers:
        peers.insert(0, (_DNS, [*_ports(*DNS_PORTS, protocol="UDP"), *_ports(*DNS_PORTS)]))
    return [k8s.networking.v1.NetworkPolicyEgressRuleArgs(to=[peer], ports=ports) for peer, ports in peers]


def _ports(*ports: int, protocol: str = "TCP") -> list[k8s.networking.v1.NetworkPolicyPortArgs]:
    return [k8s.networking.v1.NetworkPolicyPortArgs(port=port, protocol=protocol) for port in ports]


def _range(cidr: str, but: list[str] | None = None) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    return k8s.networking.v1.NetworkPolicyPeerArgs(
        ip_block=k8s.networking.v1.IPBlockArgs(cidr=cidr, except_=but)
    )


def _namespace(
    name: str | None, pods: k8s.meta.v1.LabelSelectorArgs | None = None
) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    return k8s.networking.v1.NetworkPolicyPeerArgs(
        namespace_selector=k8s.meta.v1.LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": name}),
        pod_selector=pods,
    )


_DNS = _namespace("kube-system", k8s.meta.v1.LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}))
