"""One scrubber for everything that leaves the cluster: it knows the values of Secrets in whatever way they are written.

A value of a Secret is replaced by a word that names the Secret and its key, except one that is a name of the stack's own
(`skillflaw`) or shorter than four characters, which would be found everywhere. What no Secret holds is judged by its name
and its form, as in a review.
"""

import base64
import html
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from detection.scrub import SECRET, scrubbed, secretive
from detection.secrets import is_plain, is_secret

SHORTEST = 4
"""Characters of the shortest value that is looked for."""
SHORTEST_LINE = 8
"""Characters of the shortest line of a longer value that is looked for by itself."""
BOUNDED = 6
"""Characters below which a value is looked for as a word of its own."""
SHORTEST_OPAQUE = 16
"""Characters from which a setting of a longer value is looked for, whatever its name, unless it is made of words."""
SHORTEST_CORE = 6
"""Characters of the shortest piece of base64 that is looked for."""

_URL_SAFE = str.maketrans("+/", "-_")
_STANDARD = str.maketrans("-_", "+/")
_WORD = re.compile(r"\[secret:[^\]\s]*\]")
_USERINFO = re.compile(r"://([^/\s:@\"']*):([^\s\"']+)@")
_PAIR = re.compile(r"([\w.-]+)[\"']?(?:\s*[=:]\s*|[ \t]+)[\"']?([^\s\"',;&]+)")
_PLAIN_LINE = re.compile(r"\s*-?\s*([\w.-]+)\s*[:=]\s*[\"']?([^\s\"']*)[\"']?")
_BOUNDARY = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")
_RUN = re.compile(r"(?:[\w+/-]{40,80}\r?\n[ \t]*)+[\w+/-]*={0,2}|[\w+/-]{20,}={0,2}", re.ASCII)
_AROUND = r"[\w+/=-]*"


class Scrubber:
    """Texts and objects without the values of some Secrets, and without what looks like a secret."""

    def __init__(self, secrets: Mapping[str, bytes], names: Collection[str] = ()) -> None:
        """`secrets` are values by `NAME/KEY`; `names` are words that stay, whatever Secret holds them."""
        forms: dict[str, str] = {}
        cores: dict[str, str] = {}
        for place, value in secrets.items():
            word = f"[secret:{place}]"
            texts = set(_texts(value))
            sought = {text for text in texts if len(text) >= SHORTEST and text not in names}
            forms |= {form: word for text in sought for form in _written(text)}
            cores |= {core: word for text in sought for core in _cores(text.encode())}
            if not texts:
                # No text at all, such as a keystore: it is written in base64.
                cores |= dict.fromkeys(_cores(value), word)
        # The longest first: a URL before the password in it.
        self._forms = sorted(forms.items(), key=lambda row: -len(row[0]))
        self._cores = sorted(cores.items(), key=lambda row: -len(row[0]))

    def text(self, text: str) -> str:
        """A text, such as a log."""
        return self._shapes(self._known(text))

    def value(self, value: Any, name: str = "") -> Any:
        """An object or a part of one; `name` is what the part is called."""
        if isinstance(value, dict):
            # The name of a variable stands next to its value.
            called = str(value.get("name", "value"))
            return {
                self.text(str(key)): self.value(inner, called if key == "value" else str(key))
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self.value(inner, flag or name) for flag, inner in zip(_flags(value), value, strict=True)]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return value
        known = self._known(str(value))
        if _WORD.fullmatch(known):
            return known
        if secretive(name):
            return " ".join(_WORD.findall(known)) or SECRET
        if not isinstance(value, str):
            return value if known == str(value) else known
        document = _document(known)
        return self._shapes(known) if document is None else json.dumps(self.value(document))

    def holds(self, text: str) -> bool:
        """Whether a text has a value of a Secret in it, however written."""
        return self._known(text) != text

    def _known(self, text: str) -> str:
        """A text in which each known value is the word for it."""
        for core, word in self._cores:
            if core in text:
                text = re.sub(_AROUND + re.escape(core) + _AROUND, word, text)
        for form, word in self._forms:
            if form in text:
                pattern = re.escape(form)
                if len(form) < BOUNDED:
                    pattern = rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
                text = re.sub(pattern, word, text)
        return _RUN.sub(self._decoded, text)

    def _decoded(self, found: re.Match[str]) -> str:
        """A run of base64, unless what it encodes is or holds a secret."""
        inner = _from_base64(found[0])
        if inner and (self.holds(inner) or (_is_printable(inner) and is_secret(inner))):
            return SECRET
        return found[0]

    def _shapes(self, text: str) -> str:
        """A text without what looks like a secret; the words for known ones stay."""
        words = _WORD.findall(text)
        pieces = [_shown(piece) for piece in _WORD.split(text)]
        return "".join(part for pair in zip(pieces, [*words, ""], strict=True) for part in pair)


