"""The census of public hosts, whichever kind of object renders it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

API_PATHS = {
    "health": [("Exact", "/health"), ("Exact", "/health_check")],
    "run": [("Prefix", "/api/v1/run")],
    "responses": [("Prefix", "/api/v1/responses")],
    "mcp": [("Prefix", "/api/v1/mcp/streamable")],
    "management": [("Prefix", "/api")],
}
"""Paths of the backend by group. What no group opens has no route: the edge answers 404."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A Service and its port."""

    service: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Path:
    """What answers below a path (`Prefix`, by whole segments) or at it (`Exact`)."""

    kind: str
    path: str
    target: Target


@dataclass(frozen=True, kw_only=True)
class Route:
    """One public host."""

    host: str
    paths: tuple[Path, ...]
    tls_secret: str | None
    """The host's own certificate."""


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    namespace: pulumi.Input[str]
    routes: Mapping[str, Route]
    """Routes by name of their surface."""
    annotations: Mapping[str, str]
    await_address: bool
    longest_flow_seconds: int


def api_paths(groups: tuple[str, ...], backend: Target) -> tuple[Path, ...]:
    """The paths that some groups open."""
    return tuple(
        Path(kind=kind, path=path, target=backend) for group in groups for kind, path in API_PATHS[group]
    )


def app_paths(frontend: Target, backend: Target) -> tuple[Path, ...]:
    """The UI, and its API straight from the backend: no second proxy in the way of streams."""
    return (Path(kind="Prefix", path="/api", target=backend), *all_paths(frontend))


def all_paths(target: Target) -> tuple[Path, ...]:
    """Everything a server has."""
    return (Path(kind="Prefix", path="/", target=target),)
