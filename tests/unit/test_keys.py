"""Every key of a stack file has an effect on what the program declares."""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest

from settings.sections import Section, Settings
from settings.shape import keys, sections_of
from tests.edits import CHOICES, RULED, VALUES, edited
from tests.stack_files import stack_file
from tests.unit.recorder import Program, plain, run


def sections_below(kind: Any) -> list[type[Section]]:
    """Sections that a key holds, alone, as one of several, in a list or by names of the operator's own."""
    if get_origin(kind) in (Annotated, tuple, dict):
        return [section for inner in get_args(kind) for section in sections_below(inner)]
    return sections_of(kind)


def paths(section: type[Section] = Settings, above: str = "") -> Iterator[str]:
    """Dotted paths of the keys that hold no section."""
    for key, field in keys(section).items():
        below = sections_below(field.type)
        for inner in below:
            named = ".*" if get_origin(field.type) is dict else ""
            yield from paths(inner, f"{above}{key}{named}.")
        if not below:
            yield f"{above}{key}"


PATHS = set(paths())
NOT_NEW = {
    ("edge.ingress.className", "traefik"),
    ("edge.ingress.controller", "none"),
    ("backup.schedule", "0 3 * * *"),
    ("database.maxConnections", 9312),
    ("storage.accessMode", "ReadWriteMany"),
    ("database.cloudNativePg.parameters", "max_connections"),
    ("database.cloudNativePg.recovery.generation", 2),
}
"""Values that a variant needs and does not show."""
EVERYWHERE = {"NoExecute"}
"""Values of a Kubernetes field that pods have without being asked."""


def values(sections: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each path of a stack file's sections that the type of sections ends at, and a value there."""
    if isinstance(sections, list):
        for item in sections:
            yield from values(item, path)
    elif isinstance(sections, dict) and any(known.startswith(f"{path}.*.") for known in PATHS):
        for name, value in sections.items():
            yield f"{path}.*.key", name
            yield from values(value, f"{path}.*")
    elif isinstance(sections, dict) and path not in PATHS:
        for key, value in sections.items():
            yield from values(value, f"{path}.{key}".lstrip("."))
    elif isinstance(sections, dict):
        for pair in sections.items():
            yield from ((path, word) for word in pair)
    else:
        yield path, sections


def declared(program: Program) -> dict[str, Any]:
    """Requests that the engine would get: inputs, and whether it protects and keeps."""
    return {
        urn: (plain(it.inputs), it.request.protect, it.request.retainOnDelete)
        for urn, it in program.resources.items()
    }


def says(text: str, value: Any) -> bool:
    """Whether a value appears in a text as a word of its own."""
    return bool(re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", text))


@pytest.mark.parametrize("variant", VALUES)
def test_every_value_arrives_in_what_is_declared(variant):
    lab = stack_file("lab")
    before, after = (json.dumps(list(declared(run(file)).values())) for file in (lab, lab | VALUES[variant]))
    given = {pair for pair in set(values(VALUES[variant])) - NOT_NEW if pair[0] not in RULED}
    assert {path for path, _ in given} <= PATHS
    assert [pair for pair in given if not says(after, pair[1])] == []
    assert [pair for pair in given if pair[1] not in EVERYWHERE and says(before, pair[1])] == []


@pytest.mark.parametrize("path", CHOICES)
def test_a_choice_changes_what_is_declared(path):
    edits = CHOICES[path]
    without = {key: value for key, value in edits.items() if key != path and not path.startswith(f"{key}.")}
    assert declared(run(edited(edits))) != declared(run(edited(without)))


def test_every_key_has_an_effect_or_says_which_rule_it_is_for():
    given = {pair for sections in VALUES.values() for pair in values(sections)} - NOT_NEW
    shown = {pair for pair in given if pair[0] not in RULED}
    assert {path for path, _ in shown} | CHOICES.keys() | RULED.keys() == PATHS
