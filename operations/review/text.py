"""A review for a terminal or a log, whole."""

from collections.abc import Sequence

from operations.review.document import MARKS, flat, headline, sections
from operations.review.verdict import Review


class _Plain:
    def plain(self, text: str) -> str:
        return flat(text)

    def strong(self, text: str) -> str:
        return text.upper()

    def code(self, text: str) -> str:
        return flat(text)


def text(reviews: Sequence[Review]) -> str:
    style = _Plain()
    width = max(len(flat(review.stack)) for review in reviews)
    lines = [
        f"{MARKS[review.verdict]} {flat(review.stack):<{width}}  {headline(review, style)}"
        for review in reviews
    ]
    for section in sections(reviews, style):
        lines += ["", flat(section.title), *(f"  {line}" for line in section.lines)]
    return "\n".join(lines) + "\n"
