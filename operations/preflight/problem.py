"""What a check says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from operations.preflight.found import Found
from operations.preflight.wanted import Wanted


class Problem(NamedTuple):
    """Something that the cluster lacks."""

    what: str
    """The thing, and what of the stack needs it."""
    found: str
    """What is there instead; never a value of a Secret."""
    remedy: str
    """What to do about it."""


@dataclass(frozen=True)
class Outcome:
    """What one check looked at, in words, and what lacks."""

    looked_at: str
    problems: tuple[Problem, ...] = ()


Check = Callable[[Wanted, Found], Outcome]
