"""Adoption of what exists in the cluster into the state of a new stack: after a lost state, or over what a destroy left."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from operations import planned
from operations.kubectl import Kubectl
from operations.ownership import is_own, owner
from operations.program import ProgramError, output_of
from operations.review.kinds import holds_state
from operations.review.preview import Step

Object = dict[str, Any]

TAKES_OVER = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true", "PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""By default the provider refuses to create what exists (since 4.29), and to change fields of another manager."""
HOLD_STATE = {
    "Cluster": "the stack would give it another password: refer to it by database.external",
    "PersistentVolumeClaim": "refer to it by storage.existingClaim, or backup.to.claim.existingClaim",
    "StatefulSet": "its server keeps the password it was made with: refer to it by database.external",
}
"""Kinds that are never taken over, and what to write instead."""


@dataclass(frozen=True)
class Plan:
    """The plan of an adoption."""

    kubectl: Kubectl
    taken: list[str]
    """`Kind name` of every object that exists and that the stack would own afterwards."""


@contextlib.contextmanager
def plan(stack: str) -> Iterator[Plan]:
    """The plan of a stack without a state, while the block runs; nothing is changed yet.

    Raises:
        ProgramError: an object holds state, belongs to another stack or to no SkillFlaw; or pulumi or kubectl says no.
    """
    with _variables(TAKES_OVER):
        preview = planned.steps(stack)
    steps = [step for step in preview if step.op == "create" and step.type.startswith("kubernetes:")]
    wanted = [step.after for step in steps if not step.named_by_content]
    if not wanted:
        raise ProgramError("its preview creates nothing: there is nothing to adopt")
    namespace = next(filter(None, (each["metadata"].get("namespace") for each in wanted)))
    with planned.cluster_of(stack) as options:
        kubectl = Kubectl(options, namespace)
        existing = kubectl.existing(wanted)
        problems = [*_foreign(existing), *_other_stack(wanted, existing), *_passed_over(steps, kubectl)]
        if problems:
            raise ProgramError("\n  ".join(["nothing was changed", *problems]))
        yield Plan(kubectl, [_name(each) for each in existing])


def adopt(stack: str, adoption: Plan) -> list[str]:
    """Brings the stack up over what exists, and returns what was kept as it was, in words.

    Raises:
        ProgramError: `pulumi up` failed; or a Secret or claim is not what it was, or a second `up` would change something.
    """
    before = _state_holders(adoption.kubectl)
    up = ("pulumi", "up", "--yes", "--skip-preview", f"--stack={stack}", "--non-interactive")
    with _variables(TAKES_OVER):
        output_of(*up)
    # The provider's own inputs hold the variables until a run without them.
    output_of(*up)
    after = _state_holders(adoption.kubectl)
    if changed := [name for name, content in before.items() if after.get(name) != content]:
        raise ProgramError(f"not what they were before: {', '.join(changed)}")
    if steps := [step for step in planned.steps(stack) if step.op != "same"]:
        raise ProgramError(f"a second `pulumi up` would change {', '.join(step.name for step in steps)}")
    return sorted(before)


@contextlib.contextmanager
def _variables(values: dict[str, str]) -> Iterator[None]:
    before = os.environ.copy()
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _foreign(existing: list[Object]) -> Iterator[str]:
    for each in existing:
        if each["kind"] in HOLD_STATE:
            yield f"{_name(each)} holds state: {HOLD_STATE[each['kind']]}"
        elif not is_own(each):
            yield f"{_name(each)} is not SkillFlaw's (it lacks the label app.kubernetes.io/part-of=skillflaw)"


def _passed_over(steps: list[Step], kubectl: Kubectl) -> Iterator[str]:
    """Secrets with generated values in whose place the stack would make new ones."""
    made = [step.logical_name for step in steps if step.kind == "Secret" and holds_state(step)]
    for each in kubectl.items("secrets"):
        if is_own(each) and any(each["metadata"]["name"].startswith(f"{name}-") for name in made):
            keys = ", ".join(each.get("data") or {})
            yield f"{_name(each)} exists, and a new one would take its place: refer to it (its keys: {keys})"


def _other_stack(wanted: list[Object], existing: list[Object]) -> Iterator[str]:
    ours = {_name(each): owner(each) for each in wanted}
    for each in existing:
        theirs = owner(each)
        if theirs and theirs != ours.get(_name(each)):
            yield f"{_name(each)} belongs to the stack {theirs}"


def _name(each: Object) -> str:
    return f"{each['kind']} {each['metadata']['name']}"


def _state_holders(kubectl: Kubectl) -> dict[str, str]:
    """Content of every Secret and claim of the namespace by name."""
    return {
        _name(each): json.dumps([each["metadata"]["uid"], each.get("data"), each.get("spec")], sort_keys=True)
        for each in kubectl.items("secrets,persistentvolumeclaims")
    }
