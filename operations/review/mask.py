"""Values of objects as they may be shown: the engine masks what it knows to be secret, this masks what looks like it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from detection.scrub import SECRET, scrubbed, secretive
from detection.secrets import is_secret

MARK = "4dabf18193072939515e22adb298388d"
"""The key by which the engine marks a secret that it does not mask (`--show-secrets`)."""


def masked(kind: str, path: str, value: Any, names: Iterable[str] = ()) -> Any:
    """The value of a property of an object of some kind, without what could be a secret.

    `names` are those that stand next to the value instead of in its path, as a variable's does.
    """
    if value is None:
        return None
    if kind == "Secret" and not path and isinstance(value, dict):
        return {key: masked(kind, key, inner) for key, inner in value.items()}
    if kind == "Secret" and not re.match(
        r"(apiVersion|kind|type|immutable|metadata\.(name|namespace|labels))\b", path
    ):
        if path == "metadata" and isinstance(value, dict):
            return {key: masked(kind, f"metadata.{key}", inner) for key, inner in value.items()}
        return SECRET
    if kind.startswith("Random") and path in ("result", "bcryptHash", "base64", "hex", "id"):
        return SECRET
    if any(secretive(name) for name in names):
        return SECRET
    return _masked(path, value)


def names(path: str, *states: Mapping[str, Any]) -> Iterator[str]:
    """Names that stand next to a property's value: of the variable it belongs to, and of the flag before it."""
    entry = re.match(r"(.*)\[(\d+)\](\.value)?$", path)
    if not entry:
        return
    for state in states:
        items: Any = state
        for key in re.findall(r"[^.\[\]]+", entry[1]):
            try:
                items = items[int(key) if isinstance(items, list) else key]
            except (KeyError, IndexError, TypeError, ValueError):
                items = None
                break
        if isinstance(items, list):
            index = int(entry[2])
            if entry[3] and index < len(items) and isinstance(items[index], dict):
                yield str(items[index].get("name", ""))
            if not entry[3] and 0 < index <= len(items) and isinstance(items[index - 1], str):
                yield _flag(items[index - 1])


def _flag(word: str) -> str:
    """The name that a word of a command gives to the next one."""
    return word if word.startswith("-") and "=" not in word else ""


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        if MARK in value:
            return SECRET
        # An environment variable's name stands next to its value.
        return {
            scrubbed(str(key)): _masked(str(value.get("name", key)) if key == "value" else str(key), inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        before = ["", *(_flag(item) if isinstance(item, str) else "" for item in value)]
        return [
            _masked(flag if secretive(flag) and isinstance(inner, str) else name, inner)
            for flag, inner in zip(before, value, strict=False)
        ]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    if secretive(name):
        return SECRET
    if not isinstance(value, str):
        return value
    shown = scrubbed(value)
    rest = shown.replace(f"={SECRET}", "=$(MASKED)").replace(SECRET, "")
    return SECRET if is_secret(rest) else shown
