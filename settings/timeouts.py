"""How long a request may take at each ingress controller: what it can do, and what annotations make of it."""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from settings.problems import Problem

GOOGLE_SECONDS = 30
"""Timeout of a backend of Google's load balancers that no BackendConfig raises, in seconds."""
BACKEND_CONFIGS = ("cloud.google.com/backend-config", "beta.cloud.google.com/backend-config")
"""Annotations of a Service that name its BackendConfig."""

_UNITS = {"us": "0.000001", "ms": "0.001", "s": "1", "m": "60", "h": "3600", "d": "86400"}


def _time(plain_unit: str) -> Callable[[str], Decimal | None]:
    """Reads `90`, `90s` or `1m 30s` as seconds; a number without a unit is one of `plain_unit`."""

    def read(value: str) -> Decimal | None:
        if not re.fullmatch(r"\s*(?:\d+(?:us|ms|[smhd])?\s*)+", value):
            return None
        parts = re.findall(r"(\d+)(us|ms|[smhd])?", value)
        return sum((int(count) * Decimal(_UNITS[unit or plain_unit]) for count, unit in parts), Decimal(0))

    return read


def _attribute(name: str, default: int) -> Callable[[str], Decimal | None]:
    """Reads an attribute of a list of attributes in seconds, which is the default where the list lacks it."""

    def read(value: str) -> Decimal | None:
        found = re.search(rf"(?:^|,)\s*{re.escape(name)}=\s*([^,]*)", value)
        if not found:
            return Decimal(default)
        return Decimal(number) if (number := found[1].strip()).isdigit() else None

    return read


TIMEOUTS: Mapping[str, Mapping[str, Callable[[str], Decimal | None]]] = {
    "nginx": {f"nginx.ingress.kubernetes.io/proxy-{way}-timeout": _time("s") for way in ("read", "send")},
    "f5-nginx": {f"nginx.org/proxy-{way}-timeout": _time("s") for way in ("read", "send")},
    "haproxy": {"haproxy.org/timeout-server": _time("ms")},
    "openshift": {"haproxy.router.openshift.io/timeout": _time("ms")},
    "alb": {
        "alb.ingress.kubernetes.io/load-balancer-attributes": _attribute("idle_timeout.timeout_seconds", 60)
    },
}
"""By controller: the annotations that say how long a request may take, and how each reads as seconds."""


def shortened(
    path: str, annotations: Mapping[str, str], controller: str | None, longest_flow_seconds: int
) -> Iterator[Problem]:
    """Annotations at a path of the stack file with which the controller would cut the longest flow."""
    for key, read in TIMEOUTS.get(controller or "", {}).items():
        if key not in annotations:
            continue
        seconds = read(annotations[key])
        if seconds is None or seconds < longest_flow_seconds:
            yield Problem(
                path=f"{path}.{key}",
                found="no time that can be read"
                if seconds is None
                else f"requests are cut after {seconds:f} s",
                allowed=f"at least the {longest_flow_seconds} s of backend.longestFlowSeconds",
                remedy="remove it, since the program writes it from backend.longestFlowSeconds, or raise it",
            )
