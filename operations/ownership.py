"""The owner of an object: the program by its labels, one stack by a mark."""

from collections.abc import Mapping
from typing import Any

from operations.review.preview import at

OWN = {"app.kubernetes.io/part-of": "skillflaw", "app.kubernetes.io/managed-by": "pulumi"}
"""Labels of every object of the program."""
OWNER = "skillflaw.com/stack"
"""Annotation of a namespace that a stack made, and of a ConfigMap in one that it found: whose it is."""


def owner(each: dict[str, Any]) -> str | None:
    """The stack that an object is marked with."""
    mark: str | None = at(each, "metadata", "annotations", OWNER)
    return mark


def is_own(each: Mapping[str, Any]) -> bool:
    """Whether some stack of the program made the object."""
    labels = each["metadata"].get("labels") or {}
    return OWN.items() <= labels.items()
