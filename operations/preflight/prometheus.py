"""Objects of the Prometheus operator: whether any Prometheus of the cluster selects them."""

from collections.abc import Iterator, Sequence
from typing import Any

from operations.preflight.found import Found
from operations.preflight.problem import Outcome, Problem
from operations.preflight.selectors import selects, words
from operations.preflight.wanted import Object, Wanted, name_of
from operations.review.preview import at

GROUP = "monitoring.coreos.com"
READERS = {
    "PodMonitor": ("podMonitor", ("v1/prometheuses", "v1alpha1/prometheusagents")),
    "PrometheusRule": ("rule", ("v1/prometheuses", "v1/thanosrulers")),
}
"""How the selectors of a kind are called, and the kinds of objects that have them."""
KEYS = {"PodMonitor": "monitoring.metrics.labels", "PrometheusRule": "monitoring.rules.labels"}


def selected(wanted: Wanted, found: Found) -> Outcome:
    asked = [each for each in wanted.of(*READERS) if each["apiVersion"].startswith(f"{GROUP}/")]
    if not asked:
        return Outcome("Prometheus: nothing is asked of one")
    readers = {kind: list(_readers(places, found)) for kind, (_, places) in READERS.items()}
    if not any(readers.values()):
        # Agents of other makers read these objects too, and have none of their own.
        return Outcome(f"Prometheus: no object of {GROUP} says who reads {', '.join(map(name_of, asked))}")
    problems = tuple(
        Problem(
            f"a Prometheus that selects {name_of(each)}",
            f"{'; '.join(_words(reader, READERS[each['kind']][0]) for reader in readers[each['kind']]) or 'none is there'}",
            f"{KEYS[each['kind']]} in the stack file, or another selector of that Prometheus",
        )
        for each in asked
        if not any(_selects(reader, each, found) for reader in readers[each["kind"]])
    )
    return Outcome(f"Prometheus: {len(asked)} objects that one is to select", problems)


def _readers(places: Sequence[str], found: Found) -> Iterator[Object]:
    for place in places:
        yield from found.items(f"/apis/{GROUP}/{place}")


def _selects(reader: Object, each: Object, found: Found) -> bool:
    name, _ = READERS[each["kind"]]
    own, theirs = found.namespace, at(reader, "metadata", "namespace")
    near = at(reader, "spec", f"{name}NamespaceSelector")
    labels = {"kubernetes.io/metadata.name": own} | (found.namespaces().get(own) or {})
    # Without a selector of namespaces it is its own alone, without one of labels it is nothing.
    here = own == theirs if near is None else selects(near, labels)
    of = at(reader, "spec", f"{name}Selector")
    return here and of is not None and selects(of, at(each, "metadata", "labels") or {})


def _words(reader: Object, name: str) -> str:
    def said(selector: Any, nothing: str) -> str:
        return nothing if selector is None else words(selector)

    spec = reader["spec"]
    return (
        f"{at(reader, 'metadata', 'namespace')}/{at(reader, 'metadata', 'name')} selects "
        f"{said(spec.get(f'{name}Selector'), 'none')} in namespaces with "
        f"{said(spec.get(f'{name}NamespaceSelector'), 'its own name alone')}"
    )
