"""Values as Kubernetes words them: names, hosts, images, quantities, schedules, address ranges."""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

from msgspec import Meta


def words(allowed: str, holds: Callable[[Any], bool], schema: dict[str, Any] | None = None) -> Meta:
    """What a value must be, in words, and how to tell; for what a pattern or a range cannot say.

    A `schema` adds to the one for editors; where its type lists numbers, the reader takes a number as the text
    that it stands for.
    """
    return Meta(extra={"allowed": allowed, "holds": holds, "schema": schema or {}})


Text = Annotated[str, words("text", lambda text: True, {"type": ["string", "number"]})]
"""Any text; YAML reads `5` as a number where the text is meant."""

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
"""The name of a Kubernetes object, narrowed to what every kind accepts."""

ObjectName = Annotated[str, Meta(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", max_length=253)]
"""The name of a Kubernetes object whose kind also allows dots (secrets, classes)."""

DataKey = Annotated[str, Meta(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
"""A key inside a Kubernetes Secret."""

Host = Annotated[
    str,
    Meta(
        # The last label has a letter: a name, not an address.
        pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+(?=[-0-9]*[a-z])[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        max_length=253,
    ),
]
"""A fully qualified host name in lower case, without port or scheme."""


def _is_server(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return ":" not in text and all(0 < len(label) <= 63 for label in text.split("."))
    return True


Server = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9:]([-.:a-z0-9]*[a-z0-9:])?$", max_length=253),
    words("the name of a host in lower case, or an IP address, without port or scheme", _is_server),
]
"""A host that pods connect to: a Service, a name outside the cluster, an address."""

DatabaseName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][-.~A-Za-z0-9_]*$", max_length=63)]
"""The name of a database that a URL holds as it is."""

Bucket = Annotated[str, Meta(pattern=r"^[a-z0-9][-.a-z0-9]*[a-z0-9]$", min_length=3, max_length=63)]
"""The name of a bucket of an object store."""

Prefix = Annotated[str, Meta(pattern=r"^[-._a-zA-Z0-9]+(/[-._a-zA-Z0-9]+)*$", max_length=255)]
"""A folder inside a bucket, without a slash at its ends."""

Region = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
"""The name of a region of an object store."""

Retention = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}[dwm]$")]
"""A time that backups are kept, in days (`30d`), weeks (`4w`) or months (`1m`)."""


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


Moment = Annotated[
    str,
    Meta(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"),
    words(
        'a moment in quotes with its distance from UTC, such as "2026-11-26T08:15:30Z" or "2026-11-26T09:15:30+01:00"',
        _is_moment,
    ),
]
"""A moment as RFC 3339 writes it; without a distance from UTC it would be another one for each reader."""

ParameterName = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$", max_length=63)]
"""The name of a parameter of PostgreSQL, one of an extension after the extension's."""

EnvName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=253)]
"""The name of an environment variable."""

FileName = Annotated[str, Meta(pattern=r"^\.?[A-Za-z0-9_][-._A-Za-z0-9]*$", max_length=253)]
"""The name of a file, without a folder."""

Image = Annotated[
    str,
    Meta(
        pattern=r"^([a-z0-9][-.a-z0-9]*(:[0-9]+)?/)?[a-z0-9][-._a-z0-9]*(/[a-z0-9][-._a-z0-9]*)*"
        r"(:[-._a-zA-Z0-9]{1,128})?(@sha256:[0-9a-f]{64})?$"
    ),
]
"""An image by tag, digest or both."""

Registry = Annotated[
    str, Meta(pattern=r"^[a-z0-9][-.a-z0-9]*(:[0-9]+)?(/[a-z0-9][-._a-z0-9]*)*$", max_length=255)
]
"""A registry, or a folder of one, as an image's full name begins: `ghcr.io/cwinux`."""

_URL = re.compile(
    r"^https?://([a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*)(?::([0-9]{1,5}))?/?$"
)


def _is_origin(text: str) -> bool:
    match = _URL.fullmatch(text)
    if match is None or not 1 <= int(match[4] or 80) <= 65535:
        return False
    return len(match[1]) <= 253 and all(len(label) <= 63 for label in match[1].split("."))


Url = Annotated[
    str,
    Meta(pattern=_URL.pattern),
    words("an http(s) origin with a port from 1 to 65535, without credentials or a path", _is_origin),
]
"""An http(s) origin without credentials or a path; the trailing slash is the operator's choice."""

AnnotationKey = Annotated[
    str,
    Meta(
        pattern=r"^(?=[^/]{1,253}/|[^/]*$)([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
        r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$"
    ),
]
"""The key of an annotation: a name, or a prefix (a domain) and a name."""

LabelKey = AnnotationKey
"""The key of a label; Kubernetes has one grammar for both."""

LabelValue = Annotated[str, Meta(pattern=r"^([A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$")]
"""The value of a label."""

Interval = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}[sm]$")]
"""A time between scrapes as Prometheus writes it, in seconds (`30s`) or minutes (`1m`)."""

