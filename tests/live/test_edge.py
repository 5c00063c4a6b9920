"""How public hosts reach the cluster: certificates, streams, and the Gateway API in the Ingress's place."""

import base64
import ssl
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
LONG = 62
"""Seconds of a flow: more than the 60 after which proxies give up by default, less than the lab's 60 + 15."""


def certificate(kubectl, name: str, host: str) -> None:
    """Makes a TLS Secret for a host."""
    pki.issue(REAL, name, hosts=[host])
    files = (f"--cert={REAL.pki / f'{name}.crt'}", f"--key={REAL.pki / f'{name}.key'}")
    made = kubectl("create", "secret", "tls", name, NAMESPACE, *files, "--dry-run=client", "--output=json")
    kubectl("apply", "--filename=-", NAMESPACE, stdin=made)


def kept(kubectl, secret: str) -> str:
    """The certificate in a Secret; nothing while there is none."""
    found = kubectl(
        "get", "secret", secret, NAMESPACE, "--ignore-not-found", r"--output=jsonpath={.data.tls\.crt}"
    )
    return base64.b64decode(found).decode()


def shows(endpoint: Endpoint, kubectl, secret: str) -> bool:
    """Whether a host shows the certificate of a Secret."""
    return ssl.get_server_certificate((endpoint.host, 443)) == kept(kubectl, secret)


def test_every_host_shows_the_certificate_that_its_issuer_makes_and_makes_again(
    kubectl, hosts: dict[str, Endpoint]
):
    def all_do() -> bool:
        return all(shows(host, kubectl, f"skillflaw-{surface}-tls") for surface, host in hosts.items())

    wait_for(all_do, 60, "a certificate of its own for every host")
    first = kept(kubectl, "skillflaw-docs-tls")
    kubectl("delete", "secret", "skillflaw-docs-tls", NAMESPACE)
    wait_for(lambda: kept(kubectl, "skillflaw-docs-tls") not in ("", first), 60, "another certificate")
    wait_for(all_do, 60, "another certificate shown")


def test_a_host_shows_the_certificate_of_its_own_secret(edited, kubectl, hosts: dict[str, Endpoint]):
    certificate(kubectl, "api-own", "api.skillflaw.test")
    try:
        edited.up({"surfaces.api.tls": {"secretName": "api-own"}})
        wait_for(
            lambda: shows(hosts["api"], kubectl, "api-own"), 30, "the certificate of the host's own Secret"
        )
        assert shows(hosts["app"], kubectl, "skillflaw-app-tls")
    finally:
        kubectl("delete", "secret", "api-own", NAMESPACE)


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
