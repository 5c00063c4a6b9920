"""What differs from the state, and what has begun and not ended."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from detection.scrub import scrubbed
from operations import drift as by_hand
from operations.backup import RESTORE
from operations.review.preview import at
from operations.status.asked import WORKLOADS, Asked, holds, why

LOOKED_AT = {
    *WORKLOADS,
    "CronJob",
    "HTTPRoute",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "NetworkPolicy",
    "Secret",
    "Service",
    "ServiceAccount",
}
"""Kinds that a stack declares and that are read to look for drift."""

Object = dict[str, Any]


def drift(asked: Asked) -> tuple[str, ...]:
    """Sentences about objects that are not as they were declared, and about what was added by hand."""
    live = by_hand.live(asked.kubectl)
    added = by_hand.compare(asked.declared, live, asked.kubectl)
    return (*_edited(asked.declared, live), *(f"{name}: {words}" for name, words in added.lines))


def _edited(declared: Iterable[Object], live: Collection[Object]) -> Iterator[str]:
    """Objects that are gone, and numbers and images that are not the declared ones."""
    known = {(row["kind"], row["metadata"]["name"]): row for row in live}
    for row in declared:
        kind, name = row["kind"], row["metadata"].get("name")
        found = known.get((kind, name))
        if found is None:
            if kind in LOOKED_AT:
                yield f"{kind} {name} does not exist"
            continue
        for key in ("replicas", "instances", "schedule", "suspend"):
            said, now = at(row, "spec", key), at(found, "spec", key)
            if said is not None and said != now:
                yield f"{kind} {name}: {key} is {now} instead of {said}"
        said, now = (dict(_images(each)) for each in (row, found))
        for container, image in said.items():
            if now.get(container, image) != image:
                yield f"{kind} {name}: image of {container} is {now[container]} instead of {image}"


def _images(row: Object) -> Iterator[tuple[str, str]]:
    spec = row.get("spec")
    template = at(spec, "template") or at(spec, "jobTemplate", "spec", "template")
    for part in ("initContainers", "containers"):
        for container in at(template, "spec", part) or ():
            yield container["name"], container["image"]


def unfinished(asked: Asked) -> tuple[str, ...]:
    """Sentences about operations that have begun and not ended."""
    return tuple(_begun(asked))


def _begun(asked: Asked) -> Iterator[str]:
    stack, jobs = asked.stack, asked.objects("Job")
    if asked.state.get("pending_operations"):
        yield f"a `pulumi up` was killed, or runs now; if not: python -m operations recover --stack {stack}"
    if asked.outputs.released:
        yield f"{', '.join(asked.outputs.released)} released, and nothing has taken the place yet: `pulumi up`"
    for job in jobs:
        name = job["metadata"]["name"]
        running = not holds(job, "Complete") and not holds(job, "Failed")
        if name == RESTORE and running:
            yield f"Job {name} runs"
    bootstraps = [
        job for job in jobs if at(job, "metadata", "labels", "app.kubernetes.io/component") == "bootstrap"
    ]
    newest = sorted(bootstraps, key=lambda job: str(job["metadata"]["creationTimestamp"]))
    # The key's guard and the bootstrap itself.
    for job in newest[-2:]:
        if holds(job, "Failed"):
            yield f"Job {job['metadata']['name']} failed: {scrubbed(why(job, 'Failed'))}"
