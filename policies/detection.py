"""What looks like a secret, and which tags of images move."""

import re

_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)
_HARMLESS = re.compile(r"|true|false|[0-9]{1,6}|/[-._/a-zA-Z0-9]*", re.IGNORECASE)
"""Values that are no secret whatever their name: nothing, switches, numbers, paths of files."""
_SECRET_VALUE = re.compile(
    r"://[^/\s@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY|\b(AKIA[0-9A-Z]{16}|gh[pousr]_\w{20,}|sk-[-\w]{20,})"
)
"""A URL with a password, a private key, or a key of a form that services give theirs."""


def looks_secret(name: str, value: str) -> bool:
    """Whether a named value looks like a secret, by the name or by the value itself."""
    return bool((_SECRET_NAME.search(name) and not _HARMLESS.fullmatch(value)) or _SECRET_VALUE.search(value))


def tag_moves(image: str) -> bool:
    """Whether an image's name means another image tomorrow."""
    # What follows the first colon of the last part: a tag, or a digest.
    return image.rpartition("/")[2].partition(":")[2] in ("", "latest")