def _shown(text: str) -> str:
    return "\n".join(
        SECRET if is_secret(line.replace(f"={SECRET}", "=$(MASKED)").replace(SECRET, "")) else line
        for line in scrubbed(text).split("\n")
    )


def _flags(items: list[Any]) -> list[str]:
    """For each item of a list, the flag of a command before it."""
    flags = [
        item if isinstance(item, str) and item.startswith("-") and "=" not in item else "" for item in items
    ]
    return ["", *flags][: len(items)]


def _document(text: str) -> Any:
    """An object or list that a text is in JSON; None for any other text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


# --- what is to be looked for -------------------------------------------------------------------


def _texts(value: bytes) -> Iterator[str]:
    """A value of a Secret and the parts of it that are secrets by themselves, as texts."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    yield text
    yield text.strip()
    for _, password in _USERINFO.findall(text):
        yield password
        yield unquote(password)
    if (document := _document(text)) is not None:
        yield from _leaves(document)
    inner = _from_base64(text.strip())
    if inner and _is_printable(inner):
        yield inner
        yield inner.strip()
    lines = text.splitlines()
    for line in lines if len(lines) > 1 else ():
        if len(line.strip()) >= SHORTEST_LINE and not _is_plain_line(line):
            yield line.strip()
        yield from (
            found
            for name, found in _PAIR.findall(line)
            if secretive(name) or (len(found) >= SHORTEST_OPAQUE and not is_plain(found))
        )


def _is_plain_line(line: str) -> bool:
    """Whether a line is found in every PEM file, or is a setting that tells nobody anything."""
    found = _PLAIN_LINE.fullmatch(line)
    return bool(
        _BOUNDARY.fullmatch(line.strip())
        or (found and not secretive(found[1]) and (not found[2] or is_plain(found[2])))
    )


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _texts(value.encode())
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _leaves(inner)


def _written(text: str) -> Iterator[str]:
    """Ways in which programs write a text."""
    # A key in base64 has two alphabets.
    for plain in {text, text.translate(_URL_SAFE), text.translate(_STANDARD)}:
        escaped = {json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1], repr(plain)[1:-1]}
        encoded = {
            quote(plain, safe=""),
            quote(plain),
            quote_plus(plain),
            quote(plain, safe="-._~!$&'()*+,;="),
            quote(plain, safe=" -._~!$&'()*+,;="),
            quote(plain, safe=" +"),
        }
        encoded |= {re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in encoded}
        yield plain
        yield from encoded
        yield from escaped
        # JSON inside JSON, as an annotation in a log is.
        yield from (json.dumps(each)[1:-1] for each in escaped)
        yield html.escape(plain)
        yield plain.replace("'", "''")
        yield plain.replace("\n", "\r\n")
        if len(plain) >= SHORTEST_LINE:
            yield plain.encode().hex()
            yield plain.encode().hex().upper()


def _cores(value: bytes) -> Iterator[str]:
    """The characters that base64 makes of a value, wherever in a longer text it stands.

    Three bytes become four characters, so there are three ways to stand; those at the ends depend on what is around it.
    """
    for before in range(3):
        text = base64.b64encode(bytes(before) + value).decode()
        core = text[(0, 2, 3)[before] : (before + len(value)) * 8 // 6]
        if len(core) >= SHORTEST_CORE:
            yield core
            yield core.translate(_URL_SAFE)


def _from_base64(text: str) -> str | None:
    """What a text encodes in base64, of either alphabet, in lines or not."""
    standard = "".join(text.split()).rstrip("=").translate(_STANDARD)
    try:
        inner = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError:
        return None
    return inner.decode(errors="replace")


def _is_printable(text: str) -> bool:
    return all(letter.isprintable() or letter.isspace() for letter in text)
