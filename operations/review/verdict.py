"""The judgement of a preview."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from operations.review import mask
from operations.review.kinds import generators, holds_state, is_version, loses
from operations.review.preview import UNKNOWN, UNTOUCHED, Change, Preview, Step, at, parts

ROLLED = {"Deployment", "StatefulSet", "DaemonSet"}
ROUTES = {"Ingress", "HTTPRoute"}
DONE = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"}
ONE_BY_ONE = "one by one"
LATER = "(known after it is made)"


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
class Roll:
    """Pods that would be replaced, how, and why."""

    name: str
    how: str
    reasons: tuple[str, ...]
    rolling: bool
    """Whether the pods' owner stays, so that one pod follows another."""


@dataclass(frozen=True)
class Review:
    """What a reviewer must know of one stack, the worst first."""

    stack: str
    verdict: Verdict
    counts: dict[str, int]
    lost: tuple[Touched, ...]
    """State that would be replaced or deleted."""
    warnings: tuple[str, ...]
    """What is no loss and yet nothing to overlook."""
    rolls: tuple[Roll, ...]
    touched: tuple[Touched, ...]
    notes: tuple[str, ...]
    """What needs no agreement, and is good to know."""
    errors: tuple[str, ...]

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
    return Review(stack, Verdict.FAILED, {}, (), (), (), (), (), (reason,))


def judge(preview: Preview) -> Review:
    objects = [step for step in preview.steps if step.is_object and step.op not in UNTOUCHED]
    steps = [step for step in objects if not step.changes_nothing]
    gone = {step.urn for step in steps if loses(step)}
    versions = [step for step in steps if is_version(step, gone)]
    lost = [step for step in steps if loses(step) and holds_state(step) and step not in versions]
    warnings = tuple(_warnings(preview, steps, [*lost, *versions]))
    if preview.errors:
        verdict = Verdict.FAILED
    elif lost:
        verdict = Verdict.DESTRUCTIVE
    else:
        verdict = Verdict.ATTENTION if warnings else Verdict.SAFE
    return Review(
        stack=preview.stack,
        verdict=verdict,
        counts=_counts(steps, versions),
        lost=tuple(_touched(step) for step in lost),
        warnings=warnings,
        rolls=tuple(_rolls(steps, versions)),
        touched=tuple(_touched(step) for step in steps),
        notes=tuple(_notes(objects)),
        errors=preview.errors,
    )


def _notes(objects: Sequence[Step]) -> Iterator[str]:
    for step in objects:
        if step.changes_nothing and step.old and step.old.init_errors:
            yield f"waits again for {step.name}: its last update did not become ready"


def _counts(steps: Sequence[Step], versions: Sequence[Step]) -> dict[str, int]:
    counted = Counter("new version" if step in versions else DONE.get(step.op, step.op) for step in steps)
    return {what: counted[what] for what in ("replaced", "deleted", "created", "updated", "new version", *counted)
            if counted[what]}  # fmt: skip


def _touched(step: Step) -> Touched:
    return Touched(step.op, step.name, step.urn, tuple(_property(step, change) for change in step.changes))


def _property(step: Step, change: Change) -> Property:
    return Property(
        path=change.path,
        old=_text(mask.masked(step.kind, change.path, change.old)),
        new=_text(mask.masked(step.kind, change.path, change.new)),
        forces=change.forces,
    )


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text.replace(UNKNOWN, LATER)


# --- what is no loss, and yet nothing to overlook ----------------------------------------------


def _warnings(preview: Preview, steps: Sequence[Step], told: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.kind in ROUTES and (opened := _hosts(step.after) - _hosts(step.before)):
            yield f"opens {', '.join(sorted(opened))} ({step.name})"
    for step in preview.steps:
        if step.old and step.old.protect and step.new and not step.new.protect and holds_state(step):
            yield f"takes the protection from {step.name}"
    for step in steps:
        if _rolls_pods(step) and _how(step) != ONE_BY_ONE:
            yield f"interrupts {step.name}: its pods leave before their successors start"
    others = [step for step in steps if loses(step) and step not in told]
    if replaced := [step.name for step in others if step.op != "delete"]:
        yield f"replaces {', '.join(replaced)}: away meanwhile"
    if deleted := [step.name for step in others if step.op == "delete"]:
        yield f"deletes {', '.join(deleted)}"


def _hosts(inputs: dict[str, Any]) -> set[str]:
    rules = [at(rule, "host") for rule in _list(at(inputs, "spec", "rules"))]
    return {host for host in [*_list(at(inputs, "spec", "hostnames")), *rules] if isinstance(host, str)}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# --- pods --------------------------------------------------------------------------------------


def _rolls_pods(step: Step) -> bool:
    inside = any(change.path.startswith("spec.template") for change in step.changes)
    return step.op == "update" and step.kind in ROLLED and inside


def _how(step: Step) -> str:
    if step.kind == "StatefulSet":
        return "in place"
    recreate = at(step.state.inputs, "spec", "strategy", "type") == "Recreate"
    return "all at once" if recreate else ONE_BY_ONE


def _rolls(steps: Sequence[Step], versions: Sequence[Step]) -> Iterator[Roll]:
    for step in steps:
        if _rolls_pods(step):
            yield Roll(step.name, _how(step), tuple(_reasons(step, versions)), rolling=True)
        elif step.op == "replace" and step.kind in ROLLED:
            yield Roll(step.name, "deleted and made anew", tuple(_reasons(step, versions)), rolling=False)
    for step in steps:
        if step.kind == "Job" and (step in versions or step.op == "create"):
            yield Roll(step.name, "runs again", tuple(_reasons(step, versions)), rolling=False)


def _reasons(step: Step, versions: Sequence[Step]) -> Iterator[str]:
    """Why a pod template changes: images, then new versions of what it reads, then whatever else differs."""
    inside = [change for change in step.changes if change.path.startswith("spec.template")]
    images = [change for change in inside if change.path.endswith(".image")]
    seen = set()
    for change in images:
        said = f"image {_image(change.old)} → {_image(change.new)}"
        if said not in seen:
            seen.add(said)
            yield said
    read = [version for version in versions if version.kind != "Job" and version.urn in step.depends_on]
    for version in read:
        yield _new_version(version)
    renamed = [
        at(inputs, "metadata", "name") for version in versions for inputs in (version.before, version.after)
    ]
    for change in inside:
        if change not in images and change.old not in renamed and change.new not in (*renamed, UNKNOWN):
            yield change.path.removeprefix("spec.template.").removeprefix("spec.")


def _image(reference: Any) -> str:
    name, _, digest = str(reference).partition("@sha256:")
    return f"{name}@sha256:{digest[:12]}…" if digest else name


def _new_version(version: Step) -> str:
    paths = [parts(change.path) for change in version.changes]
    keys = [str(path[1]) for path in paths if path[:1] in (["data"], ["stringData"]) and len(path) > 1]
    same = " (same generated value)" if generators(version) else ""
    return f"new version of {version.name}{same}: {', '.join(keys) or 'its data'}"
