"""A review as sections of lines, in the order a reader needs them; how they look is another's business."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from operations.review.verdict import Property, Review, Touched, Verdict

MARKS = {Verdict.SAFE: "✓", Verdict.ATTENTION: "!", Verdict.DESTRUCTIVE: "✗", Verdict.FAILED: "✗"}
LONGEST = 300
"""Characters of one value that are shown."""


class Style(Protocol):
    """How words that stand out are written."""

    def strong(self, text: str) -> str: ...

    def code(self, text: str) -> str: ...


@dataclass(frozen=True)
class Section:
    """Lines under a title; a loud one is about what cannot be taken back, a folded one is for who looks closely."""

    title: str
    lines: list[str]
    loud: bool = False
    folded: bool = False


def headline(review: Review, style: Style) -> str:
    """The verdict on one stack in one line, its name aside."""
    parts = []
    if review.errors:
        parts.append(style.strong("the preview failed"))
    if review.lost:
        names = ", ".join(style.code(touched.name) for touched in review.lost)
        parts.append(f"{style.strong('replaces or deletes state')}: {names}")
    if review.summary:
        parts.append(review.summary)
    return "; ".join(parts)


def sections(reviews: Sequence[Review], style: Style) -> Iterator[Section]:
    """Everything but the headlines."""
    for review in reviews:
        if review.errors:
            lines = [line for error in review.errors for line in error.splitlines()]
            yield Section(f"{review.stack}: why the preview failed", lines, folded=True)
    for review in reviews:
        if review.lost:
            lines = [line for touched in review.lost for line in _lost(touched, style)]
            yield Section(f"{review.stack}: state that would be lost", lines, loud=True)
    for review in reviews:
        if review.warnings:
            yield Section(f"{review.stack}: to be looked at", [f"- {line}" for line in review.warnings])
    for review in reviews:
        if review.rolls:
            lines = [
                f"- {style.code(roll.name)} ({roll.how}): {'; '.join(roll.reasons) or 'its template'}"
                for roll in review.rolls
            ]
            yield Section(f"{review.stack}: pods that roll, and why", lines)
    for review in reviews:
        if review.notes:
            yield Section(f"{review.stack}: for information", [f"- {line}" for line in review.notes])
    for review in reviews:
        if review.touched:
            lines = [line for touched in review.touched for line in _difference(touched)]
            yield Section(f"{review.stack}: every object and property that changes", lines, folded=True)


def _lost(touched: Touched, style: Style) -> Iterator[str]:
    yield f"- {style.strong(f'{touched.op}s')} {style.code(touched.name)}"
    for row in touched.forced_by:
        yield f"  - {style.code(row.path)}: {style.code(_value(row.old))} → {style.code(_value(row.new))}"
    if touched.op == "delete":
        yield "  - the program no longer declares it"


def _difference(touched: Touched) -> Iterator[str]:
    yield f"{touched.op} {touched.name}"
    for row in touched.properties:
        yield from _before_and_after(row)


def _before_and_after(row: Property) -> Iterator[str]:
    for sign, value in (("-", row.old), ("+", row.new)):
        if value is not None:
            yield f"{sign} {row.path}: {_value(value)}"


def _value(value: str | None) -> str:
    if value is None:
        return "nothing"
    flat = value.replace("\n", "⏎")
    return flat if len(flat) <= LONGEST else f"{flat[:LONGEST]}… ({len(flat)} characters)"
