"""Values as they may be shown: the engine masks what it knows to be secret, this masks what looks like it."""

import re
from typing import Any

SECRET = "[secret]"  # noqa: S105  what the engine writes in a secret's place
_NAME = re.compile(r"passw|secret|token|credential|private|api_?key", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
# A file's path and the name of a Secret tell where a secret is.
_WHERE = re.compile(r"(_FILE|name|Name|\.key|-version)$")


def masked(kind: str, path: str, value: Any) -> Any:
    """The value of a property of an object of some kind, without what could be a secret."""
    if value is None:
        return None
    if kind == "Secret" and path.startswith(("data", "stringData")):
        return SECRET
    return _masked(path, value)


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        # An environment variable's name stands beside its value.
        return {
            key: _masked(str(value.get("name", key)) if key == "value" else key, inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_masked(name, inner) for inner in value]
    if not isinstance(value, str):
        return value
    if _NAME.search(name.rpartition(".")[2]) and not _WHERE.search(name):
        return SECRET
    return _CREDENTIALS.sub(rf"\1{SECRET}@", value)
