"""A review for a terminal or a log, whole."""

from collections.abc import Sequence

from operations.review.document import MARKS, headline, sections
from operations.review.verdict import Review


class _Plain:
    def strong(self, text: str) -> str:
        return text.upper()

    def code(self, text: str) -> str:
        return text


def text(reviews: Sequence[Review]) -> str:
    style = _Plain()
    width = max(len(review.stack) for review in reviews)
    lines = [
        f"{MARKS[review.verdict]} {review.stack:<{width}}  {headline(review, style)}" for review in reviews
    ]
    for section in sections(reviews, style):
        lines += ["", section.title, *(f"  {line}" for line in section.lines)]
    return "\n".join(lines) + "\n"
