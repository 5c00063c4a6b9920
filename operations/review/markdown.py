"""A review as a comment."""

import re
from collections.abc import Iterator, Sequence

from operations.review.document import MARKS, Section, flat, headline, sections
from operations.review.verdict import Review

LIMIT = 60_000
"""Characters; GitHub takes 65,536 and GitLab more."""
MARKER = "<!-- skillflaw-review -->"
"""First line of the comment, by which it is found again, so that a pull request has one."""
WORD = 1_000
"""Characters of one name or sentence; a headline holds ten at most."""
CUT = "… cut here: the job's log holds the whole review"


def code(text: str) -> str:
    """A span of code; no backtick, bar or line break ends it or the table's cell that it is in."""
    return f"`{re.sub('[`|]', '¦', _short(flat(text))) or ' '}`"


def plain(text: str) -> str:
    """A text of which nothing is taken for markup, a link, or somebody's name."""
    escaped = re.sub(r"([\\`*_\[\]|~])", r"\\\1", _short(flat(text)))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A space of no width: an escaped @ is one again before names are looked for.
    return re.sub(r"(?i)(@|#|://|\bwww)(?=\S)", "\\1\u200b", escaped)


def _short(text: str) -> str:
    return text if len(text) <= WORD else f"{text[:WORD]}…"


class _Markdown:
    def plain(self, text: str) -> str:
        return plain(text)

    def strong(self, text: str) -> str:
        return f"**{text}**"

    def code(self, text: str) -> str:
        return code(text)


def markdown(reviews: Sequence[Review], limit: int = LIMIT) -> str:
    """A comment of at most `limit` characters; what is cut first is at its end, and of headlines the least grave."""
    style = _Markdown()
    frame = [MARKER, "| | stack | what would happen |", "|---|---|---|"]
    rows = {
        index: f"| {MARKS[review.verdict]} | {style.code(review.stack)} | {headline(review, style)} |"
        for index, review in enumerate(reviews)
    }
    room = limit - len("\n".join(frame)) - len(f"\n| | | {CUT} |\n")
    shown = set()
    for index in sorted(rows, key=lambda index: -reviews[index].verdict):
        room -= len(rows[index]) + 1
        if room < 0:
            break
        shown.add(index)
    cut = [f"| | | {CUT} |"] if len(shown) < len(rows) else []
    text = "\n".join([*frame, *(rows[index] for index in sorted(shown)), *cut]) + "\n"
    for section in sections(reviews, style):
        text += _fitting(section, limit - len(text))
    return text


def _fitting(section: Section, room: int) -> str:
    """Lines of a section for which there is room; nothing when not even its frame fits."""
    before, lines, after = _framed(section)
    whole = "".join(f"{line}\n" for line in lines)
    if len(before) + len(whole) + len(after) <= room:
        return before + whole + after
    room -= len(before) + len(after) + len(CUT) + 1
    if room <= 0:
        return ""
    return before + "".join(_first(lines, room)) + f"{CUT}\n" + after


def _first(lines: Sequence[str], room: int) -> Iterator[str]:
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return
        yield f"{line}\n"


def _framed(section: Section) -> tuple[str, list[str], str]:
    title = plain(section.title)
    if section.folded:
        # Longer than any run of backticks inside, so that no value can end the block.
        runs = re.findall("`+", "".join(section.lines))
        fence = "`" * max(3, *(len(run) + 1 for run in runs)) if runs else "```"
        before = f"\n<details><summary>{title}</summary>\n\n{fence}diff\n"
        return before, section.lines, f"{fence}\n</details>\n"
    if section.loud:
        return f"\n> [!CAUTION]\n> **{title}**\n>\n", [f"> {line}" for line in section.lines], ""
    return f"\n**{title}**\n\n", section.lines, ""
