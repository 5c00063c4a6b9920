"""Texts that look like secrets. The value decides; a name only says how closely to look at it."""

import re
from collections.abc import Iterator

_BY_FORM = re.compile(
    r"""
      ://[^/\s@:]{0,200}:(?!\d{1,5}(?:[/?\#]|$)|\$\(\w{1,100}\)@)[^\s@]{1,500}@  # a URL with a password, not a variable
    | -----BEGIN\ [A-Z0-9\ ]*PRIVATE\ KEY                          # PEM
    | LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0EgUFJJV|BFQyBQUklW|BPUEVOU1NI|BFTkNSWVBU)  # PEM in base64
    | AGE-SECRET-KEY-1
    | \beyJ[-\w]{10,}\.[-\w]+\.[-\w]*                             # a JWT
    | \beyJ[-\w]{20,}                                             # JSON in base64, as tokens are
    | \bsk-(?:proj|ant|svcacct|admin|live|test|or|lf)-[-\w]{4,}
    | \bsk-(?=[-\w]{0,80}\d)[-\w]{12,}  | \bsk-[A-Za-z0-9]{20,}
    | \b[rs]k_(?:live|test)_\w{8,} | \bwhsec_\w{8,}
    | \bgh[oprsu]_[A-Za-z0-9]{10,} | \bgithub_pat_\w{10,}
    | \bgl(?:pat|dt|rt|ptt|ft|soat|cbt|imt|agent)-[-\w]{8,}
    | \b(?:AKIA|ASIA)[0-9A-Z]{12,}
    | \bAIza[-\w]{20,}             | \bya29\.[-\w]{10,}
    | \bxox[abeoprs]-[-\w]{8,}     | \bxapp-[-\w]{8,}
    | \bhf_[A-Za-z0-9]{10,}        | \bnpm_[A-Za-z0-9]{10,}
    | \bpypi-(?=[-\w]{0,80}[A-Z0-9])[-\w]{16,}
    | \bSG\.[-\w]{8,}\.[-\w]{8,}
    | \bhv[sb]\.[-\w]{12,}         | \bdop_v1_\w{16,}  | \bdapi[0-9a-f]{16,}
    | \bgsk_[A-Za-z0-9]{16,}       | \blsv2_(?:pt|sk)_\w{8,}
    | \b(?:xai|tvly|pplx|nvapi)-(?=[-\w]{0,80}\d)[-\w]{12,}
    | \bpcsk_\w{12,}               | \bshp(?:at|ca|pa|ss)_\w{8,}
    | hooks\.slack\.com/services/\w | discord(?:app)?\.com/api/webhooks/\w
    | \b(?:Bearer|Basic)(?:\s|%20)+(?=[^\s]{0,80}[\d=])[-\w.~+/=]{8,}
    """,
    re.VERBOSE,
)
"""Secrets under any name: credentials inside a URL, private keys, tokens, keys as services shape theirs."""

_ASSIGNED = re.compile(
    r"""(?<![A-Za-z0-9])["']?(?:
          (?P<password>(?:\w{1,40}_|ssl)?(?:password|passwd|pwd|passphrase))
        | (?:\w{1,40}[_-])?(?:api_?-?key|access_?key|account_?key|shared_?access_?key|private_?key|secret(?:_?key)?|token|sig
            |authorization)
        )["']?\s*[:=]\s*["']?(?P<value>[^\s"',;&}]+)""",
    re.VERBOSE | re.IGNORECASE,
)
"""Keywords of a connection string, a query, a header or JSON, with what stands after them."""

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

_USERINFO = re.compile(r"://([^/\s@:]{16,200})@")

_SWITCH = re.compile(r"|true|false|yes|no|on|off|none|null|nil", re.IGNORECASE)
_NUMBER = re.compile(
    r"[-+]?\d{1,12}(\.\d{1,6})?\s?(%|[a-zA-Z]{1,3})?|(\d+[a-z]{1,2}){1,4}|\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?"
)
_VARIABLE = re.compile(r"\$[({]|\$[A-Z_]+\b")
"""A reference to a variable, as shells and Kubernetes write it."""
_PATH = re.compile(r"(?:~|\.{1,2})?/(?:[-.\w@+]{0,64}/)*[-.\w@+]{0,64}")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S*", re.IGNORECASE)
_HOST = re.compile(
    r"(?:[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]{2,24}(?::\d{1,5})?|[a-z][-a-z]*:\d{1,5}"
)
_WORD = re.compile(r"[a-z]{0,20}(?:[A-Z][a-z]+){0,6}|[A-Z]{1,20}|v?\d{1,4}")
_IDENTIFIER = re.compile(r"[A-Za-z]{1,12}\d{1,4}[a-z]{0,4}")
"""Words with a number in them, as models and algorithms have (`RS256`, `argon2id`), and passwords too."""

