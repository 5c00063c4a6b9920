"""When a cron schedule is due, as Kubernetes' controller reads it."""

from datetime import date, timedelta
from itertools import pairwise

_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_FIRST_DAY, _NUMBER_OF_DAYS = date(2024, 1, 1), 5 * 365 + 2
"""Five years that begin and end with a leap year, so that the longest wait of any schedule is among them."""


def runs_per_day(schedule: str) -> int:
    """How often a schedule is due on a day on which it is due at all."""
    minutes, hours, *_ = _fields(schedule)
    return len(minutes) * len(hours)


def longest_wait(schedule: str) -> int | None:
    """The longest wait between two days on which a schedule is due, in days; None if it is never due."""
    _, _, days, months, weekdays = _fields(schedule)
    by_day, by_weekday = ("*" not in field.split(",") for field in (schedule.split()[2], schedule.split()[4]))

    def is_due(day: date) -> bool:
        on_day, on_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        # Where both are given, either is enough.
        return day.month in months and (
            on_day or on_weekday if by_day and by_weekday else on_day and on_weekday
        )

    calendar = (_FIRST_DAY + timedelta(days=number) for number in range(_NUMBER_OF_DAYS))
    due = [day for day in calendar if is_due(day)]
    return max(((later - earlier).days for earlier, later in pairwise(due)), default=None)


def _fields(schedule: str) -> list[set[int]]:
    return [_numbers(field, *bounds) for field, bounds in zip(schedule.split(), _RANGES, strict=True)]


def _numbers(field: str, low: int, high: int) -> set[int]:
    numbers: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if span == "*" else int(first)
        end = int(last) if last else high if span == "*" or step else start
        numbers |= set(range(start, end + 1, int(step or 1)))
    return numbers
