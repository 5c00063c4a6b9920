"""A verdict, and spans of time in words."""

from datetime import timedelta
from enum import StrEnum


class Verdict(StrEnum):
    """How a fact is."""

    WELL = "well"
    LOOK = "look"
    BROKEN = "broken"


Judged = tuple[Verdict, str]
"""A verdict, and the fact in words."""


def worse(one: Verdict, other: Verdict) -> Verdict:
    """The worse of two."""
    return max(one, other, key=list(Verdict).index)


def ago(time: timedelta) -> str:
    """A span in its largest unit of which there are two."""
    seconds = int(time.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"


def days(time: timedelta) -> str:
    """A span in days, where there are more than one."""
    return f"{time.days} days" if time.days > 1 else ago(time)
