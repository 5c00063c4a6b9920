"""The Kubernetes objects of a committed stack, as the API server would get them."""

from typing import Any

import yaml

from tests.edits import edited
from tests.stack_files import filled_in
from tests.unit.recorder import plain, run

STACKS = ("prod", "dev", "lab")
OPERATED = "operated"
"""The lab with a database that CloudNativePG runs: the objects of that database alone, since the rest is the lab's."""
SCANNED = (*STACKS, OPERATED)


def objects(stack: str) -> dict[str, dict[str, Any]]:
    """Every object by `Kind/name`; one that the provider names after its content goes by its logical name."""
    if stack != OPERATED:
        return of(filled_in(stack))
    return {
        key: row
        for key, row in of(edited(DATABASE)).items()
        if row["metadata"]["labels"].get("app") == "skillflaw-database"
    }


DATABASE = {
    "database": {
        "cloudNativePg": {
            "major": 15,
            "className": "local",
            "objectStore": {
                "endpoint": "https://s3.test",
                "bucket": "archive",
                "secretName": "archive",
                "prefix": "lab",
            },
        }
    },
    "network.apiServer": [{"cidr": "10.0.0.4/32", "ports": [6443]}],
}
"""Edits of the lab's stack file."""


def of(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The same of any stack file."""
    program = run(config)
    rendered = {}
    for declared in program.objects:
        manifest = plain(declared.inputs)
        name = manifest["metadata"].get("name", declared.name)
        manifest["metadata"] = {"name": program.names[declared.urn]} | manifest["metadata"]
        rendered[f"{manifest['kind']}/{name}"] = manifest
    return rendered


def manifests(stack: str) -> str:
    """All of them as one YAML file."""
    return yaml.safe_dump_all(objects(stack).values())


def names(stack: str) -> dict[tuple[str, str], str]:
    """`Kind/name` of each object by its kind and the name it really has; pods go by what makes them."""
    found = {}
    for key, manifest in objects(stack).items():
        name = manifest["metadata"]["name"]
        found[manifest["kind"], name] = key
        if manifest.get("spec", {}).keys() & {"template", "jobTemplate"}:
            found["Pod", name] = key
    return found
