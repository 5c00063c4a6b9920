"""Values of a stack file read into the types of its sections; every mistake is reported, none ends the reading."""

import json
import math
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import msgspec

from detection.secrets import is_plain, is_secret
from settings.descriptions import descriptions
from settings.problems import Problem
from settings.renamed import RENAMED
from settings.sections import OneOf, Section
from settings.shape import added_schema, choices, keys, sections_of


@dataclass(frozen=True)
class Place:
    """The place of a value."""

    path: str
    """Its path in the stack file, without the project's prefix: `backend.scale.replicas`."""
    section: type[Section]
    """The section that holds it."""
    field: str
    """Its name there."""

    def inside(self, step: str) -> "Place":
        """A part of the same value."""
        return Place(self.path + step, self.section, self.field)

    @property
    def description(self) -> str:
        """What the value is for; empty if its type says it."""
        return descriptions(self.section).get(self.field, "")


class Reader:
    """Reads values by the types of msgspec that sections are made of."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        """What was wrong so far. While there is anything, what was read is not to be used."""

    def read(self, kind: Any, given: Any, place: Place, default: Any = None) -> Any:
        """A value of the type `kind`, from what JSON can hold.

        A section's keys that are left out come from `default`, if that is a section of the same kind.
        """
        kinds = choices(kind)
        if given is None and NoneType in kinds:
            return None
        if sections := sections_of(kind):
            return self._section(sections, given, place, default)
        [kind] = [one for one in kinds if one is not NoneType]
        bare, *constraints = _parts(kind)
        if get_origin(bare) is tuple and isinstance(given, list):
            item, _ = get_args(bare)
            given = [self.read(item, one, place.inside(f"[{number}]")) for number, one in enumerate(given)]
            return self._value(Annotated[tuple, *constraints] if constraints else tuple, given, place)
        if get_origin(bare) is dict and isinstance(given, dict):
            name, value = get_args(bare)
            return {
                self._value(name, key, inner): self.read(value, one, inner)
                for key, one in given.items()
                if (inner := place.inside(f".{shown_key(key)}"))
            }
        return self._value(kind, given, place)

    def _section(self, kinds: list[type[Section]], given: Any, place: Place, default: Any) -> Section | None:
        if not isinstance(given, dict):
            known = dict.fromkeys(key for kind in kinds for key in keys(kind))
            # In a section's place a text could be anything, a connection string for one.
            found = (
                f"a text of {len(given)} characters" if isinstance(given, str) else shown(place.path, given)
            )
            self._refuse(found, f"an object of {', '.join(known)}", place)
            return None
        kind = max(kinds, key=lambda kind: len(given.keys() & keys(kind)))
        fields = keys(kind)
        self.problems += [
            replace(problem, remedy=f"write the keys of one form alone: {_forms(kinds)}")
            if any(key in keys(other) for other in kinds)
            else problem
            for key in given
            if key not in fields
            for problem in [unknown_key(f"{place.path}.", key, list(fields))]
        ]
        values = msgspec.structs.asdict(default) if type(default) is kind else {}
        for key, field in fields.items():
            inner = Place(f"{place.path}.{key}", kind, field.name)
            if key in given:
                values[field.name] = self.read(field.type, given[key], inner, field.default)
            elif field.required and field.name not in values:
                self.problems.append(
                    Problem(
                        path=inner.path,
                        found="nothing",
                        allowed=inner.description,
                        remedy=f"set {inner.path}",
                    )
                )
                values[field.name] = None
        if issubclass(kind, OneOf):
            self._exactly_one(kind, given, place)
        return kind(**values)

    def _exactly_one(self, kind: type[OneOf], given: dict[str, Any], place: Place) -> None:
        names = [key for key, field in keys(kind).items() if field.name in kind.alternatives]
        chosen = [key for key in names if given.get(key) is not None]
        if len(chosen) != 1:
            self.problems.append(
                Problem(
                    path=place.path,
                    found=f"{len(chosen)} of {', '.join(names)}",
                    allowed=f"exactly one of {', '.join(names)}",
                    remedy="choose one and remove the rest" if chosen else "choose one",
                )
            )

    def _value(self, kind: Any, given: Any, place: Place) -> Any:
        bare, *constraints = _parts(kind)
        unquoted = bare is str and isinstance(given, int | float)
        if any(map(_takes_numbers, constraints)) and _is_number(given):
            given = str(int(given)) if given == int(given) else str(given)
        try:
            value = msgspec.convert(given, kind, strict=False)
        except msgspec.ValidationError:
            holds = False
        else:
            holds = all(_holds(constraint, value) for constraint in constraints)
        if not holds:
            hint = "; YAML reads a text of this form as one only in quotes" if unquoted else ""
            self._refuse(shown(place.path, given), _allowed(kind, constraints) + hint, place)
            return None
        return value

    def _refuse(self, found: str, allowed: str, place: Place) -> None:
        self.problems.append(
            Problem(
                path=place.path,
                found=found,
                allowed=allowed,
                remedy=f"correct {place.path}. {place.description}".strip(),
            )
        )


def _forms(kinds: list[type[Section]]) -> str:
    return ", or ".join(f"{{{', '.join(keys(kind))}}}" for kind in kinds)


def unknown_key(section: str, key: str, known: list[str]) -> Problem:
    """The problem of a key that is none of the `known` ones. `section` is what its path begins with."""
    if now := RENAMED.get(f"{section}{key}"):
        return Problem(
            path=f"{section}{key}", found="a key of an earlier version", allowed=", ".join(known), remedy=now
        )
    nearest = get_close_matches(str(key), known, n=1, cutoff=0.5)
    return Problem(
        path=f"{section}{shown_key(key)}",
        found="an unknown key",
        allowed=", ".join(known),
        remedy=f"did you mean {nearest[0]}?" if nearest else "remove it",
    )


_KEY = re.compile(r"[A-Za-z_][-._/A-Za-z0-9]{0,100}")


def shown_key(key: str) -> str:
    """A key as it may be repeated: a name; anything else could be a value that slipped into its place."""
    return (
        key if _KEY.fullmatch(str(key)) and not is_secret(key) else f"(a key of {len(str(key))} characters)"
    )


_SECRETIVE = re.compile(r"secret|password|token|key|env|kubeconfig", re.IGNORECASE)


def shown(path: str, value: Any) -> str:
    """A value as it may be repeated: a number, a switch or a plain word, unless the path is one of secrets."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str) and (_SECRETIVE.search(path) or "." not in path or not is_plain(value)):
        return f"a text of {len(value)} characters"
    return json.dumps(value)


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)


