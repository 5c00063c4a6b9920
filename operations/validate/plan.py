"""The checks that a stack's outputs call for: exposed surfaces are used, all else must be closed."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial

from operations.kubectl import Kubectl
from operations.validate import api, certificate, clients, closed, ui
from operations.validate.check import Check
from operations.wire import Endpoint

# The guide's physical names: an output names only workloads that exist.
WORKLOADS = {"app": "skillflaw-frontend", "docs": "skillflaw-docs"}
# What each group of `allow` opens; management is all of /api/, so it opens these too.
OF_MANAGEMENT = {"run", "responses", "mcp", "webhook", "files"}
# Not every stack uses these, so only a host that opens them is asked.
OPTIONAL = {"webhook", "files"}
# No group opens these on the API's host: the UI, the API's description, the log buffer.
NEVER = ("/", "/docs", "/openapi.json", "/logs")


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Who looks at the stack, and with what: flows (id or alias), an API key, a user of the UI."""

    flow: str
    key: str = field(repr=False)
    tool: str | None = None
    long_flow: str | None = None
    user: str
    password: str = field(repr=False)


def compose(
    *,
    service: Endpoint,
    edge: dict[str, Endpoint],
    allow: Collection[str],
    kubectl: Kubectl,
    visitor: Visitor,
    address: str | None,
) -> list[Check]:
    """Every check of a stack, in the order of the guide; nothing is contacted yet.

    Args:
        service: the backend's Service.
        edge: the stack's surfaces, by name; what is not in it must be closed.
        allow: the groups of paths that the API's host lets through.
        address: where the browser finds the hosts; None leaves it to DNS.
    """
    uses = _uses("Service", service, visitor)
    checks = [check for group, rows in uses.items() if group not in OPTIONAL for check in rows]
    checks += [
        Check(f"{at.host}: certificate", partial(certificate.is_trusted, at))
        for at in edge.values()
        if at.origin.startswith("https:")
    ]
    if "api" in edge:
        checks += _api(edge["api"], allow, visitor)
    if "app" in edge:
        host = edge["app"].host
        signs_in = partial(ui.runs_flow, edge["app"], address, visitor.user, visitor.password, visitor.flow)
        checks += [
            Check(f"{host}: /api/ leads to the backend", partial(api.serves_version, edge["app"])),
            Check(f"{host}: a browser signs in and runs the flow", signs_in),
        ]
    if "docs" in edge:
        checks.append(Check(f"{edge['docs'].host}: GET /", partial(api.serves_page, edge["docs"])))
    checks += _long(edge, allow, visitor)
    for surface in ("api", "app", "docs"):
        if surface not in edge:
            checks += _closed(surface, edge, kubectl)
    hosts = {at.host for at in edge.values()}
    checks.append(
        Check("cluster: no host is routed but the stack's", partial(closed.routes_only, kubectl, hosts))
    )
    return checks


def _uses(where: str, at: Endpoint, visitor: Visitor) -> dict[str, list[Check]]:
    """The checks that use a group of `allow`, by group."""
    flow, key = visitor.flow, visitor.key
    return {
        "health": [Check(f"{where}: GET /health", partial(api.is_healthy, at))],
        "management": [Check(f"{where}: the API key is accepted", partial(api.knows_key, at, key))],
        "run": [
            Check(f"{where}: no key and a wrong key are refused", partial(api.refuses_wrong_keys, at, flow)),
            Check(f"{where}: /api/v1/run runs the flow", partial(api.runs_flow, at, key, flow)),
        ],
        "responses": [
            Check(
                f"{where}: /api/v1/responses (openai client)",
                partial(clients.answers_responses, at, key, flow),
            )
        ],
        "webhook": [
            Check(f"{where}: /api/v1/webhook wants a key", partial(api.webhook_wants_key, at, flow)),
        ],
        "files": [Check(f"{where}: /api/v2/files wants a key", partial(api.files_want_key, at))],
        "mcp": [
            Check(
                f"{where}: /api/v1/mcp/streamable (mcp client)",
                partial(clients.serves_tool, at, key, flow, visitor.tool),
            )
        ],
    }


def _api(at: Endpoint, allow: Collection[str], visitor: Visitor) -> Iterator[Check]:
    """The API's host: allowed groups are used, a path of every other group is closed."""
    host = at.host
    allowed = set(allow) | (OF_MANAGEMENT if "management" in allow else set())
    paths = {
        "health": [("GET", "/health")],
        "management": [
            ("GET", "/api/v1/users/"),
            ("POST", "/api/v1/users/"),
            ("POST", "/api/v1/login"),
            ("POST", "/api/v1/validate/code"),
            ("POST", f"/api/v1/build_public_tmp/{visitor.flow}/flow"),
        ],
        "run": [("POST", f"/api/v1/run/{visitor.flow}")],
        "responses": [("POST", "/api/v1/responses")],
        "mcp": [("POST", "/api/v1/mcp/streamable")],
        "webhook": [("POST", f"/api/v1/webhook/{visitor.flow}")],
        "files": [("POST", f"/api/v1/files/upload/{visitor.flow}"), ("GET", "/api/v2/files")],
    }
    for group, uses in _uses(host, at, visitor).items():
        if group in allowed:
            yield from uses
        else:
            yield from (_no_route(host, at, method, path) for method, path in paths[group])
    yield from (_no_route(host, at, "GET", path) for path in NEVER)


def _long(edge: dict[str, Endpoint], allow: Collection[str], visitor: Visitor) -> Iterator[Check]:
    """A public host through which flows run carries one that takes longer than a minute, if such a flow was given."""
    through = edge.get("api") if {"run", "management"} & set(allow) else None
    at = through or edge.get("app")
    if at and visitor.long_flow:
        held = partial(api.holds_stream, at, visitor.key, visitor.long_flow)
        yield Check(f"{at.host}: a stream longer than {api.LONG_SECONDS} s", held)


def _closed(surface: str, edge: dict[str, Endpoint], kubectl: Kubectl) -> Iterator[Check]:
    """A surface the stack does not expose has no workload, and its host no route.

    Its host is known only when an exposed one is named as in the guide: `api.…`, `app.…`, `docs.…`.
    """
    if name := WORKLOADS.get(surface):
        yield Check(f"cluster: no {name}", partial(closed.is_absent, kubectl, name))
    for known, at in edge.items():
        label, _, domain = at.host.partition(".")
        if label == known:
            host = f"{surface}.{domain}"
            yield Check(f"{host}: closed", partial(closed.has_no_route, at, "GET", "/", host))
            return


def _no_route(host: str, at: Endpoint, method: str, path: str) -> Check:
    return Check(f"{host}: {method} {path} is closed", partial(closed.has_no_route, at, method, path))
