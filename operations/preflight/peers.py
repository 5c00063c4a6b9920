"""Peers that NetworkPolicies name in other namespaces: what carries requests, who calls, who scrapes."""

from collections.abc import Iterator
from typing import Any

from operations.preflight.dns import is_dns
from operations.preflight.found import Found
from operations.preflight.problem import Outcome, Problem
from operations.preflight.selectors import query, selects, words
from operations.preflight.wanted import Wanted, name_of


def answered(wanted: Wanted, found: Found) -> Outcome:
    named: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for policy, peer in _peers(wanted):
        named.setdefault(_words(peer), (peer, []))[1].append(policy)
    problems = tuple(
        Problem(
            f"pods behind {key}, for {', '.join(dict.fromkeys(policies))}",
            "no pod has these labels, so the opening opens to nobody",
            "network in the stack file: the namespace and labels of the pods that are meant; or install them first",
        )
        for key, (peer, policies) in sorted(named.items())
        if not _exists(found, peer)
    )
    return Outcome(f"pods in other namespaces: {'; '.join(sorted(named)) or 'none'}", problems)


def _peers(wanted: Wanted) -> Iterator[tuple[str, dict[str, Any]]]:
    """Peers in some namespaces, who answers names left out: that is a check of its own."""
    for policy in wanted.of("NetworkPolicy"):
        spec = policy["spec"]
        rules = [(rule.get("from"), rule) for rule in spec.get("ingress") or ()]
        rules += [(rule.get("to"), rule) for rule in spec.get("egress") or () if not is_dns(rule)]
        for peers, _ in rules:
            for peer in peers or ():
                if peer.get("namespaceSelector") is not None:
                    yield name_of(policy), peer


def _exists(found: Found, peer: dict[str, Any]) -> bool:
    selector = query(peer.get("podSelector") or {})
    asked = {"limit": "1"} | ({"labelSelector": selector} if selector else {})
    return any(
        found.items(f"/api/v1/namespaces/{name}/pods", **asked)
        for name, labels in found.namespaces().items()
        if selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": name} | labels)
    )


def _words(peer: dict[str, Any]) -> str:
    pods = peer.get("podSelector")
    return f"namespace {words(peer['namespaceSelector'])}" + (f", pods {words(pods)}" if pods else "")
