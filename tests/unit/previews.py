"""The JSON of `pulumi preview` for one recorded program after another."""

import copy
from functools import reduce
from typing import Any

from operations.review.preview import parts
from tests.unit.force_new import FORCE_NEW, identity
from tests.unit.recorder import SECRET_MARK, Declared, Program

Digest = dict[str, Any]
GONE = "removed"
"""Value by which an edit removes a property."""


def digest(before: Program, after: Program) -> Digest:
    """The steps from one program to the next, and the stack itself, which stays."""
    old, new = before.leaves, after.leaves
    steps = [{"op": "same", "urn": "urn:pulumi:test::skillflaw::pulumi:pulumi:Stack::skillflaw-test"}]
    for urn in sorted(old.keys() | new.keys()):
        states = {
            name: state(program, program.leaves[urn])
            for name, program in (("oldState", before), ("newState", after))
            if urn in program.leaves
        }
        if len(states) == 1:
            steps.append({"op": "create" if urn in new else "delete", "urn": urn, **states})
        elif old[urn].inputs != new[urn].inputs:
            steps.append({"op": _op(old[urn], new[urn]), "urn": urn, **states})
    return {"steps": steps}


def step(program: Program, kind: str, name: str, edits: dict[str, Any], op: str = "update") -> dict[str, Any]:
    """A step that edits one object of a program, by the object's kind, logical name, and property paths."""
    declared = program.one(kind, name)
    old = state(program, declared)
    new = copy.deepcopy(old)
    for path, value in edits.items():
        *holders, last = parts(path)
        holder = reduce(lambda inner, key: inner[key], holders, new["inputs"])
        if value == GONE:
            del holder[last]
        elif isinstance(holder, list) and last >= len(holder):
            holder.append(value)
        else:
            holder[last] = value
    return {"op": op, "urn": declared.urn, "oldState": old, "newState": new}


def state(program: Program, declared: Declared) -> dict[str, Any]:
    """A resource as the engine notes it, what is secret masked."""
    inputs = _masked(declared.inputs)
    if declared.type.startswith("kubernetes:"):
        metadata = inputs.get("metadata", {})
        if "name" not in metadata:
            annotations = {**metadata.get("annotations", {}), "pulumi.com/autonamed": "true"}
            metadata = {**metadata, "name": program.names[declared.urn], "annotations": annotations}
        inputs = {**inputs, "metadata": metadata}
    return {
        "custom": True,
        "protect": declared.request.protect,
        "inputs": inputs,
        "dependencies": list(declared.request.dependencies),
    }


def _op(old: Declared, new: Declared) -> str:
    if old.kind in FORCE_NEW:
        return "update" if identity(old.kind, old.inputs) == identity(new.kind, new.inputs) else "replace"
    return "replace" if old.kind in ("ConfigMap", "Secret", "Job", "RandomPassword") else "update"


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return "[secret]" if SECRET_MARK in value else {key: _masked(inner) for key, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list) else value
