"""A review as sections of lines, in the order a reader needs them; how they look is for markdown.py and text.py to say."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from operations.review.verdict import Property, Review, Touched, Verdict

MARKS = {Verdict.SAFE: "✓", Verdict.ATTENTION: "!", Verdict.DESTRUCTIVE: "✗", Verdict.FAILED: "✗"}
LONGEST = 300
"""Characters of one value that are shown."""
LISTED = 5
"""Names in a headline; the sections have them all."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Style(Protocol):
    """How words are written."""

    def plain(self, text: str) -> str: ...

    def strong(self, text: str) -> str: ...

    def code(self, text: str) -> str: ...


@dataclass(frozen=True)
class Section:
    """Lines under a title; a loud one is about what cannot be taken back, a folded one is for who looks closely."""

    title: str
    lines: list[str]
    loud: bool = False
    folded: bool = False


def flat(text: str) -> str:
    """A text on one line, without characters that only steer how the rest is shown."""
    return _CONTROL.sub(lambda found: "⏎" if found[0] in "\n\u2028\u2029" else "¦", text)


def headline(review: Review, style: Style) -> str:
    """The verdict on one stack in one line, its name aside."""
    parts = []
    if review.errors:
        parts.append(style.strong("the preview failed"))
    if review.lost:
        names = [style.code(touched.name) for touched in review.lost]
        parts.append(f"{style.strong('replaces or deletes state')}: {_first(names)}")
    if review.gives_up:
        sentences = [style.plain(sentence) for sentence in review.gives_up]
        parts.append(f"{style.strong('gives up state')}: {_first(sentences)}")
    if review.summary:
        parts.append(style.plain(review.summary))
    return "; ".join(parts)


def _first(words: Sequence[str]) -> str:
    rest = [f"and {len(words) - LISTED} more"] if len(words) > LISTED else []
    return ", ".join([*words[:LISTED], *rest])


def sections(reviews: Sequence[Review], style: Style) -> Iterator[Section]:
    """Everything but the headlines."""
    for review in reviews:
        if review.errors:
            lines = [flat(line) for error in review.errors for line in error.splitlines()]
            yield Section(f"{review.stack}: why the preview failed", lines, folded=True)
    for review in reviews:
        if review.lost or review.gives_up:
            lines = [line for touched in review.lost for line in _lost(touched, style)]
            lines += [f"- {style.plain(sentence)}" for sentence in review.gives_up]
            yield Section(f"{review.stack}: state that would be lost", lines, loud=True)
    for review in reviews:
        if review.warnings:
            yield Section(
                f"{review.stack}: to be looked at", [f"- {style.plain(line)}" for line in review.warnings]
            )
    for review in reviews:
        if review.rolls:
            lines = [
                f"- {style.code(roll.name)} ({roll.how}): {style.plain('; '.join(roll.reasons) or 'its template')}"
                for roll in review.rolls
            ]
            yield Section(f"{review.stack}: pods that roll, and why", lines)
    for review in reviews:
        if review.notes:
            yield Section(
                f"{review.stack}: for information", [f"- {style.plain(line)}" for line in review.notes]
            )
    for review in reviews:
        if review.touched:
            lines = [line for touched in review.touched for line in _difference(touched)]
            yield Section(f"{review.stack}: every object and property that changes", lines, folded=True)


def _lost(touched: Touched, style: Style) -> Iterator[str]:
    yield f"- {style.strong(style.plain(f'{touched.op}s'))} {style.code(touched.name)}"
    for row in touched.forced_by:
        yield f"  - {style.code(row.path)}: {style.code(_value(row.old))} → {style.code(_value(row.new))}"
    if touched.op == "delete":
        yield "  - the program no longer declares it"


def _difference(touched: Touched) -> Iterator[str]:
    yield flat(f"{touched.op} {touched.name}")
    for row in touched.properties:
        yield from _before_and_after(row)


def _before_and_after(row: Property) -> Iterator[str]:
    for sign, value in (("-", row.old), ("+", row.new)):
        if value is not None:
            yield f"{sign} {flat(row.path)}: {_value(value)}"


def _value(value: str | None) -> str:
    if value is None:
        return "nothing"
    line = flat(value)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}… ({len(line)} characters)"
