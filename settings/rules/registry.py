"""The register of rules: one function per rule, each with the remedy in its words.

A rule's parameters are the sections it needs; the loader runs it whenever those parsed. Besides sections
there are `kubeconfig` (the text of the one that the stack carries, or None), `live` (the running stack) and
`autonaming` (Pulumi's own key of that name).
"""

from collections.abc import Callable, Iterator
from inspect import signature

from settings.problems import Problem

RULES: dict[Callable[..., Iterator[Problem]], frozenset[str]] = {}
"""Every rule, and the sections it needs."""


def rule(check: Callable[..., Iterator[Problem]]) -> Callable[..., Iterator[Problem]]:
    """Registers a rule with the loader."""
    RULES[check] = frozenset(signature(check).parameters)
    return check
