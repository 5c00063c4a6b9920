"""The committed JSON Schema says what the types say."""

import json

import jsonschema
import pytest
import yaml

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


def test_every_key_is_described():
    definitions = stack_schema()["$defs"]
    for name, definition in definitions.items():
        for key, value in definition.get("properties", {}).items():
            # Where a key and its type are described alike, the schema says it once, at the type.
            referred = definitions.get(value.get("$ref", "").rsplit("/", 1)[-1], {})
            assert value.get("description") or referred.get("description"), f"{name}.{key}"
