"""The committed stack files, as the rings read them."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def stack_file(name: str) -> dict[str, Any]:
    """The sections of a committed stack file."""
    config = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())["config"]
    return {
        key.removeprefix("skillflaw:"): value for key, value in config.items() if key.startswith("skillflaw:")
    }


def filled_in(name: str) -> dict[str, Any]:
    """A stack file after the operator filled in the digests it asks for."""
    config = stack_file(name)
    pinned = {
        key: f"{value}@sha256:{'a' * 64}" if str(value).startswith("ghcr.io/") and ":" not in value else value
        for key, value in config["images"].items()
    }
    return config | {"images": pinned}


def keys_of(schema: dict[str, Any]) -> list[str]:
    """Dotted paths of every key that the JSON Schema of stack files knows, sorted."""

    def below(part: dict[str, Any], above: str) -> Iterator[str]:
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]]
        for key, inner in part.get("properties", {}).items():
            yield f"{above}{key}"
            yield from below(inner, f"{above}{key}.")
        for inner in (*part.get("anyOf", ()), part.get("items"), part.get("additionalProperties")):
            if isinstance(inner, dict):
                yield from below(inner, above)

    start = "config.skillflaw:"
    return sorted({path.removeprefix(start) for path in below(schema, "") if path.startswith(start)})


def with_new_spellings(sections: dict[str, Any]) -> dict[str, Any]:
    """Sections of a released version after the operator followed the refusals of renamed keys."""
    network = dict(sections["network"])
    if namespace := network.pop("edgeNamespace", None):
        network["edge"] = [{"namespace": namespace}]
    backup = dict(sections.get("backup", {}))
    if claim := {key: backup.pop(key) for key in ("size", "className", "existingClaim") if key in backup}:
        backup["to"] = {"claim": claim}
    images = {"restic": "skillflaw.lab/restic:0.18.1"} | sections["images"]
    return sections | {"network": network, "backup": backup, "images": images}


WORKLOADS = ("backend", "bootstrap", "frontend", "docs", "database.inCluster", "cache.inCluster", "backup")
"""Sections that have pods, by their path in a stack file."""


def section(config: dict[str, Any], path: str) -> dict[str, Any]:
    """A section by its dotted path, made where it is missing; the whole file by an empty one."""
    holder = config
    for key in filter(None, path.split(".")):
        holder = holder.setdefault(key, {})
    return holder


def merged(config: dict[str, Any], proposed: str) -> dict[str, Any]:
    """A stack file with a fragment in it, as an operator writes it there."""
    config = copy.deepcopy(config)

    def into(holder: dict[str, Any], more: dict[str, Any]) -> None:
        for key, value in more.items():
            if isinstance(value, dict) and isinstance(holder.get(key), dict) and key != "scale":
                into(holder[key], value)
            else:
                holder[key] = value

    for name, section in yaml.safe_load(proposed).items():
        into(config.setdefault(name.removeprefix("skillflaw:"), {}), section)
    return config