def _takes_numbers(constraint: msgspec.Meta) -> bool:
    """Whether a text's schema lists numbers next to texts."""
    return bool({"number", "integer"} & set(added_schema(constraint).get("type", ())))


def _parts(kind: Any) -> tuple[Any, ...]:
    """A type without what `Annotated` adds, then each addition."""
    return get_args(kind) if get_origin(kind) is Annotated else (kind,)


def _holds(constraint: msgspec.Meta, value: Any) -> bool:
    """Whether a value is what msgspec itself does not check."""
    if constraint.pattern and value.endswith("\n"):  # which `$` of Python's patterns allows
        return False
    return constraint.extra is None or constraint.extra["holds"](value)


_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def _allowed(kind: Any, constraints: list[msgspec.Meta]) -> str:
    for constraint in constraints:
        if constraint.extra:
            return str(constraint.extra["allowed"])
    shape = msgspec.json.schema(kind)
    if "enum" in shape:
        return " or ".join(shape["enum"])
    if "minimum" in shape:
        return f"a whole number from {shape['minimum']} to {shape['maximum']}"
    words = [f"text of the form {shape['pattern']}" if "pattern" in shape else _TYPES[shape["type"]]]
    limits = {"minLength": "at least", "minItems": "at least", "maxLength": "at most"}
    words += [f"{limit} {shape[key]} long" for key, limit in limits.items() if key in shape]
    return ", ".join(words)
