"""Who opens connections to whom, before any policy is made of it."""

import pytest

from components import names
from components.connections import EDGE, INTERNET, Connection, connections, is_backend

EVERYTHING = (
    names.BACKEND,
    names.FRONTEND,
    names.DOCS,
    names.BOOTSTRAP,
    names.BACKUP,
    names.DATABASE,
    names.CACHE,
)


def targets(source: str, *components: str, proxy_inside: bool = False) -> set[str]:
    rows = connections(components or EVERYTHING, public=(), proxy_inside=proxy_inside)
    return {row.target for row in rows if row.source == source}


@pytest.mark.parametrize(
    "url",
    [
        "http://skillflaw-backend:7860",
        "http://skillflaw-backend:7860/",
        "http://skillflaw-backend/",
        "http://skillflaw-backend.ns:7860",
        "http://skillflaw-backend.ns.svc:7860/",
        "http://skillflaw-backend.ns.svc.cluster.local:7860",
        "http://skillflaw-backend.ns.svc.cluster.local.:7860",
        "HTTP://Skillflaw-Backend.ns:7860",
    ],
)
def test_every_name_of_the_service_leads_to_the_backend(url):
    assert is_backend(url, "ns")


@pytest.mark.parametrize(
    "url",
    [
        "http://skillflaw-backendx:7860",
        "http://skillflaw-backend.example.com",
        "http://skillflaw-backend.other:7860",
        "http://skillflaw-backend.other.svc.cluster.local:7860",
        "http://skillflaw-backend.ns.svc.example.com",
        "http://skillflaw-backend.ns.example.com:7860",
        "http://api.skillflaw-backend:7860",
        "https://api.skillflaw.test/",
        "http://user:skillflaw-backend@elsewhere",
        "",
    ],
)
def test_no_other_host_leads_to_the_backend(url):
    assert not is_backend(url, "ns")


def test_a_component_that_does_not_exist_is_in_no_connection():
    assert targets(names.BOOTSTRAP) >= {names.DATABASE, names.CACHE}
    assert not targets(names.BOOTSTRAP, names.BACKEND, names.BOOTSTRAP) & {names.DATABASE, names.CACHE}
    assert targets(names.FRONTEND, names.BACKEND, names.BOOTSTRAP) == set()


def test_a_ui_proxies_to_the_backend_or_to_the_outside_and_never_to_both():
    assert targets(names.FRONTEND, proxy_inside=True) == {names.BACKEND}
    assert targets(names.FRONTEND, proxy_inside=False) == {EDGE, INTERNET}


def test_the_edge_reaches_what_routes_lead_to():
    rows = connections(EVERYTHING, public=[names.DOCS], proxy_inside=False)
    assert [row for row in rows if row.source == EDGE] == [Connection(EDGE, names.DOCS)]
