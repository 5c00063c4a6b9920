"""The judgement of a preview."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from detection.scrub import scrubbed
from operations.review.attention import Words, all_given_up, attention, shown
from operations.review.kinds import holds_state, is_version, loses
from operations.review.preview import UNTOUCHED, Change, Preview, Step
from operations.review.rolls import Roll, rolls

DONE = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"}


class Verdict(IntEnum):
    """How careful to be; the number is the exit code (2 is a wrong command line's)."""

    SAFE = 0
    ATTENTION = 3
    DESTRUCTIVE = 4
    FAILED = 5


@dataclass(frozen=True)
class Property:
    """A property as it may be shown; None where it is absent."""

    path: str
    old: str | None
    new: str | None
    forces: bool


@dataclass(frozen=True)
class Touched:
    """One object and what would happen to it."""

    op: str
    name: str
    urn: str
    properties: tuple[Property, ...]

    @property
    def forced_by(self) -> tuple[Property, ...]:
        return tuple(row for row in self.properties if row.forces)


@dataclass(frozen=True)
class Review:
    """The verdict on one stack, the worst first."""

    stack: str
    verdict: Verdict
    counts: dict[str, int]
    lost: tuple[Touched, ...]
    """State that would be replaced or deleted."""
    gives_up: tuple[str, ...]
    """State that stays, and that pods would no longer reach or could no longer read."""
    warnings: tuple[str, ...]
    """Changes that are no loss, and not known to be safe."""
    rolls: tuple[Roll, ...]
    touched: tuple[Touched, ...]
    notes: tuple[str, ...]
    """Facts that need no agreement, and are good to know."""
    errors: tuple[str, ...]
    facts: tuple[str, ...]
    """All that a reviewer agrees to, a sentence per object and property."""

    @property
    def summary(self) -> str:
        """The stack in one line, its name aside; plain text."""
        counted = ", ".join(
            f"{number} {what}{'s' if what == 'new version' and number > 1 else ''}"
            for what, number in self.counts.items()
        )
        rolling = [roll.name.partition(" ")[2] for roll in self.rolls if roll.rolling]
        parts = [counted or "no change"] + ([f"rolling {', '.join(rolling)}"] if rolling else [])
        return "; ".join(parts) if not self.errors or self.counts else ""


def failed(stack: str, reason: str) -> Review:
    """The review of a stack of which there is no preview."""
    return Review(
        stack=stack,
        verdict=Verdict.FAILED,
        counts={},
        lost=(),
        gives_up=(),
        warnings=(),
        rolls=(),
        touched=(),
        notes=(),
        errors=(scrubbed(reason),),
        facts=(),
    )


def judge(preview: Preview) -> Review:
    objects = [step for step in preview.steps if step.is_object and step.op not in UNTOUCHED]
    steps = [step for step in objects if not step.changes_nothing]
    gone = {step.urn for step in steps if loses(step)}
    # Mappings without values: ordered, and asked for each of thousands of steps.
    versions = dict.fromkeys(step for step in steps if is_version(step, gone))
    lost = dict.fromkeys(step for step in steps if loses(step) and holds_state(step) and step not in versions)
    words = Words(steps)
    gives_up = tuple(all_given_up(preview, steps, versions, lost, words))
    concerns = tuple(attention(preview, steps, versions, lost, words))
    if preview.errors:
        verdict = Verdict.FAILED
    elif lost or gives_up:
        verdict = Verdict.DESTRUCTIVE
    else:
        verdict = Verdict.ATTENTION if concerns else Verdict.SAFE
    return Review(
        stack=preview.stack,
        verdict=verdict,
        counts=_counts(steps, versions),
        lost=tuple(_touched(step) for step in lost),
        gives_up=gives_up,
        warnings=tuple(concern.line for concern in concerns if concern.line),
        rolls=tuple(rolls(steps, versions)),
        touched=tuple(_touched(step) for step in steps),
        notes=tuple(_notes(objects)),
        errors=tuple(scrubbed(error) for error in preview.errors),
        facts=(*gives_up, *(fact for concern in concerns for fact in concern.facts)),
    )


def _notes(objects: Sequence[Step]) -> Iterator[str]:
    for step in objects:
        if step.changes_nothing and step.old and step.old.init_errors:
            yield f"waits again for {step.name}: its last update did not become ready"


def _counts(steps: Sequence[Step], versions: Collection[Step]) -> dict[str, int]:
    counted = Counter("new version" if step in versions else DONE.get(step.op, step.op) for step in steps)
    return {what: counted[what] for what in ("replaced", "deleted", "created", "updated", "new version", *counted)
            if counted[what]}  # fmt: skip


def _touched(step: Step) -> Touched:
    return Touched(step.op, step.name, step.urn, tuple(_property(step, change) for change in step.changes))


def _property(step: Step, change: Change) -> Property:
    old, new = (shown(step, change.path, value) for value in (change.old, change.new))
    return Property(path=scrubbed(change.path), old=old, new=new, forces=change.forces)