Port = Annotated[int, Meta(ge=1, le=65535)]
Replicas = Annotated[int, Meta(ge=1, le=100)]


def _is_id(value: Any) -> bool:
    return value == PLATFORM or (type(value) is int and 1 <= value <= _MOST_ID)


PLATFORM = "platform"
"""Instead of a user or group id: the one that the platform assigns, as OpenShift does."""

_MOST_ID = 2**31 - 1

Uid = Annotated[
    int | str,
    words(
        f"a whole number from 1 to {_MOST_ID}, or {PLATFORM}",
        _is_id,
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": _MOST_ID}, {"const": PLATFORM}]},
    ),
]
"""A user or group id, but not root's; below 10000 it may be an account of the node."""

_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|k|Ki|[MGTP]i?)?$")
_FACTOR: dict[str | None, Decimal | int] = {
    None: 1,
    "m": Decimal("0.001"),
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "P": 10**15,
}
_FACTOR |= {f"{prefix}i": 2 ** (10 * power) for power, prefix in enumerate("KMGTP", start=1)}


def amount(quantity: str) -> Decimal:
    """The number a Kubernetes quantity such as `500m` or `4Gi` stands for."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ValueError(f"no quantity: {quantity}")
    return Decimal(match[1]) * _FACTOR[match[2]]


def _between(least: str, most: str, *, whole: bool) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        if not _QUANTITY.fullmatch(text):
            return False
        number = amount(text)
        return amount(least) <= number <= amount(most) and (not whole or number == int(number))

    return holds


def _cpu(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]+(\.[0-9]+)?|[0-9]+m", text)) and amount(text) * 1000 % 1 == 0


_BYTES = r"^[0-9]+(\.[0-9]+)?(k|Ki|[MGTP]i?)?$"

Cpu = Annotated[
    str,
    Meta(pattern=r"^[0-9]+(\.[0-9]+|m)?$"),
    words(
        "cores or thousandths of a core, from 1m to 1000, such as 500m, 2 or 1.5",
        # In this order: a remainder of a number of 29 digits is none that Decimal knows.
        lambda text: _between("1m", "1000", whole=False)(text) and _cpu(text),
        {"type": ["string", "number"], "minimum": 0.001, "maximum": 1000},
    ),
]
"""An amount of CPU."""

Memory = Annotated[
    str,
    Meta(pattern=_BYTES),
    words(
        "whole bytes from 16Mi to 1024Ti, such as 512Mi or 4Gi",
        _between("16Mi", "1024Ti", whole=True),
        {"type": ["string", "integer"], "minimum": 2**24, "maximum": 2**50},
    ),
]
"""An amount of memory; a process in less than 16Mi does not start."""

Size = Annotated[
    str,
    Meta(pattern=_BYTES),
    words(
        "whole bytes from 1Mi to 1024Pi, such as 512Mi or 10Gi",
        _between("1Mi", "1024Pi", whole=True),
        {"type": ["string", "integer"], "minimum": 2**20, "maximum": 2**60},
    ),
]
"""The size of a volume or of a part of a node's disk."""


def _is_range(text: str) -> bool:
    # Python also reads bare addresses, netmasks and zones, which Kubernetes refuses.
    if not re.fullmatch(r"[0-9a-fA-F.:]+/[0-9]{1,3}", text):
        return False
    try:
        network = ip_network(text)
    except ValueError:
        return False
    return getattr(network.network_address, "ipv4_mapped", None) is None


Cidr = Annotated[
    str,
    words(
        "an IPv4 or IPv6 range in CIDR form without host bits, such as 10.20.0.0/16 or fd00:20::/64",
        _is_range,
    ),
]


_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_CRON_PART = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/([1-9]\d*))?")


def _is_cron(text: str) -> bool:
    parts = text.split()
    return len(parts) == len(_CRON_RANGES) and all(map(_fits, parts, _CRON_RANGES))


def _fits(field: str, bounds: tuple[int, int]) -> bool:
    """Whether every part of a field (`*`, `5`, `1-5`, `*/15`, separated by commas) stays within its bounds."""
    low, high = bounds
    for part in field.split(","):
        match = _CRON_PART.fullmatch(part)
        if not match:
            return False
        numbers = [int(number) for number in match.groups()[:2] if number]
        if numbers != sorted(numbers) or not all(low <= number <= high for number in numbers):
            return False
    return True


Cron = Annotated[
    str,
    words(
        "a cron schedule in numbers (minute, hour, day of month, month, day of week), such as 0 3 * * *",
        _is_cron,
    ),
]

ProbePath = Annotated[str, Meta(pattern=r"^/[-._/a-zA-Z0-9]*$")]
"""A path that the kubelet asks by HTTP."""
