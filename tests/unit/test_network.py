"""Connections that the declared policies allow, and no further ones."""

import itertools

import pytest

from tests.stack_files import stack_file
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
EDGE = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}}
DNS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}

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


def policy(program: Program, part: str) -> dict:
    return program.one("NetworkPolicy", f"network-{part}").inputs["spec"]


def peers(program: Program, part: str, way: str) -> list[tuple[dict, set[int] | None]]:
    """Whom a part may hear (`ingress`) or call (`egress`), and on which TCP ports; None is all."""
    key = {"ingress": "from", "egress": "to"}[way]
    return [
        (
            peer,
            {port["port"] for port in rule["ports"] if port["protocol"] == "TCP"}
            if "ports" in rule
            else None,
        )
        for rule in policy(program, part)[way]
        for peer in rule[key]
    ]


def may_talk(program: Program, source: str, target: str) -> bool:
    """Whether both ends allow a connection to the target's port."""

    def names(part: str, peer: dict) -> bool:
        selector = peer.get("podSelector", {}).get("matchLabels", {})
        return "namespaceSelector" not in peer and selector.get("app.kubernetes.io/component") == part

    def allows(part: str, way: str, other: str) -> bool:
        return any(names(other, peer) and PORTS[target] in ports for peer, ports in peers(program, part, way))

    return allows(source, "egress", target) and allows(target, "ingress", source)


def test_every_part_has_a_policy_that_closes_both_directions(closed):
    assert {declared.name for declared in closed.of("NetworkPolicy")} == {"network-closed"} | {
        f"network-{part}" for part in closed.components
    }
    for declared in closed.of("NetworkPolicy"):
        assert declared.inputs["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_what_the_stack_does_not_know_is_closed_in_a_namespace_it_made(closed):
    assert policy(closed, "closed") == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": [],
    }
    shared = lab(namespace={"create": False})
    assert not [declared for declared in shared.of("NetworkPolicy") if declared.name == "network-closed"]


def test_exactly_the_pairs_that_really_talk_may(closed):
    talk = {pair for pair in itertools.permutations(PORTS, 2) if may_talk(closed, *pair)}
    assert talk == TALK


def test_the_edge_reaches_public_parts_only(closed):
    reached = {
        part: ports
        for part in closed.components
        for peer, ports in peers(closed, part, "ingress")
        if peer == EDGE
    }
    assert reached == {"backend": {7860}, "frontend": {8080}, "docs": {8080}}


def test_without_surfaces_the_edge_reaches_nothing():
    config = stack_file("lab")
    for section in ("surfaces", "edge"):
        del config[section]
    private = run(config | {"network": {}})
    assert not [
        peer for part in private.components for peer, _ in peers(private, part, "ingress") if peer == EDGE
    ]


def test_only_parts_that_call_by_name_may_ask_the_dns(closed):
    asking = {
        part for part in closed.components if any(peer == DNS for peer, _ in peers(closed, part, "egress"))
    }
    assert asking == {"backend", "bootstrap", "backup", "frontend"}


def test_the_outside_is_the_internet_without_private_ranges_and_without_metadata(closed):
    for part in closed.components:
        for peer, ports in peers(closed, part, "egress"):
            if "ipBlock" in peer:
                assert part in ("backend", "frontend")
                assert ports == {80, 443}
                assert set(peer["ipBlock"]["except"]) >= {
                    "10.0.0.0/8",
                    "172.16.0.0/12",
                    "192.168.0.0/16",
                    "169.254.0.0/16",
                }


def test_state_and_documentation_call_nobody(closed):
    for part in ("postgresql", "redis", "docs"):
        assert policy(closed, part)["egress"] == []


def test_a_further_destination_is_open_to_those_only_who_use_state():
    program = lab(network={"edgeNamespace": "traefik", "egress": [{"cidr": "10.9.0.0/16", "ports": [5433]}]})
    reach = {
        part
        for part in program.components
        for peer, ports in peers(program, part, "egress")
        if peer == {"ipBlock": {"cidr": "10.9.0.0/16"}} and ports == {5433}
    }
    assert reach == {"backend", "bootstrap", "backup"}


@pytest.mark.parametrize("host", ["skillflaw-backend", "skillflaw-backend.skillflaw.svc.cluster.local"])
def test_a_ui_that_proxies_inside_the_cluster_calls_the_backend_and_not_the_world(host):
    program = lab(frontend={"port": 8080, "backendUrl": f"http://{host}:7860"})
    assert may_talk(program, "frontend", "backend")
    assert len(peers(program, "frontend", "egress")) == 2
    assert any(peer == DNS for peer, _ in peers(program, "frontend", "egress"))


@pytest.mark.parametrize("host", ["skillflaw-backend.example.com", "skillflaw-backendx.svc:7860"])
def test_a_ui_that_proxies_to_a_public_host_calls_the_world_and_not_the_backend(host):
    program = lab(frontend={"port": 8080, "backendUrl": f"https://{host}"})
    assert not may_talk(program, "frontend", "backend")
    assert any(peer == EDGE for peer, _ in peers(program, "frontend", "egress"))
    assert any("ipBlock" in peer for peer, _ in peers(program, "frontend", "egress"))


def test_policies_can_be_left_to_others():
    assert not run(stack_file("lab") | {"network": {"policies": False}}).of("NetworkPolicy")


# --- the documented table ----------------------------------------------------------------------


def named(peer: dict) -> str:
    """A peer as the documentation calls it."""
    if peer == EDGE:
        return "edge"
    if peer == DNS:
        return "dns"
    if "ipBlock" in peer:
        return "internet"
    return peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]


def described(program: Program, part: str, way: str) -> str:
    entries = {
        " ".join([named(peer), *map(str, sorted(ports or ()))]) for peer, ports in peers(program, part, way)
    }
    return ", ".join(sorted(entries)) or "nobody"


def test_the_documented_table_is_what_the_policies_say(closed):
    rows = [
        line.strip("| ").split(" | ") for line in DOCUMENTED.read_text().splitlines() if line.startswith("|")
    ]
    documented = {
        part: tuple(", ".join(sorted(cell.split(", "))) for cell in cells) for part, *cells in rows[2:]
    }
    assert documented == {
        part: (described(closed, part, "ingress"), described(closed, part, "egress"))
        for part in closed.components
    }
