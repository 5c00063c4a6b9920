"""The committed JSON Schema says what the types say."""

import json

import jsonschema
import pytest
import yaml

from settings.load import parse
from settings.problems import SettingsError
from settings.reference import reference
from settings.schema import stack_schema
from tests.stack_files import stack_file
from tests.unit.recorder import ROOT

FILE = ROOT / "stack.schema.json"


def stack(name: str) -> dict:
    return yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())


def test_the_committed_schema_is_fresh():
    assert json.loads(FILE.read_text()) == stack_schema(), (
        "run: python -m settings.schema > stack.schema.json"
    )


def test_the_committed_reference_is_fresh():
    assert (ROOT / "docs" / "stack-keys.md").read_text() == reference(), (
        "run: python -m settings.reference > docs/stack-keys.md"
    )


def test_the_reference_has_a_row_for_every_key_of_the_stack_files():
    def paths(value: object, path: str) -> set[str]:
        inner = (
            value.items() if isinstance(value, dict) and not path.endswith((".env", ".annotations")) else ()
        )
        return {path, *(found for key, item in inner for found in paths(item, f"{path}.{key}"))}

    used = {
        path
        for name in ("dev", "lab", "prod")
        for key, value in stack_file(name).items()
        for path in paths(value, key)
    }
    page = reference()
    assert [path for path in sorted(used) if f"| `{path}` |" not in page] == []


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(stack_schema())


@pytest.mark.parametrize("name", ["dev", "lab", "prod"])
def test_the_schema_accepts_the_committed_stacks(name):
    jsonschema.validate(stack(name), stack_schema())


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("surface", {}),
        ("surfaces", {"api": {"host": "api.example.com", "alow": []}}),
        ("frontend", {"replicas": 0}),
        ("database", {"inCluster": {"size": 5}}),
        ("kubeconfig", "in plain text"),
    ],
)
def test_the_schema_refuses_what_the_types_refuse(section, value):
    broken = stack("lab")
    broken["config"][f"skillflaw:{section}"] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, stack_schema())


QUANTITIES = {
    "backend.resources.limits.cpu": (
        [4, 1.5, 0.5, 1000, "4", "500m", "1.5", "0.001"],
        [0, -1, 0.0001, 1001, 1e16, True, None, [], "4Gi", "1e9Gi", "2M", "1.5m", ""],
    ),
    "cache.inCluster.memory": (
        [2**24, 2**30, 268435456.0, "256Mi", "16777216", "1.5Gi", "1G"],
        [0, 1.5, 4, 2**24 - 1, 2**50 + 1, 16777216.5, False, "100m", "256MB", "1e9", "-1Gi"],
    ),
    "storage.size": (
        [2**20, 10**10, "10Gi", "1Mi", "1.5Ti"],
        [0.1, 10, 2**20 - 1, True, "100m", "10GiB", "ten"],
    ),
}
"""Quantities and texts that are none, by path."""


@pytest.mark.parametrize("path", QUANTITIES)
def test_schema_and_reader_agree_on_quantities(path):
    section, *inner = path.split(".")
    good, bad = QUANTITIES[path]
    for value, holds in [*((value, True) for value in good), *((value, False) for value in bad)]:
        nested: object = value
        for key in reversed(inner):
            nested = {key: nested}
        whole = stack("lab")
        whole["config"][f"skillflaw:{section}"] = nested
        try:
            jsonschema.validate(whole, stack_schema())
            schema = True
        except jsonschema.ValidationError:
            schema = False
        try:
            parse(stack_file("lab") | {section: nested}, set())
            reader = True
        except SettingsError as refused:
            reader = path not in {problem.path for problem in refused.problems}
        assert (schema, reader) == (holds, holds), value


@pytest.mark.parametrize("value", ["0.1", "5", "100k", "1023Ki", "0", "2000Pi"])
def test_the_reader_also_knows_texts_that_are_too_small_or_too_large(value):
    with pytest.raises(SettingsError, match=r"storage\.size"):
        parse(stack_file("lab") | {"storage": {"size": value}}, set())


@pytest.mark.parametrize("value", ["5Mi", "1000000", "1.0000001Gi"])
def test_a_cache_has_whole_bytes_enough_for_a_process(value):
    with pytest.raises(SettingsError, match=r"cache\.inCluster\.memory"):
        parse(stack_file("lab") | {"cache": {"inCluster": {"memory": value}}}, set())


def test_every_key_is_described():
    definitions = stack_schema()["$defs"]
    for name, definition in definitions.items():
        for key, value in definition.get("properties", {}).items():
            # Where a key and its type are described alike, the schema says it once, at the type.
            referred = definitions.get(value.get("$ref", "").rsplit("/", 1)[-1], {})
            assert value.get("description") or referred.get("description"), f"{name}.{key}"
