"""The JSON Schema of a stack file, for editors: `python -m settings.schema > stack.schema.json`."""

import inspect
import json
from typing import Annotated, Any, get_args, get_origin

import msgspec

from settings.descriptions import descriptions
from settings.load import SECRET_KEYS
from settings.sections import Section, Settings
from settings.shape import added_schema, choices, keys, sections_of

Schema = dict[str, Any]


def stack_schema() -> Schema:
    """A schema that completes and checks `Pulumi.<stack>.yaml`; cross-section rules are the program's."""
    definitions: dict[str, Schema] = {}
    sections = {f"skillflaw:{key}": _key(field, definitions) for key, field in keys(Settings).items()}
    secrets = {
        f"skillflaw:{key}": {
            "type": "object",
            "required": ["secure"],
            "description": "Set with `pulumi config set --secret`.",
        }
        for key in SECRET_KEYS
    }
    known = sections | secrets
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack of SkillFlaw",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                "required": [f"skillflaw:{key}" for key, field in keys(Settings).items() if field.required],
                "properties": known,
                # Other namespaces are Pulumi's own; inside ours an unknown key is a mistake.
                "propertyNames": {"anyOf": [{"enum": list(known)}, {"not": {"pattern": "^skillflaw:"}}]},
            }
        },
        "$defs": definitions,
    }


def _key(field: msgspec.structs.FieldInfo, definitions: dict[str, Schema]) -> Schema:
    shapes = [_shape(kind, field.default, definitions) for kind in choices(field.type)]
    schema = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    return schema if field.required else schema | {"default": _default(field)}


def _default(field: msgspec.structs.FieldInfo) -> Any:
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return json.loads(msgspec.json.encode(value))


def _shape(kind: Any, default: Any, definitions: dict[str, Schema]) -> Schema:
    if sections_of(kind):
        # What is left out of a section with a default comes from that.
        return _section(kind, type(default) is kind, definitions)
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(bare) is tuple and sections_of(get_args(bare)[0]):
        fewest = [constraint.min_length for constraint in getattr(kind, "__metadata__", ())]
        return {
            "type": "array",
            "items": _shape(get_args(bare)[0], None, definitions),
            **({"minItems": fewest[0]} if fewest else {}),
        }
    schema = msgspec.json.schema(kind)
    if get_origin(kind) is dict:
        schema["additionalProperties"] = _shape(get_args(kind)[1], None, definitions)
        # msgspec's own definitions of what a map holds.
        schema.pop("$defs", None)
    for constraint in getattr(kind, "__metadata__", ()):
        schema |= added_schema(constraint)
    return schema


def _section(kind: type[Section], complete: bool, definitions: dict[str, Schema]) -> Schema:
    if kind.__name__ not in definitions:
        required = [key for key, field in keys(kind).items() if field.required and not complete]
        described = descriptions(kind)
        definitions[kind.__name__] = {
            "type": "object",
            "description": inspect.cleandoc(kind.__doc__ or ""),
            "properties": {
                key: _key(field, definitions) | {"description": described[field.name]}
                for key, field in keys(kind).items()
            },
            "required": required,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{kind.__name__}"}


if __name__ == "__main__":
    print(json.dumps(stack_schema(), indent=2, ensure_ascii=False))
