"""Connections that the declared policies allow, and no further ones."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from settings.load import parse
from settings.problems import SettingsError
from tests.stack_files import filled_in, stack_file
from tests.unit.evaluator import Address, Endpoint, Pod, passes
from tests.unit.recorder import ROOT, Program, run

DOCUMENTED = ROOT / "docs" / "network.md"

PORTS = {
    "backend": 7860,
    "frontend": 8080,
    "docs": 8080,
    "postgresql": 5432,
    "redis": 6379,
    "bootstrap": 7860,
    "backup": 5432,
}
TRIED = (22, 53, 80, 443, 5353, 5432, 6379, 7860, 8000, 8080, 8089, 8443, 9090)
"""Ports at which a packet is tried."""
OUTSIDE = {
    "edge": Pod("traefik", {"app.kubernetes.io/name": "traefik"}),
    "dns": Pod("kube-system", {"k8s-app": "kube-dns"}),
    "internet": Address("198.51.100.1"),
}
"""What the documentation calls whatever is no part of the stack, and one of it."""
SOLVER = Pod("skillflaw", {"acme.cert-manager.io/http01-solver": "true"})
STRANGERS = [Pod("elsewhere", {}), Pod("skillflaw", {}), Address("10.1.2.3"), Address("198.51.100.1")]

TALK = {
    ("backend", "postgresql"),
    ("backend", "redis"),
    ("bootstrap", "postgresql"),
    ("bootstrap", "redis"),
    ("backup", "postgresql"),
}
"""Every pair inside the namespace that may talk; no other may."""


def lab(**sections) -> Program:
    return run(stack_file("lab") | sections)


@pytest.fixture(scope="module")
def closed():
    return lab()


def pod_of(part: str) -> Pod:
    return Pod(
        "skillflaw", {"app.kubernetes.io/name": "skillflaw", "app.kubernetes.io/component": part, "x": "y"}
    )


def policies(program: Program) -> list[Mapping[str, Any]]:
    return [declared.inputs for declared in program.of("NetworkPolicy")]


def reach(program: Program, source: Endpoint, target: Endpoint, protocol: str = "TCP") -> set[int]:
    """The tried ports at which a connection passes."""
    return {port for port in TRIED if passes(policies(program), source, target, port, protocol)}


def called(program: Program, target: Endpoint, protocol: str = "TCP") -> dict[str, set[int]]:
    """Every part that reaches a target, and the ports."""
    found = {part: reach(program, pod_of(part), target, protocol) for part in program.components}
    return {part: ports for part, ports in found.items() if ports}


def heard(program: Program, source: Endpoint) -> dict[str, set[int]]:
    """Every part that a source reaches, and the ports."""
    found = {part: reach(program, source, pod_of(part)) for part in program.components}
    return {part: ports for part, ports in found.items() if ports}


def refused(**network) -> dict[str, str]:
    """Paths of a refusal, and its remedies."""
    with pytest.raises(SettingsError) as error:
        parse(stack_file("lab") | {"network": network}, set())
    return {problem.path: problem.remedy for problem in error.value.problems}


# --- inside ------------------------------------------------------------------------------------


def test_every_part_has_a_policy_that_closes_both_directions(closed):
    assert {declared.name for declared in closed.of("NetworkPolicy")} == {
        "network-closed",
        "network-acme-http01-solver",
    } | {f"network-{part}" for part in closed.components}
    for declared in closed.of("NetworkPolicy"):
        assert declared.inputs["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_no_rule_is_without_peers():
    program = lab(network={"edge": [{"namespace": "traefik"}], "callers": [], "monitoring": [], "egress": []})
    for policy in policies(program):
        assert all(rule["from"] for rule in policy["spec"]["ingress"])
        assert all(rule["to"] for rule in policy["spec"]["egress"])


def test_what_the_stack_does_not_know_is_closed_in_a_namespace_it_made(closed):
    unknown, elsewhere = Pod("skillflaw", {"app": "unknown"}), Pod("elsewhere", {})
    assert not reach(closed, unknown, elsewhere)
    assert not reach(closed, elsewhere, unknown)
    shared = lab(namespace={"create": False})
    assert reach(shared, unknown, elsewhere) == reach(shared, elsewhere, unknown) == set(TRIED)


def test_exactly_the_pairs_that_really_talk_may(closed):
    talk = {
        pair
        for pair in itertools.permutations(PORTS, 2)
        if reach(closed, pod_of(pair[0]), pod_of(pair[1])) == {PORTS[pair[1]]}
    }
    assert talk == TALK


def test_a_stranger_reaches_nothing(closed):
    for stranger in STRANGERS:
        assert heard(closed, stranger) == {}


# --- the edge ----------------------------------------------------------------------------------

PUBLIC = {"backend": {7860}, "frontend": {8080}, "docs": {8080}}
EDGES = {
    "pods of a namespace": ([{"namespace": "gateways"}], Pod("gateways", {}), Pod("traefik", {})),
    "some pods of a namespace": (
        [{"namespace": "kube-system", "labels": {"app.kubernetes.io/name": "traefik"}}],
        Pod("kube-system", {"app.kubernetes.io/name": "traefik"}),
        Pod("kube-system", {"app.kubernetes.io/name": "other"}),
    ),
    "addresses of a load balancer": ([{"cidr": "10.30.0.0/16"}], Address("10.30.7.7"), Address("10.31.7.7")),
    "addresses over IPv6": ([{"cidr": "fd00:20::/64"}], Address("fd00:20::7"), Address("fd00:21::7")),
    "nodes and pods": (
        [{"namespace": "gateways"}, {"cidr": "192.168.7.0/24"}],
        Address("192.168.7.7"),
        Pod("traefik", {}),
    ),
}


def test_the_edge_reaches_public_parts_only(closed):
    assert heard(closed, OUTSIDE["edge"]) == PUBLIC


@pytest.mark.parametrize("name", EDGES)
def test_whoever_carries_requests_reaches_the_public_parts_and_its_neighbour_does_not(name):
    edge, carrier, neighbour = EDGES[name]
    program = lab(network={"edge": edge})
    assert heard(program, carrier) == PUBLIC
    assert heard(program, neighbour) == {}


@pytest.mark.parametrize("name", ["addresses of a load balancer", "addresses over IPv6"])
def test_of_addresses_the_web_ui_calls_the_ports_of_the_web_alone(name):
    edge, carrier, _ = EDGES[name]
    assert called(lab(network={"edge": edge}), carrier) == {"frontend": {80, 443}}


def test_without_surfaces_the_edge_reaches_nothing():
    config = stack_file("lab")
    for section in ("surfaces", "edge"):
        del config[section]
    private = run(config | {"network": {}})
    assert heard(private, OUTSIDE["edge"]) == {}


@pytest.mark.parametrize(
    ("network", "path"),
    [
        ({"edge": [{"namespace": "traefik"}], "policies": False}, "network.edge"),
        ({"callers": [{"namespace": "shop"}], "policies": False}, "network.callers"),
        ({"monitoring": [{"cidr": "10.3.0.0/16"}], "policies": False}, "network.monitoring"),
        ({"egress": [{"cidr": "10.3.0.0/16", "ports": [1]}], "policies": False}, "network.egress"),
        ({"dns": [{"cidr": "10.96.0.10/32"}], "policies": False}, "network.dns"),
        ({"edge": [{"namespace": "traefik"}], "dns": []}, "network.dns"),
        ({"edge": [{"namespace": "traefik", "cidr": "10.3.0.0/16"}]}, "network.edge[0]"),
        ({"edge": [{"namespace": "traefik"}, {"labels": {"app": "x"}}]}, "network.edge[1]"),
        ({"edge": [{"cidr": "10.3.0.0/16", "labels": {"app": "x"}}]}, "network.edge[0].labels"),
        (
            {"edge": [{"namespace": "traefik"}], "egress": [{"namespace": "databases"}]},
            "network.egress[0].ports",
        ),
        ({"edge": [{"namespace": "traefik"}, {"namespace": "skillflaw"}]}, "namespace.name"),
    ],
)
def test_peers_without_an_effect_or_of_two_kinds_are_refused(network, path):
    assert refused(**network).keys() == {path}


def test_peers_of_an_edge_without_a_surface_are_refused():
    config = stack_file("lab")
    del config["surfaces"]
    with pytest.raises(SettingsError, match=r"network\.callers"):
        parse(config, set())


@pytest.mark.parametrize("name", ["traefik", "ingress-nginx"])
def test_the_key_of_0_1_0_is_refused_with_its_new_spelling(name):
    assert "network.edge: [{namespace: NAME}]" in refused(edgeNamespace=name)["network.edgeNamespace"]


def test_a_row_of_0_1_0_in_egress_is_accepted():
    row = {"cidr": "10.20.0.0/16", "ports": [5432]}
    parse(stack_file("lab") | {"network": {"edge": [{"namespace": "traefik"}], "egress": [row]}}, set())


def test_whoever_must_name_a_peer_is_shown_where_it_is_for_each_kind_of_cluster():
    external = {"database": {"external": {"secretName": "db", "key": "url"}}, "network": {}}
    with pytest.raises(SettingsError) as error:
        parse(stack_file("lab") | external, set())
    remedies = {problem.path: problem.remedy for problem in error.value.problems}
    assert remedies.keys() == {"network.edge", "network.egress"}
    assert all("docs/clusters.md" in remedy for remedy in remedies.values())


@pytest.mark.parametrize(
    "cidr", ["10.0.0.0/8", "192.168.7.7/32", "fd00:20::/64", "2001:db8::/32", "fd00:20::5/128"]
)
def test_a_range_is_of_either_family(cidr):
    parse(stack_file("lab") | {"network": {"edge": [{"cidr": cidr}]}}, set())


@pytest.mark.parametrize(
    "cidr",
    [
        *(
            "10.20.0.5",
            "fd00::5",
            "10.20.0.1/16",
            "fd00:20::1/64",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/0.0.0.255",
        ),
        *("::ffff:10.0.0.0/104", "fe80::%eth0/64", "10.20.0.0/33", "fd00::/129", "db.example.com", ""),
    ],
)
def test_what_kubernetes_takes_for_no_range_is_refused(cidr):
    assert refused(edge=[{"cidr": cidr}]).keys() == {"network.edge[0].cidr"}


# --- certificates ------------------------------------------------------------------------------


def test_a_challenge_of_an_issuer_is_answered_through_the_edge(closed):
    assert reach(closed, OUTSIDE["edge"], SOLVER) == {8089}
    assert not reach(closed, SOLVER, OUTSIDE["dns"]) | reach(closed, SOLVER, OUTSIDE["internet"])
    for stranger in STRANGERS:
        assert not reach(closed, stranger, SOLVER)


def test_the_committed_production_file_lets_certificates_be_issued():
    edge = Pod("traefik", {"app.kubernetes.io/name": "traefik"})
    assert reach(run(filled_in("prod")), edge, SOLVER) == {8089}


@pytest.mark.parametrize(
    "edits",
    [
        {"edge": {"ingress": {"className": "traefik"}}},
        {"edge": {"gateway": {"name": "public", "namespace": "traefik"}}},
        {"namespace": {"create": False}},
        {"surfaces": {"docs": {"host": "docs.skillflaw.test", "tls": {"secretName": "docs-tls"}}}},
    ],
)
def test_solvers_have_no_policy_where_none_is_asked_for_or_none_is_closed(edits):
    assert not [it for it in lab(**edits).of("NetworkPolicy") if "solver" in it.name]


# --- names -------------------------------------------------------------------------------------

ASKING = {"backend", "bootstrap", "backup", "frontend"}


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_only_parts_that_call_by_name_may_ask_the_dns(closed, protocol):
    asking = called(closed, OUTSIDE["dns"], protocol)
    assert {part for part, ports in asking.items() if ports == {53, 5353}} == asking.keys() == ASKING
    assert not called(closed, Pod("kube-system", {"k8s-app": "other"}), protocol)


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_a_cache_of_names_on_the_node_is_asked_and_nothing_else_of_link_local(closed, protocol):
    assert called(closed, Address("169.254.20.10"), protocol).keys() == ASKING
    for ports in called(closed, Address("169.254.20.10"), protocol).values():
        assert ports == {53, 5353}
    for metadata in ("169.254.169.254", "169.254.20.11", "fd00:ec2::254", "fe80::1"):
        assert called(closed, Address(metadata), protocol) == {}


@pytest.mark.parametrize(
    ("dns", "resolver"),
    [
        (
            {"namespace": "openshift-dns", "labels": {"dns.operator.openshift.io/daemonset-dns": "default"}},
            Pod("openshift-dns", {"dns.operator.openshift.io/daemonset-dns": "default"}),
        ),
        ({"cidr": "10.96.0.10/32"}, Address("10.96.0.10")),
        ({"cidr": "fd00:20::a/128"}, Address("fd00:20::a")),
        ({"cidr": "169.254.169.254/32"}, Address("169.254.169.254")),
    ],
)
def test_a_clusters_own_resolver_takes_the_place_of_the_usual_one(dns, resolver):
    program = lab(network={"edge": [{"namespace": "traefik"}], "dns": [dns]})
    for protocol in ("UDP", "TCP"):
        asking = called(program, resolver, protocol)
        assert asking.keys() == ASKING
        assert all(ports == {53, 5353} for ports in asking.values())
    assert called(program, Address("169.254.20.10"), "UDP") == {}
    assert not reach(program, pod_of("backup"), OUTSIDE["dns"], "UDP")


@pytest.mark.parametrize(
    "cidr", ["0.0.0.0/0", "169.254.0.0/16", "8.0.0.0/7", "::/0", "2000::/3", "fe80::/10"]
)
def test_a_wide_range_answers_no_names(cidr):
    assert refused(edge=[{"namespace": "traefik"}], dns=[{"cidr": cidr}]).keys() == {"network.dns[0].cidr"}


# --- inside the cluster ------------------------------------------------------------------------


PEERS = [{"namespace": "shop", "labels": {"app": "till"}}, {"cidr": "10.40.0.0/16"}]


@pytest.mark.parametrize(
    ("sections", "heard_at"),
    [
        ({"network": {"callers": PEERS}}, 7860),
        ({"network": {"monitoring": PEERS}, "monitoring": {"metrics": {}}}, 9090),
    ],
    ids=["callers", "monitoring"],
)
def test_a_client_inside_the_cluster_reaches_the_backend_alone(sections, heard_at):
    config = {name: value for name, value in stack_file("lab").items() if name not in ("surfaces", "edge")}
    program = run(config | sections)
    assert heard(program, Pod("shop", {"app": "till"})) == {"backend": {heard_at}}
    assert heard(program, Address("10.40.1.1")) == {"backend": {heard_at}}
    for stranger in (Pod("shop", {}), Pod("elsewhere", {"app": "till"}), Address("10.41.1.1"), *STRANGERS):
        assert heard(program, stranger) == {}


def test_without_metrics_no_port_is_open_for_scrapes():
    program = lab(network={"edge": [{"namespace": "traefik"}], "callers": PEERS})
    for endpoint in (OUTSIDE["edge"], Pod("shop", {"app": "till"}), *STRANGERS):
        assert 9090 not in reach(program, endpoint, pod_of("backend"))


@pytest.mark.parametrize("key", ["edge", "callers", "monitoring", "egress"])
@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "169.254.20.10/32", "::/0", "fd00:ec2::254/128", "16.0.0.0/5"])
def test_neither_the_internet_nor_metadata_is_a_peer(key, cidr):
    row = {"cidr": cidr} | ({"ports": [80]} if key == "egress" else {})
    edge = {"edge": [{"namespace": "traefik"}]}
    found = refused(**(edge | {key: [row]})).keys()
    assert found - {"network.monitoring"} == {f"network.{key}[0].cidr"}


# --- outside -----------------------------------------------------------------------------------

NEVER = [
    *("10.1.1.1", "100.64.1.1", "127.0.0.1", "169.254.169.254", "172.16.1.1", "192.168.1.1"),
    *("fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1"),
]


@pytest.mark.parametrize("address", ["198.51.100.1", "2001:db8::1"])
def test_the_outside_is_the_web_of_both_families(closed, address):
    assert called(closed, Address(address)) == {"backend": {80, 443}, "frontend": {80, 443}}
    assert called(closed, Address(address), "UDP") == {}


def test_private_ranges_and_metadata_are_not_outside(closed):
    for address in NEVER:
        assert called(closed, Address(address)) == {}


def test_state_and_documentation_call_nobody(closed):
    for part in ("postgresql", "redis", "docs"):
        policy = closed.one("NetworkPolicy", f"network-{part}").inputs
        assert policy["spec"]["egress"] == []


@pytest.mark.parametrize(
    ("row", "target", "neighbour"),
    [
        ({"cidr": "10.9.0.0/16"}, Address("10.9.1.1"), Address("10.10.1.1")),
        ({"cidr": "fd00:20::/64"}, Address("fd00:20::5"), Address("fd00:21::5")),
        ({"namespace": "databases"}, Pod("databases", {}), Pod("elsewhere", {})),
        (
            {"namespace": "databases", "labels": {"cnpg.io/cluster": "app"}},
            Pod("databases", {"cnpg.io/cluster": "app"}),
            Pod("databases", {"cnpg.io/cluster": "other"}),
        ),
    ],
)
def test_a_further_destination_is_open_to_those_only_who_use_state(row, target, neighbour):
    egress = [row | {"ports": [5432, 6379]}]
    program = lab(network={"edge": [{"namespace": "traefik"}], "egress": egress})
    reached = {part: {5432, 6379} for part in ("backend", "bootstrap", "backup")}
    assert called(program, target) == reached
    assert called(program, neighbour) == {}


@pytest.mark.parametrize("host", ["skillflaw-backend", "skillflaw-backend.skillflaw.svc.cluster.local"])
def test_a_ui_that_proxies_inside_the_cluster_calls_the_backend_and_not_the_world(host):
    program = lab(frontend={"port": 8080, "backendUrl": f"http://{host}:7860"})
    frontend = pod_of("frontend")
    assert reach(program, frontend, pod_of("backend")) == {7860}
    assert reach(program, frontend, OUTSIDE["dns"], "UDP") == {53, 5353}
    assert not reach(program, frontend, OUTSIDE["internet"]) | reach(program, frontend, OUTSIDE["edge"])


@pytest.mark.parametrize("host", ["skillflaw-backend.example.com", "skillflaw-backendx.svc:7860"])
def test_a_ui_that_proxies_to_a_public_host_calls_the_world_and_not_the_backend(host):
    program = lab(frontend={"port": 8080, "backendUrl": f"https://{host}"})
    frontend = pod_of("frontend")
    assert not reach(program, frontend, pod_of("backend"))
    assert reach(program, frontend, OUTSIDE["edge"]) == set(TRIED)
    assert reach(program, frontend, OUTSIDE["internet"]) == {80, 443}


def test_policies_can_be_left_to_others():
    assert not run(stack_file("lab") | {"network": {"policies": False}}).of("NetworkPolicy")


# --- the documented table ----------------------------------------------------------------------


def listed(found: Mapping[str, set[int]]) -> str:
    entries = {
        " ".join([name, *([] if ports == set(TRIED) else map(str, sorted(ports)))])
        for name, ports in found.items()
        if ports
    }
    return ", ".join(sorted(entries)) or "nobody"


def test_the_documented_table_is_what_the_policies_let_through(closed):
    rows = [
        line.strip("| ").split(" | ") for line in DOCUMENTED.read_text().splitlines() if line.startswith("|")
    ]
    documented = {
        part: tuple(", ".join(sorted(cell.split(", "))) for cell in cells) for part, *cells in rows[2:]
    }
    everything = OUTSIDE | {part: pod_of(part) for part in closed.components}
    assert documented == {
        part: (
            listed(
                {name: reach(closed, it, pod_of(part)) for name, it in everything.items() if name != part}
            ),
            listed(
                {name: reach(closed, pod_of(part), it) for name, it in everything.items() if name != part}
            ),
        )
        for part in closed.components
    }
