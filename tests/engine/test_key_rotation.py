"""A rotation of the secret key in the hands of the real engine."""

import json

from tests.engine.stack import Stack


def backend(stack: Stack) -> tuple[str, int]:
    """Identity of the backend's Deployment, and how many init containers its pods have."""
    found = json.loads(
        stack.kubectl("get", "deployment", "skillflaw-backend", f"--namespace={stack.name}", "--output=json")
    )
    return found["metadata"]["uid"], len(found["spec"]["template"]["spec"].get("initContainers", []))


def keys(stack: Stack) -> set[str]:
    """Names of generated keys."""
    names = stack.kubectl("get", "secrets", f"--namespace={stack.name}", "--output=name").split()
    return {name for name in names if name.startswith("secret/secret-key")}


def test_a_rotation_ends_every_replica_first_and_a_run_after_it_changes_nothing(small: Stack):
    small.up()
    before, guards = backend(small)
    (first,) = keys(small)
    small.sections["secretKey"] = {"generated": {"generation": 2}}
    # What ends the old pods is that their Deployment goes before the new one comes.
    assert "backend" in small.preview()["replace"]
    small.up()
    rotated, steps = backend(small)
    assert (rotated != before, steps) == (True, guards + 1)
    assert keys(small) > {first}
    small.up("--expect-no-changes")
    assert small.preview() == {}

    small.sections["secretKey"]["generated"]["giveUp"] = 1
    small.up()
    assert backend(small) == (rotated, guards)
    small.up()
    assert first not in keys(small)
    assert len(keys(small)) == 1
    small.up("--expect-no-changes")
