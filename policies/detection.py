"""What looks like a secret, and which tags of images move."""

import re
from collections.abc import Iterator

_SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN(?!IZ)|API[-_.]?KEY|PRIVATE[-_.]?KEY|CREDENTIAL|AUTHORIZATION",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"(name|namespace|ref|source|type|class|algorithm|seconds|file|path|auth-secret|auth-tls-secret)$",
    re.IGNORECASE,
)
"""Last words of names that say something about a secret, and hold none: `API_KEY_SOURCE`, `secretName`."""
_HARMLESS = re.compile(r"|true|false|[0-9]{1,6}|/[-._/a-zA-Z0-9]*|\$\(\w+\)", re.IGNORECASE)
"""Values that are no secret whatever their name: nothing, switches, numbers, paths of files, references to variables."""
_SECRET_VALUE = re.compile(
    r"://[^/\s@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY|\b(AKIA[0-9A-Z]{16}|gh[pousr]_\w{20,}|sk-[-\w]{20,})"
)
"""A URL with a password, a private key, or a key of a form that services give theirs."""
_ASSIGNMENTS = (
    # NAME=VALUE, as in shells, connection strings, flags and queries of URLs
    re.compile(r"""(?<![$\w{.-])([\w.-]+)[ \t]*=[ \t]*["']?([^\s"',;&|)]+)"""),
    # "NAME": "VALUE"
    re.compile(r"""["']([\w.-]+)["']\s*:\s*["']([^"']+)["']"""),
    # NAME: VALUE on a line of its own
    re.compile(r"""^[ \t]*(?:- )?([\w.-]+):[ \t]+["']?([^\s"']+)""", re.MULTILINE),
    # --NAME VALUE
    re.compile(r"""(?<!\S)--([\w-]+)[ \t]+["']?([^\s"'-][^\s"']*)"""),
)


def looks_secret(name: str, value: str) -> bool:
    """Whether a named value looks like a secret, by its name, by its form, or by what is assigned in it."""
    return bool(_SECRET_VALUE.search(value)) or any(
        _SECRET_NAME.search(key) and not _ABOUT.search(key) and not _HARMLESS.fullmatch(text)
        for key, text in ((name, value), *_assigned(value))
    )


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    """Names and values in a script, a configuration file or a connection string, without references to variables."""
    for pattern in _ASSIGNMENTS:
        for name, value in pattern.findall(text):
            if value[0] not in "$=<{(":
                yield name, value


def tag_moves(image: str) -> bool:
    """Whether an image's name means another image tomorrow."""
    # What follows the first colon of the last part: a tag, or a digest.
    return image.rpartition("/")[2].partition(":")[2] in ("", "latest")
