"""Texts as they may be shown, without what looks like a secret in them.

Closer than `detection.secrets`, which refuses a stack file for what it finds: here a false alarm costs a word of a comment.
"""

import re

SECRET = "[secret]"  # noqa: S105  what the engine writes in a secret's place

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
