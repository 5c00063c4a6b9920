"""Pod Security Standards, as far as the program's pods can offend them."""

from collections.abc import Iterator
from typing import Any

from operations.review.preview import at

HOST = ("hostNetwork", "hostPID", "hostIPC")


def violations(spec: dict[str, Any], level: str) -> list[str]:
    """Why pods of a spec are refused at a level (`privileged`, `baseline` or `restricted`)."""
    found: list[str] = []
    if level in ("baseline", "restricted"):
        found += _baseline(spec)
    if level == "restricted":
        found += _restricted(spec)
    return found


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", ()), *spec.get("containers", ())]


def _baseline(spec: dict[str, Any]) -> Iterator[str]:
    yield from (key for key in HOST if spec.get(key))
    yield from (f"hostPath volume {row['name']}" for row in spec.get("volumes", ()) if "hostPath" in row)
    for each in _containers(spec):
        if at(each, "securityContext", "privileged"):
            yield f"container {each['name']} is privileged"
        if any(port.get("hostPort") for port in each.get("ports", ())):
            yield f"container {each['name']} has a hostPort"


def _restricted(spec: dict[str, Any]) -> Iterator[str]:
    pod = spec.get("securityContext") or {}
    for each in _containers(spec):
        own = each.get("securityContext") or {}
        both = pod | own
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"container {each['name']} lacks allowPrivilegeEscalation: false"
        if "ALL" not in (at(own, "capabilities", "drop") or ()):
            yield f"container {each['name']} lacks capabilities.drop: [ALL]"
        if both.get("runAsNonRoot") is not True:
            yield f"container {each['name']} lacks runAsNonRoot: true"
        if both.get("runAsUser") == 0:
            yield f"container {each['name']} runs as root"
        if at(both, "seccompProfile", "type") not in ("RuntimeDefault", "Localhost"):
            yield f"container {each['name']} lacks seccompProfile RuntimeDefault"
