"""A review for other programs, and whether a later one is worse."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from operations.review.preview import PreviewError
from operations.review.verdict import Review, Verdict

NOTHING = json.dumps({"verdict": "safe", "stacks": {}})
"""The review of a change that nobody saw."""


def verdict(reviews: Sequence[Review]) -> Verdict:
    """The worst of all stacks."""
    return max(review.verdict for review in reviews)


def as_json(reviews: Sequence[Review]) -> str:
    stacks = {review.stack: asdict(review) | {"verdict": review.verdict.name.lower()} for review in reviews}
    return json.dumps({"verdict": verdict(reviews).name.lower(), "stacks": stacks}, indent=2) + "\n"


def unreviewed(reviews: Sequence[Review], file: Path) -> list[str]:
    """Sentences about what these reviews hold and an earlier one (the file `as_json` wrote) did not show.

    A preview that failed shows nothing that could be agreed to, so its errors are always among them.

    Raises:
        PreviewError: the file is no review.
    """
    try:
        earlier: dict[str, Any] = json.loads(file.read_text())["stacks"]
        return [
            f"{review.stack}: {what}"
            for review in reviews
            for what in (
                *(f"the preview failed: {error}" for error in review.errors),
                *(fact for fact in review.facts if fact not in _agreed(earlier, review.stack)),
            )
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PreviewError(f"{file} is no review that `--format=json` wrote: {error!r}") from None


def _agreed(stacks: dict[str, Any], stack: str) -> list[str]:
    facts = stacks[stack]["facts"] if stack in stacks else []
    if not isinstance(facts, list):
        raise TypeError(f"the facts of {stack} are no list")
    return facts
