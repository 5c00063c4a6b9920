"""Peers of the closed network."""

from collections.abc import Iterator

from settings.addresses import is_internet, reaches_metadata
from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import Cache, Database, Network, Peer, Surfaces


@rule
def policies_know_the_edge(surfaces: Surfaces, network: Network) -> Iterator[Problem]:
    if network.policies and surfaces.present() and not network.edge:
        yield Problem(
            path="network.edge",
            found="nothing, with closed network policies, behind which no public request reaches a pod",
            allowed="the peers that carry public requests: {namespace, labels} of pods, {cidr} of addresses",
            remedy="write network.edge, e.g. [{namespace: traefik}]; docs/clusters.md has it for each kind of cluster",
        )


@rule
def peers_have_an_effect(surfaces: Surfaces, network: Network) -> Iterator[Problem]:
    usual = Network().peers()
    for key, peers in network.peers().items():
        if not network.policies and peers != usual[key]:
            yield Problem(
                path=f"network.{key}",
                found="peers, without the network policies that would let them through",
                allowed="peers with network.policies: true",
                remedy=f"remove network.{key}, or network.policies",
            )
    if network.policies and network.edge and not surfaces.present():
        yield Problem(
            path="network.edge",
            found="peers that carry public requests, and no surface to carry them to",
            allowed="network.edge next to a surface",
            remedy="add a row of surfaces, or write network.callers for clients inside the cluster",
        )


@rule
def operators_have_a_database(database: Database, network: Network) -> Iterator[Problem]:
    usual = Network().peers()
    for key in ("operator", "apiServer"):
        if network.policies and not database.cloud_native_pg and network.peers()[key] != usual[key]:
            yield Problem(
                path=f"network.{key}",
                found=f"peers of a database that an operator runs, next to database.{database.mode}",
                allowed=f"network.{key} next to database.cloudNativePg",
                remedy=f"remove network.{key}; destinations of the backend are network.egress",
            )


@rule
def operated_databases_reach_the_api_server(database: Database, network: Network) -> Iterator[Problem]:
    if network.policies and database.cloud_native_pg and not network.api_server:
        yield Problem(
            path="network.apiServer",
            found="nothing, with closed network policies, behind which no database pod learns what it is to do",
            allowed="addresses and ports of the API server itself; policies see them behind its Service",
            remedy="write network.apiServer, e.g. [{cidr: 10.0.0.4/32, ports: [6443]}]; "
            "`kubectl get endpointslices --selector=kubernetes.io/service-name=kubernetes` prints them",
        )


@rule
def labels_are_of_pods(network: Network) -> Iterator[Problem]:
    for path, peer in _peers(network):
        if peer.labels and peer.cidr:
            yield Problem(
                path=f"{path}.labels",
                found="labels of a range of addresses",
                allowed="labels next to namespace: they select pods",
                remedy="remove labels, or write the namespace of the pods instead of cidr",
            )


@rule
def peers_are_named(network: Network) -> Iterator[Problem]:
    for path, peer in _peers(network):
        if peer.cidr and is_internet(peer.cidr) and not reaches_metadata(peer.cidr):
            yield _wide(path, peer.cidr, "which is a piece of the internet and no network of somebody")


@rule
def peers_keep_out_of_metadata(network: Network) -> Iterator[Problem]:
    for path, peer in _peers(network):
        # A node's own cache of names, and the resolver of a cloud, answer at link-local addresses.
        resolver = path.startswith("network.dns") and peer.cidr and _is_address(peer.cidr)
        if peer.cidr and not resolver and reaches_metadata(peer.cidr):
            yield _wide(
                path, peer.cidr, "which holds addresses that answer with the machine's own credentials"
            )


def _peers(network: Network) -> Iterator[tuple[str, Peer]]:
    """Every peer and its path."""
    for key, peers in network.peers().items():
        for number, peer in enumerate(peers):
            yield f"network.{key}[{number}]", peer


def _is_address(cidr: str) -> bool:
    return cidr.endswith("/128" if ":" in cidr else "/32")


def _wide(path: str, cidr: str, found: str) -> Problem:
    return Problem(
        path=f"{path}.cidr",
        found=f"{cidr}, {found}",
        allowed="ranges without loopback, link-local and the clouds' metadata addresses, "
        "from /8 (IPv4) or /16 (IPv6) on",
        remedy="write the ranges of your own services, e.g. 10.20.0.0/16 or fd00:20::/64; "
        "the backend reaches the web on 80 and 443 already",
    )


@rule
def external_state_is_reachable(database: Database, cache: Cache, network: Network) -> Iterator[Problem]:
    far = [name for name, at in (("database", database), ("cache", cache)) if at.external]
    if network.policies and far and not network.egress:
        yield Problem(
            path="network.egress",
            found=f"an external {' and '.join(far)} behind policies that open only ports 80 and 443 outside",
            allowed="the peers and ports of state outside the stack",
            remedy="write network.egress, e.g. [{cidr: 10.20.0.0/16, ports: [5432, 6379]}], or "
            "[{namespace: databases, ports: [5432]}] for pods of this cluster; docs/clusters.md says which",
        )
