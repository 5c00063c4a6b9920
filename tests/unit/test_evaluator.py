"""The evaluator of NetworkPolicies follows the API's own words."""

import pytest

from tests.unit.evaluator import Address, Pod, passes

WEB, SHOP = Pod("own", {"app": "web"}), Pod("shop", {"app": "till"})
OTHER = Pod("shop", {"app": "other"})


def policy(**spec) -> dict:
    return {"metadata": {"namespace": "own"}, "spec": {"podSelector": {}} | spec}


def hears(*rules: dict) -> list[dict]:
    return [policy(policyTypes=["Ingress"], ingress=list(rules))]


NAMESPACE = {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
TILL = {"matchLabels": {"app": "till"}}


def test_without_a_policy_everything_passes_and_an_empty_one_closes():
    assert passes([], SHOP, WEB, 1)
    assert not passes([policy()], SHOP, WEB, 1)
    assert passes([policy()], WEB, SHOP, 1)
    assert not passes([policy(policyTypes=["Egress"])], WEB, SHOP, 1)
    assert passes([policy(podSelector={"matchLabels": {"app": "db"}})], SHOP, WEB, 1)


def test_policies_add_up():
    assert passes([policy(), *hears({"from": [{"namespaceSelector": NAMESPACE}]})], SHOP, WEB, 1)


def test_both_selectors_of_one_peer_must_hold_and_one_of_two_peers():
    both = hears({"from": [{"namespaceSelector": NAMESPACE, "podSelector": TILL}]})
    either = hears({"from": [{"namespaceSelector": NAMESPACE}, {"podSelector": TILL}]})
    assert [passes(both, pod, WEB, 1) for pod in (SHOP, OTHER)] == [True, False]
    assert [passes(either, pod, WEB, 1) for pod in (SHOP, OTHER)] == [True, True]
    assert not passes(hears({"from": [{"podSelector": TILL}]}), SHOP, WEB, 1)


def test_a_rule_without_peers_or_ports_is_open():
    assert passes(hears({}), SHOP, WEB, 1)
    assert passes(hears({"ports": [{"protocol": "TCP"}]}), SHOP, WEB, 9)


@pytest.mark.parametrize(
    ("row", "port", "protocol", "open_"),
    [
        ({"port": 53}, 53, "TCP", True),
        ({"port": 53}, 53, "UDP", False),
        ({"port": 53, "protocol": "UDP"}, 53, "UDP", True),
        ({"port": 53}, 54, "TCP", False),
        ({"port": 50, "endPort": 60}, 60, "TCP", True),
        ({"port": 50, "endPort": 60}, 61, "TCP", False),
    ],
)
def test_ports_are_of_a_protocol_and_may_be_a_range(row, port, protocol, open_):
    assert passes(hears({"ports": [row]}), SHOP, WEB, port, protocol) is open_


def test_a_block_is_of_addresses_and_never_of_pods():
    block = {"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16"]}
    rules = hears({"from": [{"ipBlock": block}]})
    assert passes(rules, Address("10.1.2.3"), WEB, 1)
    assert not passes(rules, Address("10.9.2.3"), WEB, 1)
    assert not passes(rules, Address("fd00::1"), WEB, 1)
    assert not passes(rules, SHOP, WEB, 1)
    assert not passes(hears({"from": [{"podSelector": {}}]}), Address("10.1.2.3"), WEB, 1)


@pytest.mark.parametrize(
    ("operator", "values", "open_"),
    [
        ("In", ["till"], True),
        ("NotIn", ["till"], False),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_expressions_select_too(operator, values, open_):
    row = {"key": "app", "operator": operator, "values": values}
    selector = {"namespaceSelector": {}, "podSelector": {"matchExpressions": [row]}}
    assert passes(hears({"from": [selector]}), SHOP, WEB, 1) is open_
