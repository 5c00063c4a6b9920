"""Pods that would be replaced, and why."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from detection.scrub import scrubbed
from operations.review.kinds import VERSIONED_PASSWORD, generators
from operations.review.preview import UNKNOWN, Step, at, parts

ROLLED = {"Deployment", "StatefulSet", "DaemonSet"}
ONE_BY_ONE = "one by one"


@dataclass(frozen=True)
class Roll:
    """Pods that would be replaced, how, and why."""

    name: str
    how: str
    reasons: tuple[str, ...]
    rolling: bool
    """Whether the pods' owner stays, so that one pod follows another."""


def rolls_pods(step: Step) -> bool:
    """Whether an update replaces the pods of an object that stays."""
    inside = any(change.path.startswith("spec.template") for change in step.changes)
    return step.op == "update" and step.kind in ROLLED and inside


def how(step: Step) -> str:
    """The order in which the pods of an updated object are replaced."""
    if step.kind == "StatefulSet":
        return "in place"
    recreate = at(step.state.inputs, "spec", "strategy", "type") == "Recreate"
    return "all at once" if recreate else ONE_BY_ONE


def rolls(steps: Sequence[Step], versions: Collection[Step]) -> Iterator[Roll]:
    """Every set of pods that would be replaced or run again."""
    for step in steps:
        if rolls_pods(step):
            yield Roll(step.name, how(step), tuple(reasons(step, versions)), rolling=True)
        elif step.op == "replace" and step.kind in ROLLED:
            yield Roll(step.name, "deleted and made again", tuple(reasons(step, versions)), rolling=False)
    for step in steps:
        if step.kind == "Job" and (step in versions or step.op == "create"):
            yield Roll(step.name, "runs again", tuple(reasons(step, versions)), rolling=False)


def reasons(step: Step, versions: Collection[Step]) -> Iterator[str]:
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
            yield scrubbed(change.path.removeprefix("spec.template.").removeprefix("spec."))


def _image(reference: Any) -> str:
    name, _, digest = scrubbed(str(reference)).partition("@sha256:")
    return f"{name}@sha256:{digest[:12]}…" if digest else name


def _new_version(version: Step) -> str:
    paths = [parts(change.path) for change in version.changes]
    keys = [str(path[1]) for path in paths if path[:1] in (["data"], ["stringData"]) and len(path) > 1]
    made = generators(version)
    same = " (same generated value)" if made and not any(VERSIONED_PASSWORD in urn for urn in made) else ""
    return f"new version of {version.name}{same}: {', '.join(keys) or 'its data'}"
