"""Kinds of resources to a reviewer: state that is lost with it, a version among many, or anything else."""

from collections.abc import Collection

from operations.review.preview import Step, type_of

HOLDS_STATE = {"Namespace", "PersistentVolume", "PersistentVolumeClaim", "StatefulSet", "Cluster"}
"""Kinds of Kubernetes objects that data goes with."""

KEEPS_NOTHING = "skillflaw:app:InClusterCache"
"""A component whose generated password locks nothing up: what it holds is gone with every restart."""
LOGIN = "skillflaw:app:Login"
"""A component whose Secrets a server learns before anybody reads them."""
VERSIONED_PASSWORD = "skillflaw:app:VersionedPassword"  # noqa: S105 - a component's type
RENEWED = frozenset({KEEPS_NOTHING, LOGIN, "skillflaw:app:OperatedDatabase", VERSIONED_PASSWORD})
"""Components that take a password made again for the one that counts."""

VERSIONED = {"ConfigMap", "Secret", "Job"}
"""Kinds the program never edits: new content is a new object under a new name, and its readers follow."""

LOSING = ("replace", "delete", "discard")


def loses(step: Step) -> bool:
    """Whether the object that exists now would be gone afterwards."""
    return step.is_object and any(word in step.op for word in LOSING)


def generators(step: Step) -> frozenset[str]:
    """URNs of the generated values that a Secret carries."""
    if step.kind != "Secret":
        return frozenset()
    return frozenset(urn for urn in step.depends_on if type_of(urn).startswith("random:"))


def holds_state(step: Step) -> bool:
    """Whether something is lost with it that no run of the program makes again."""
    generated = step.type.startswith("random:") or bool(generators(step))
    return step.kind in HOLDS_STATE or (generated and RENEWED.isdisjoint(step.owners))


def is_version(step: Step, lost: Collection[str]) -> bool:
    """Whether a replacement is the designed way of changing the object.

    A Secret that carries a generated value is one as long as the value stays, so its generator is not in `lost`.
    """
    renewed = holds_state(step) and generators(step) & set(lost)
    named = step.named_by_content or LOGIN in step.owners
    return step.op == "replace" and step.kind in VERSIONED and named and not renewed


def makes_password(step: Step) -> bool:
    """Whether a password is made that takes the place of one before it."""
    again = loses(step) and step.op != "delete"
    return (
        step.type.startswith("random:")
        and not holds_state(step)
        and (again or (step.op == "create" and VERSIONED_PASSWORD in step.owners))
    )
