"""The checks that `operations validate` composes."""

import itertools
from typing import get_args

import pytest

from operations.kubectl import Kubectl
from operations.validate.plan import Visitor, compose
from operations.wire import Endpoint
from settings.sections import PathGroup

SURFACES = ("api", "app", "docs")
EVERY_SET_OF_SURFACES = [chosen for size in range(4) for chosen in itertools.combinations(SURFACES, size)]


def names(surfaces=SURFACES, allow=("health", "run", "responses", "mcp"), domain="example.com"):
    """The names of the checks of a stack with these surfaces; composing contacts nothing."""
    checks = compose(
        service=Endpoint("http://127.0.0.1:1"),
        edge={surface: Endpoint(f"https://{surface}.{domain}") for surface in surfaces},
        allow=allow,
        kubectl=Kubectl(("--context=context",), "namespace"),
        visitor=Visitor(flow="echo", key="a-key", user="someone", password="a-password"),  # noqa: S106
        address=None,
    )
    return [check.name for check in checks]


@pytest.mark.parametrize("surfaces", EVERY_SET_OF_SURFACES, ids="+".join)
def test_an_exposed_surface_is_used_and_an_absent_one_is_closed(surfaces):
    found = names(surfaces)
    assert ("api.example.com: /api/v1/run runs the flow" in found) == ("api" in surfaces)
    assert ("app.example.com: a browser signs in and runs the flow" in found) == ("app" in surfaces)
    assert ("docs.example.com: GET /" in found) == ("docs" in surfaces)
    assert ("cluster: no skillflaw-frontend" in found) == ("app" not in surfaces)
    assert ("cluster: no skillflaw-docs" in found) == ("docs" not in surfaces)
    for surface in SURFACES:
        host_is_known = bool(surfaces)
        assert (f"{surface}.example.com: closed" in found) == (surface not in surfaces and host_is_known)
    assert "cluster: no host is routed but the stack's" in found


@pytest.mark.parametrize("surfaces", EVERY_SET_OF_SURFACES, ids="+".join)
def test_the_service_is_checked_whatever_is_exposed(surfaces):
    assert [name for name in names(surfaces) if name.startswith("Service: ")] == [
        "Service: GET /health",
        "Service: the API key is accepted",
        "Service: no key and a wrong key are refused",
        "Service: /api/v1/run runs the flow",
        "Service: /api/v1/responses (openai client)",
        "Service: /api/v1/mcp/streamable (mcp client)",
    ]


@pytest.mark.parametrize(
    ("group", "used", "closed"),
    [
        ("health", "GET /health", "GET /health is closed"),
        ("run", "/api/v1/run runs the flow", "POST /api/v1/run/echo is closed"),
        ("responses", "/api/v1/responses (openai client)", "POST /api/v1/responses is closed"),
        ("mcp", "/api/v1/mcp/streamable (mcp client)", "POST /api/v1/mcp/streamable is closed"),
        ("webhook", "/api/v1/webhook wants a key", "POST /api/v1/webhook/echo is closed"),
        ("files", "/api/v2/files wants a key", "POST /api/v1/files/upload/echo is closed"),
        ("management", "the API key is accepted", "POST /api/v1/validate/code is closed"),
    ],
)
def test_a_group_of_paths_is_used_where_allowed_and_closed_where_not(group, used, closed):
    allowed, forbidden = names(allow=(group,)), names(allow=())
    assert f"api.example.com: {used}" in allowed
    assert f"api.example.com: {closed}" not in allowed
    assert f"api.example.com: {used}" not in forbidden
    assert f"api.example.com: {closed}" in forbidden


def test_every_group_of_a_stack_file_is_used_where_allowed_and_closed_where_not():
    for group in get_args(PathGroup):
        assert set(names(allow=(group,))) != set(names(allow=())), group


def test_management_opens_all_of_the_api_but_nothing_beside_it():
    found = names(allow=("management",))
    assert "api.example.com: /api/v1/run runs the flow" in found
    assert "api.example.com: GET /openapi.json is closed" in found
    assert "api.example.com: GET /health is closed" in found


def test_the_host_of_an_absent_surface_is_not_guessed_from_names_unlike_the_guides():
    checks = compose(
        service=Endpoint("http://127.0.0.1:1"),
        edge={"api": Endpoint("https://skillflaw.example.com")},
        allow=(),
        kubectl=Kubectl(("--context=context",), "namespace"),
        visitor=Visitor(flow="echo", key="a-key", user="someone", password="a-password"),  # noqa: S106
        address=None,
    )
    assert not [check.name for check in checks if check.name.startswith("app.")]


def test_a_visitor_does_not_show_its_secrets():
    shown = repr(Visitor(flow="echo", key="a-key", user="someone", password="a-password"))  # noqa: S106
    assert "a-key" not in shown
    assert "a-password" not in shown
