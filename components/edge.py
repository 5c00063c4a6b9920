"""The census of public hosts, whichever kind of object renders it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from . import names

API_PATHS = {
    "health": [("Exact", "/health"), ("Exact", "/health_check")],
    "run": [("Prefix", "/api/v1/run")],
    "responses": [("Prefix", "/api/v1/responses")],
    "mcp": [("Prefix", "/api/v1/mcp/streamable")],
    "webhook": [("Prefix", "/api/v1/webhook")],
    # What uploads, and what belongs to an API key; images of a flow are shown to anybody who knows it.
    "files": [("Prefix", "/api/v1/files/upload"), ("Prefix", "/api/v2/files")],
    "management": [("Prefix", "/api")],
}
"""Paths of the backend by group. What no group opens has no route: the edge answers 404."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The Service of a component."""

    component: str
    """Component whose pods answer."""
    port: int
    """Port of the Service and of the pods."""

    @property
    def service(self) -> str:
        """Name of the Service."""
        return names.prefixed(self.component)


@dataclass(frozen=True, kw_only=True)
class Path:
    """A path of a host, and what answers there."""

    kind: str
    """`Prefix`: whatever lies below the path, by whole segments; `Exact`: the path alone."""
    path: str
    """The path, from its first slash."""
    target: Target
    """The Service that answers."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One public host."""

    host: str
    """Fully qualified host name."""
    paths: tuple[Path, ...]
    """Everything that is open; whatever is not answers 404."""
    tls_secret: str | None = None
    """An existing Secret with the host's own certificate."""
    tls_at_edge: bool = False
    """Whether a load balancer in front of the cluster terminates TLS."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Extra annotations of this route."""


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """The routes of a stack."""

    namespace: pulumi.Input[str]
    """Namespace of the routes and of what they lead to."""
    routes: Mapping[str, Route]
    """Routes by name of their surface."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Extra annotations of every route."""
    await_address: bool = False
    """Whether to wait until the controller publishes an address."""
    longest_flow_seconds: int = 300
    """The longest request that no proxy may cut, in seconds."""

    @property
    def seconds(self) -> int:
        """How long a proxy may take for a request, in seconds: the application ends a flow that is too long first."""
        return self.longest_flow_seconds + 15

    @property
    def public(self) -> tuple[str, ...]:
        """Components that any route leads to, in the order of their names."""
        return tuple(
            sorted({path.target.component for route in self.routes.values() for path in route.paths})
        )


def api_paths(groups: tuple[str, ...], backend: Target) -> tuple[Path, ...]:
    """The paths that groups of `API_PATHS` open."""
    return tuple(
        Path(kind=kind, path=path, target=backend) for group in groups for kind, path in API_PATHS[group]
    )


def app_paths(frontend: Target, backend: Target) -> tuple[Path, ...]:
    """The UI, and its API straight from the backend: no second proxy in the way of streams."""
    return (Path(kind="Prefix", path="/api", target=backend), *all_paths(frontend))


def all_paths(target: Target) -> tuple[Path, ...]:
    """Everything a server has."""
    return (Path(kind="Prefix", path="/", target=target),)
