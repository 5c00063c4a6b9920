"""Values as Kubernetes words them: names, hosts, images, quantities, schedules, address ranges."""

import re
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Network, ip_network
from typing import Annotated, Any

from msgspec import Meta


def words(allowed: str, holds: Callable[[Any], bool]) -> Meta:
    """What a value must be, in words, and how to tell; for what a pattern or a range cannot say."""
    return Meta(extra={"allowed": allowed, "holds": holds})


Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
"""The name of a Kubernetes object, narrowed to what every kind accepts."""

ObjectName = Annotated[str, Meta(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", max_length=253)]
"""The name of a Kubernetes object whose kind also allows dots (secrets, classes)."""

DataKey = Annotated[str, Meta(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
"""A key inside a Kubernetes Secret."""

Host = Annotated[
    str,
    Meta(
        pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        max_length=253,
    ),
]
"""A fully qualified host name in lower case, without port or scheme."""

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

Url = Annotated[str, Meta(pattern=r"^https?://[-._a-zA-Z0-9]+(:[0-9]{1,5})?/?$")]
"""An http(s) origin without credentials or a path; the trailing slash is the operator's choice."""

Port = Annotated[int, Meta(ge=1, le=65535)]
Replicas = Annotated[int, Meta(ge=1, le=100)]
Uid = Annotated[int, Meta(ge=10000, le=2**31 - 1)]
"""A user or group id: at least 10000, so it is no account of the node."""

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


def _is_quantity(text: str) -> bool:
    return bool(_QUANTITY.fullmatch(text)) and amount(text) > 0


Quantity = Annotated[
    str,
    Meta(pattern=_QUANTITY.pattern),
    words("a Kubernetes quantity above zero, such as 500m, 2 or 4Gi", _is_quantity),
]


def _is_ipv4_range(text: str) -> bool:
    try:
        return isinstance(ip_network(text), IPv4Network)
    except ValueError:
        return False


Cidr = Annotated[
    str, words("an IPv4 range in CIDR form without host bits, such as 10.20.0.0/16", _is_ipv4_range)
]


_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
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
