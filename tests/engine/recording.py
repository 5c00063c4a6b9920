"""Previews as fixtures: what the engine wrote, without what differs from run to run."""

import json
import re
from pathlib import Path
from typing import Any

from lab.layout import PROJECT
from operations.review.preview import UNKNOWN

FIXTURES = PROJECT / "tests" / "fixtures"

# Notes of the engine: when, where in the program, in which order.
PASSING = {"created", "modified", "sourcePosition", "stackTrace", "duration", "config", "changeSummary"}
UNORDERED = {"replaceReasons", "diffReasons"}
# Notes of the API server: who wrote which field, and what controllers found.
SERVER = {
    "managedFields", "status", "uid", "resourceVersion", "creationTimestamp", "generation", "clusterIP",
    "clusterIPs", "volumeName",
}  # fmt: skip
# The provider's, of names by content.
UUID = re.compile(rf"(?!{UNKNOWN})[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
INVENTED = re.compile(r"(?<=-)[0-9a-f]{8}(?=[\"/\\])")


def normal(digest: dict[str, Any]) -> dict[str, Any]:
    """A preview that equals any other preview of the same change."""
    # What stays is the whole program, which is none of these tests' business.
    steps = [_without(step) for step in digest.get("steps", ()) if step["op"] != "same"]
    root = [
        {"op": step["op"], "urn": step["urn"]} for step in digest.get("steps", ()) if step["op"] == "same"
    ]
    # Warnings and tracebacks are about the machine the engine is on.
    errors = [entry for entry in digest.get("diagnostics", ()) if entry["severity"] == "error"]
    whole = digest | {
        "steps": sorted(root + steps, key=lambda step: (step["urn"], step["op"])),
        "diagnostics": errors,
    }
    text = json.dumps({key: value for key, value in whole.items() if key not in PASSING}, sort_keys=True)
    text = UUID.sub("00000000-0000-0000-0000-000000000000", text)
    numbers: dict[str, str] = {}
    return json.loads(INVENTED.sub(lambda found: numbers.setdefault(found[0], f"{len(numbers):08x}"), text))


def compare(name: str, digest: dict[str, Any], folder: Path) -> None:
    """Fails when the fixture says otherwise than the engine does now, with the command that renews it."""
    kept = FIXTURES / "previews" / f"{name}.json"
    recorded = folder / kept.name
    now = normal(digest)
    recorded.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")
    same = kept.exists() and json.loads(kept.read_text()) == now
    assert same, f"the engine says otherwise now; look at the difference: cp {recorded} {kept}"


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: sorted(inner) if key in UNORDERED or _is_set(inner) else _without(inner)
            for key, inner in value.items()
            if key not in PASSING and key not in SERVER
        }
    if isinstance(value, list):
        return [_without(inner) for inner in value]
    return value


def _is_set(value: Any) -> bool:
    """Whether it is a list of dependencies, among which the engine keeps no order."""
    return isinstance(value, list) and all(isinstance(row, str) and row.startswith("urn:") for row in value)
