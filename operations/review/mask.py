"""Values as they may be shown: the engine masks what it knows to be secret, this masks what looks like it.

Closer than `detection.secrets`, which refuses a stack file for what it finds: here a false alarm costs a word of a comment.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from detection.secrets import is_secret

SECRET = "[secret]"  # noqa: S105  what the engine writes in a secret's place
MARK = "4dabf18193072939515e22adb298388d"
"""The key by which the engine marks a secret that it does not mask (`--show-secrets`)."""

_NAME = re.compile(
    r"passw|passphrase|secret|token(?!iz)|credential|private|kubeconfig|(?:api|access|signing|encryption)[-_]?key"
    r"|pass$|masterauth|(?:^|[^a-z])(?:pwd|key)$",
    re.IGNORECASE,
)
# A file's path, the name of a Secret and a duration tell of a secret, and are none.
_ABOUT = re.compile(
    r"(?:_(?:FILE|PATH|DIR|NAME|SOURCE|TYPE|VERSION|ALGORITHM|ENABLED?|SECONDS|MINUTES|HOURS|DAYS|TTL|LENGTH|COUNT)"
    r"|[nN]ame|^key|-version)$",
    re.IGNORECASE,
)

_URL = re.compile(r"(://[^/\s:@\"']*:)[^/\s\"']+@")
# A password of a database's URL may hold a slash that nobody encoded.
_DATABASE_URL = re.compile(
    r"((?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?)(?:\+\w+)?://[^/\s:@\"']*:)[^\s\"']+@"
)
_USER_TOKEN = re.compile(r"(://)[^/\s:@\"']{16,}@")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL
)
_BEARER = re.compile(r"\b(bearer|basic)(\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
# A word has one beginning: without that a long one is read once per letter.
_ASSIGNED = re.compile(r"(?<![\w.-])([\w.-]+)(\\?[\"']?\s*[=:]\s*)(\\?\"[^\"]*\"|'[^']*'|[^\s,;&\"'}\]]+)")
# A flag and the word after it; lines of a redis.conf as well.
_FLAG = re.compile(r"(?<![\w-])(--?\w[\w-]*|requirepass|masterauth)(\s+)(?!-)([^\s\"']+)")
_SHAPES = re.compile(
    r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"  # JSON web tokens
    r"|\b(?:sk|pk|rk)[-_][\w-]{12,}"
    r"|\bgh[a-z]_\w{12,}|\bgithub_pat_\w{12,}|\bglpat-[\w-]{12,}"
    r"|\bxox[a-z]-[\w-]{8,}|\bxapp-[\w-]{8,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bAIza[\w-]{20,}|\bya29\.[\w-]{12,}"
    r"|\b(?:hf|gsk|npm|r8|pul|dckr_pat|lsv2|shpat|dop_v1|whsec|hvs|pypi|nvapi|tvly|xai|pplx|SG|ATATT)[-_.][\w.-]{16,}"
    r"|\bAGE-SECRET-KEY-\w+"
    # Whatever mixes capitals, small letters and digits over such a length was made by a machine.
    r"|(?<![\w/+-])(?=[\w+-]*[A-Z])(?=[\w+-]*[a-z])(?=(?:[\w+-]*\d){3})[\w+-]{28,}={0,2}(?![\w/+-])"
)


def secretive(name: str) -> bool:
    """Whether what has this name is a secret, whatever it looks like."""
    last = re.split(r"[.\[\]\"/]+", name.rstrip(']"'))[-1]
    return bool(_NAME.search(last)) and not _ABOUT.search(last)


def looks_secret(value: str) -> bool:
    """Whether a text is or holds a secret, whatever its name is."""
    return scrubbed(value) != value or is_secret(value)


def scrubbed(text: str) -> str:
    """A text without what looks like a secret in it."""
    text = _PRIVATE_KEY.sub(SECRET, text)
    text = _DATABASE_URL.sub(rf"\1{SECRET}@", text)
    text = _URL.sub(rf"\1{SECRET}@", text)
    text = _USER_TOKEN.sub(rf"\1{SECRET}@", text)
    text = _BEARER.sub(rf"\1\2{SECRET}", text)
    for pair in (_ASSIGNED, _FLAG):
        text = pair.sub(lambda found: f"{found[1]}{found[2]}{_unless(found[1], found[3])}", text)
    return _SHAPES.sub(SECRET, text)


def _unless(name: str, value: str) -> str:
    return SECRET if secretive(name) and SECRET not in value else value


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
