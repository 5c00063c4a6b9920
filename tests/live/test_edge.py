"""How public hosts reach the cluster: certificates, streams, and the Gateway API in the Ingress's place."""

import json
import threading
import time

import httpx2

from lab import pki
from lab.layout import REAL
from lab.mint import Minted
from lab.process import wait_for
from operations.wire import Endpoint
from tests.live import flows
from tests.live.namespace import NAMESPACE

CLOSED = (
    "/docs", "/openapi.json", "/logs", "/api/v1/users/", "/api/v1/validate/code",
    "/api/v1/build_public_tmp/00000000-0000-0000-0000-000000000000/flow",
)  # fmt: skip
LONG = 65
"""Seconds of a flow: more than the 60 after which proxies that were not told give up, less than the lab's 60 + 15."""


def certificate(kubectl, name: str, host: str) -> None:
    """Makes a TLS Secret for a host."""
    pki.issue(REAL, name, hosts=[host])
    files = (f"--cert={REAL.pki / f'{name}.crt'}", f"--key={REAL.pki / f'{name}.key'}")
    made = kubectl("create", "secret", "tls", name, NAMESPACE, *files, "--dry-run=client", "--output=json")
    kubectl("apply", "--filename=-", NAMESPACE, stdin=made)


def shows(endpoint: Endpoint, pin: str) -> bool:
    """Whether the host comes to show another certificate than one; a controller takes a moment."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if endpoint.certificate_pin() != pin:
            return True
    return False


def test_a_host_shows_the_certificate_of_its_own_secret(edited, kubectl, hosts: dict[str, Endpoint]):
    default = hosts["api"].certificate_pin()
    assert hosts["app"].certificate_pin() == default
    certificate(kubectl, "api-own", "api.skillflaw.test")
    try:
        edited.up({"surfaces.api.tls": {"secretName": "api-own"}})
        assert shows(hosts["api"], default)
        assert hosts["app"].certificate_pin() == default
    finally:
        kubectl("delete", "secret", "api-own", NAMESPACE)


def test_an_issuer_finds_what_it_must_know_on_every_route(edited, kubectl, hosts: dict[str, Endpoint]):
    default = hosts["docs"].certificate_pin()
    edited.up({"edge.issuer": "lab-issuer"})
    wanted = {}
    for ingress in json.loads(kubectl("get", "ingresses", NAMESPACE, "--output=json"))["items"]:
        assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "lab-issuer"
        (tls,) = ingress["spec"]["tls"]
        wanted[tls["secretName"]] = tls["hosts"]
    assert set(wanted) == {"skillflaw-api-tls", "skillflaw-app-tls", "skillflaw-docs-tls"}
    # No cert-manager here: the test does what it would, from what it would read.
    for name, (host,) in wanted.items():
        certificate(kubectl, name, host)
    try:
        assert all(shows(endpoint, default) for endpoint in hosts.values())
        assert len({endpoint.certificate_pin() for endpoint in hosts.values()}) == 3
    finally:
        kubectl("delete", "secret", *wanted, NAMESPACE)


def serves(kubectl, hosts: dict[str, Endpoint], key: str, routes: str) -> None:
    """Every public host has a route of this kind, what is closed stays closed, and HTTP leads to HTTPS."""
    assert len(kubectl("get", routes, NAMESPACE, "--output=name").split()) == 3
    with hosts["api"].client(key) as client:
        for path in CLOSED:
            assert client.get(path).status_code == 404, path
        assert client.get("/health").status_code == 200
    for surface in ("app", "docs"):
        with hosts[surface].client() as client:
            assert client.get("/").status_code == 200
    plain = httpx2.get("http://api.skillflaw.test/health", trust_env=False)
    assert plain.is_redirect
    assert plain.headers["location"] == "https://api.skillflaw.test/health"


class LongFlow:
    """A flow that streams for `LONG` seconds, read in a thread of its own."""

    def __init__(self, api: Endpoint, key: str) -> None:
        self.seconds: list[float] = []
        """When each event came."""
        self._read = threading.Thread(target=self._run, args=(api, key))
        self._read.start()
        wait_for(lambda: self.seconds, 10, "the first event of a long flow")

    def _run(self, api: Endpoint, key: str) -> None:
        began = time.monotonic()
        with api.client(key) as client, client.stream(**flows.streamed(LONG)) as answer:
            for line in answer.iter_lines():
                if line:
                    self.seconds.append(time.monotonic() - began)

    def last(self) -> float:
        self._read.join()
        return self.seconds[-1]


def test_both_kinds_of_route_stream_and_stay_closed_and_a_switch_cuts_no_flow(
    edited, kubectl, hosts: dict[str, Endpoint], minted: Minted
):
    key = minted.api_key_file.read_text()
    flows.make_slow(hosts["app"], key)
    by_ingress = LongFlow(hosts["api"], key)
    serves(kubectl, hosts, key, "ingresses")
    edited.up({"edge": {"gateway": {"name": "public", "namespace": "traefik", "listener": "websecure"}}})
    assert kubectl("get", "ingresses", NAMESPACE, "--output=name") == ""
    by_gateway = LongFlow(hosts["api"], key)
    serves(kubectl, hosts, key, "httproutes")
    assert by_ingress.last() >= LONG
    assert by_gateway.last() >= LONG
