"""The reference of stack keys, for people: `python -m settings.reference > docs/stack-keys.md`."""

import json
from collections.abc import Iterator
from typing import Any

from settings.schema import stack_schema

HEAD = """\
# Keys of a stack file

Made from the types by `python -m settings.reference`; a test keeps it fresh. All keys are under `skillflaw:`,
one object per section. What holds between sections is in `settings/rules/`; a refusal names the remedy.

| key | allowed | default | meaning |
|---|---|---|---|
"""


def reference() -> str:
    """A Markdown page with one row per key."""
    schema = stack_schema()
    keys = schema["properties"]["config"]["properties"]
    rows = [
        row
        for name, section in keys.items()
        for row in dict.fromkeys(_rows(name.removeprefix("skillflaw:"), section, schema["$defs"]))
    ]
    return HEAD + "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows
    )


def _rows(path: str, key: dict[str, Any], definitions: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    shapes = [shape for shape in key.get("anyOf") or key.get("oneOf") or [key] if shape.get("type") != "null"]
    named = [definitions[shape["$ref"].rsplit("/", 1)[1]] for shape in shapes if "$ref" in shape]
    objects = [shape for shape in named if "properties" in shape]
    description = key.get("description") or " ".join(shape.get("description", "") for shape in named)
    # The keys of an object say its default, unless they have none of their own.
    by_keys = any("default" in inner for shape in objects[:1] for inner in shape["properties"].values())
    default = "" if by_keys or key.get("default") is None else f"`{json.dumps(key['default'])}`"
    allowed = "" if objects else " or ".join(_allowed(shape, definitions) for shape in shapes)
    yield f"`{path}`", allowed, default, " ".join(description.split())
    for shape in objects:
        for name, inner in shape["properties"].items():
            yield from _rows(f"{path}.{name}", inner, definitions)


def _allowed(shape: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "enum" in shape or "const" in shape:
        return ", ".join(f"`{json.dumps(value)}`" for value in shape.get("enum", [shape.get("const")]))
    held = shape.get("additionalProperties", {}).get("$ref") if shape.get("type") == "object" else None
    if held:
        return f"object of {{{', '.join(definitions[held.rsplit('/', 1)[1]]['properties'])}}}"
    if shape.get("type") == "array":
        items = shape["items"]
        inner = definitions[items["$ref"].rsplit("/", 1)[1]] if "$ref" in items else items
        fields = inner.get("properties")
        return f"list of {{{', '.join(fields)}}}" if fields else f"list of {_allowed(inner, definitions)}"
    if shape.get("type") == "integer":
        return f"{shape['minimum']} to {shape['maximum']}"
    types = shape.get("type", "")
    return types if isinstance(types, str) else " or ".join(types)


if __name__ == "__main__":
    print(reference(), end="")
