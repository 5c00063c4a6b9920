"""What the types of sections are made of."""

from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from msgspec import Meta
from msgspec.structs import FieldInfo, fields

from settings.sections import Section


@cache
def keys(section: type[Section]) -> dict[str, FieldInfo]:
    """A section's fields by their key in the stack file."""
    return {field.encode_name: field for field in fields(section)}


def choices(kind: Any) -> tuple[Any, ...]:
    """Every type that a value of this type may have."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def sections_of(kind: Any) -> list[type[Section]]:
    """The sections among them."""
    return [one for one in choices(kind) if isinstance(one, type) and issubclass(one, Section)]


def added_schema(constraint: Meta) -> dict[str, Any]:
    """What a constraint of ours adds to the JSON Schema that msgspec makes of a type."""
    added: dict[str, Any] = (constraint.extra or {}).get("schema", {})
    return added
