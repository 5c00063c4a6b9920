"""Policies about what is stored in plain text."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from detection.secrets import holds_secret
from policies.policy import policy
from policies.resources import Resource, Stack, mapping

_AUTHORS = ("annotations", "binaryData", "data", "labels")
"""Fields whose keys are the author's words; every other key is Kubernetes' own and says nothing of its value."""


@policy(
    why="Everyone who may read pods or ConfigMaps reads it, and so does everyone who reads the repository.",
    remedy="Put the value in a Secret and refer to it (`valueFrom.secretKeyRef`, or a mounted file).",
)
def no_plain_secret(resource: Resource, stack: Stack) -> Iterator[str]:
    """Nothing but the data of a Secret looks like one: no variable, argument, probe, annotation or entry of a ConfigMap."""
    if not resource.type.startswith("kubernetes:"):
        return
    readable = {
        key: value
        for key, value in resource.properties.items()
        if resource.kind != "Secret" or key not in ("data", "stringData")
    }
    if "binaryData" in readable:
        readable["binaryData"] = {
            name: _decoded(text) for name, text in mapping(readable["binaryData"]).items()
        }
    for where, name, text in _texts(readable):
        if holds_secret(name, text):
            yield f"{where} looks like a secret"


def _texts(value: Any, where: str = "", name: str = "") -> Iterator[tuple[str, str, str]]:
    """Every text as where it is, the name that its author gave it (empty if none), and the text itself."""
    if isinstance(value, str):
        yield where, name, value
    elif isinstance(value, Mapping):
        own = value.get("name") if "value" in value else None
        for key, item in value.items():
            if key == "value" and isinstance(own, str):
                yield from _texts(item, f"{where} {_shown(own)}", own)
                continue
            authors = where.rpartition(".")[2] in _AUTHORS
            at = f"{where}.{_shown(key)}".lstrip(".")
            if authors:
                yield at, "", key
            yield from _texts(item, at, key if authors else "")
    elif isinstance(value, list):
        before = ""
        for index, item in enumerate(value):
            # `--password`, `VALUE` are two arguments.
            yield from _texts(item, f"{where}[{index}]", before if before.startswith("-") else "")
            before = item if isinstance(item, str) else ""


def _shown(name: str) -> str:
    """A name as it may be shown: not one that is a secret itself."""
    return "…" if holds_secret("", name) else name


def _decoded(text: Any) -> Any:
    try:
        return base64.b64decode(text).decode(errors="replace") if isinstance(text, str) else text
    except (binascii.Error, ValueError):
        return text