_PASSWORD = re.compile(r"passw(or)?d|pwd|passphrase|passcode|pass|pw", re.IGNORECASE)
_PASSWORD_END = re.compile(r"(password|passwd|passphrase|passcode|pwd)$", re.IGNORECASE)
_KEY_END = re.compile(r"(secret|token|apikey|accesskey|secretkey|privatekey|credentials?)s?$", re.IGNORECASE)
_KEY = re.compile(r"key|keys|auth|salt|pat|bearer|creds?|cookie|signature|jwt|dsn|pin|otp", re.IGNORECASE)
_VERSION = re.compile(r"versions?", re.IGNORECASE)
"""What a word, a date or a digest may be of, whatever has it."""
_QUALIFIER = re.compile(
    r"\d+|prod|production|dev|test|staging|old|new|current|previous|prev|value|default|primary|secondary|b64|base64",
    re.IGNORECASE,
)


def is_secret(value: str) -> bool:
    """Whether a text is or carries a secret by its form, whatever it is called."""
    return bool(
        _BY_FORM.search(value)
        or any(_is_random(user) for user in _USERINFO.findall(value))
        or any(_is_assigned(found) for found in _ASSIGNED.finditer(value))
    )


def looks_secret(name: str, value: str) -> bool:
    """Whether a named value is or could be a secret.

    A password is any text; a key or token is what no word, number, path or address is. Names that only sound
    secret (`API_KEY_SOURCE`, `TOKEN_EXPIRE_SECONDS`) have values that are none.
    """
    if is_secret(value):
        return True
    if _SWITCH.fullmatch(value) or _URL.fullmatch(value) or _PATH.fullmatch(value):
        return False
    words = _words(name)
    if words and _VERSION.fullmatch(words[-1]):
        return False
    while len(words) > 1 and _QUALIFIER.fullmatch(words[-1]):
        words.pop()
    # The last word is what the value is: DB_PASSWORD is a password, PASSWORD_FILE is a file.
    if words and _is_password_word(words[-1]):
        return not re.fullmatch(r"\d{1,3}", value)
    if words and _is_secret_word(words[-1]) and len(value) > 5:
        return not _is_harmless(value) or bool(_IDENTIFIER.fullmatch(value))
    return any(map(_is_secret_word, words)) and len(value) > 3 and not _is_harmless(value)


def holds_secret(name: str, text: str) -> bool:
    """Whether a whole text (a script, a configuration file, a connection string) is a secret or assigns one."""
    return looks_secret(name, text) or any(looks_secret(key, value) for key, value in _assignments(text))


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """Names and values in a text, without references to variables."""
    for pattern in _ASSIGNMENTS:
        for name, value in pattern.findall(text):
            if value[0] not in "$=<{(":
                yield name, value


def _words(name: str) -> list[str]:
    """The words of a name: `db_password`, `dbPassword`, `DB-PASSWORD`."""
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)


def _is_password_word(word: str) -> bool:
    return bool(_PASSWORD.fullmatch(word) or _PASSWORD_END.search(word))


def _is_secret_word(word: str) -> bool:
    return bool(_is_password_word(word) or _KEY_END.search(word) or _KEY.fullmatch(word))


def _is_assigned(found: re.Match[str]) -> bool:
    value = found["value"]
    if _SWITCH.fullmatch(value) or _PATH.fullmatch(value) or _VARIABLE.match(value):
        return False
    return bool(found["password"]) or not _is_harmless(value)


def _is_harmless(value: str) -> bool:
    """Whether a text is a number, an address, words of a language or names of things."""
    if _NUMBER.fullmatch(value) or _HOST.fullmatch(value):
        return True
    return all(
        _WORD.fullmatch(part) or _IDENTIFIER.fullmatch(part) for part in re.split(r"[-_.,:;/ ]+", value)
    )


def is_plain(text: str) -> bool:
    """Whether a text is a short name, number or address that may be repeated in a message."""
    return bool(re.fullmatch(r"[-._/a-zA-Z0-9]{1,40}", text)) and not is_secret(text) and _is_harmless(text)


def _is_random(text: str) -> bool:
    return not _is_harmless(text)
