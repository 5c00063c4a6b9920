"""What `pulumi preview --json` would say of one recorded program after another."""

from typing import Any

from tests.unit.force_new import FORCE_NEW, identity
from tests.unit.recorder import SECRET_MARK, Declared, Program

Digest = dict[str, Any]


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
    return "replace" if old.kind in ("ConfigMap", "Secret", "Job") else "update"


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return "[secret]" if SECRET_MARK in value else {key: _masked(inner) for key, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list) else value
