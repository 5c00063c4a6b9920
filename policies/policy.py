"""A policy: a check of one resource, why it is made, and what to do about a violation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import cleandoc

from policies.resources import Resource, Stack

Check = Callable[[Resource, Stack], Iterator[str]]
"""Yields one sentence per violation; none holds a value that could be a secret."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A named check with its documentation."""

    name: str
    what: str
    """One sentence that says what is safe."""
    check: Check
    why: str
    remedy: str
    whole: bool
    """Whether it reads the other resources of the stack."""


def policy(*, why: str, remedy: str, whole: bool = False) -> Callable[[Check], Policy]:
    """Makes a check the policy of its own name and docstring."""

    def made(check: Check) -> Policy:
        return Policy(
            name=check.__name__.replace("_", "-"),
            what=cleandoc(check.__doc__ or ""),
            check=check,
            why=why,
            remedy=remedy,
            whole=whole,
        )

    return made
