"""The Kubernetes objects of a committed stack, as the API server would get them."""

from typing import Any

import yaml

from tests.stack_files import filled_in
from tests.unit.recorder import plain, run

STACKS = ("prod", "dev", "lab")


def objects(stack: str) -> dict[str, dict[str, Any]]:
    """Every object by `Kind/name`; one that the provider names after its content goes by its logical name."""
    return of(filled_in(stack))


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
