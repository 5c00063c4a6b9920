"""The JSON Schema of a stack file, for editors: `python -m settings.schema > stack.schema.json`."""

import json
from typing import Any

from settings import sections
from settings.load import SECRET_KEYS
from settings.meaning import meanings
from settings.sections import Settings


def stack_schema() -> dict[str, Any]:
    """A schema that completes and checks `Pulumi.<stack>.yaml`; cross-section rules are the program's."""
    settings = Settings.model_json_schema(by_alias=True)
    definitions = settings.pop("$defs")
    for name, definition in definitions.items():
        section = getattr(sections, name, None)
        for field, meaning in meanings(section).items() if section else ():
            definition["properties"][section.model_fields[field].alias]["description"] = meaning
    secrets = {
        key: {
            "type": "object",
            "required": ["secure"],
            "description": "Set with `pulumi config set --secret`.",
        }
        for key in SECRET_KEYS
    }
    keys = {f"skillflaw:{key}": value for key, value in {**settings["properties"], **secrets}.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack of SkillFlaw",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                "required": [f"skillflaw:{key}" for key in settings["required"]],
                "properties": keys,
                # Other namespaces are Pulumi's own; inside ours an unknown key is a mistake.
                "propertyNames": {"anyOf": [{"enum": list(keys)}, {"not": {"pattern": "^skillflaw:"}}]},
            }
        },
        "$defs": definitions,
    }


if __name__ == "__main__":
    print(json.dumps(stack_schema(), indent=2, ensure_ascii=False))
