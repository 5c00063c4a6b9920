"""A policy about what Prometheus is asked to scrape: it reaches where no pod of the stack does."""

from collections.abc import Iterator

from policies.policy import policy
from policies.resources import Resource, Stack, mapping, mappings

_SPEC = frozenset({"selector", "podMetricsEndpoints"})
_ENDPOINT = frozenset({"port", "interval"})


@policy(
    why="Prometheus scrapes with rights and from a place that no pod of the stack has: a PodMonitor may point it at another "
    "namespace, another path, or hand it credentials to send.",
    remedy="Use the fields that `components/monitoring.py` sets; one that is needed next to them is added to "
    "`policies/monitoring.py`.",
)
def scraped_here(resource: Resource, stack: Stack) -> Iterator[str]:
    """A PodMonitor selects pods of its own namespace by labels, and asks a named port of theirs for metrics."""
    if resource.kind != "PodMonitor" or resource.group != "monitoring.coreos.com":
        return
    for field in sorted(mapping(resource.at("spec")).keys() - _SPEC):
        yield f"the PodMonitor sets {field}"
    if not mapping(resource.at("spec", "selector", "matchLabels")):
        yield "the PodMonitor selects every pod of the namespace"
    for endpoint in mappings(resource.at("spec", "podMetricsEndpoints")):
        for field in sorted(endpoint.keys() - _ENDPOINT):
            yield f"an endpoint of the PodMonitor sets {field}"
