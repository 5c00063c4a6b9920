"""`operations validate` whole, with pulumi, kubectl and the deployment faked at the process's border."""

import contextlib
import datetime
import itertools
import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from rich.console import Console
from typer.testing import CliRunner

from operations.__main__ import app
from operations.kubectl import Kubectl
from operations.validate import api
from operations.validate.certificate import is_trusted
from operations.validate.check import Check, CheckError
from operations.validate.closed import has_no_route, is_absent, routes_only
from operations.validate.plan import Visitor, compose
from operations.validate.report import report
from operations.wire import Endpoint

KEY = "sk-never-to-be-seen"
OUTPUTS = {
    "context": "the-context",
    "namespace": "the-namespace",
    "backendService": "skillflaw-backend",
    "backendPort": 7860,
    "surfaces": {},
    "apiAllow": ["health", "run"],
    "superuserSecret": {"name": "superuser", "passwordKey": "password"},
}
INGRESSES = "ingresses.networking.k8s.io"
ROUTES = f"{INGRESSES},httproutes.gateway.networking.k8s.io"
WORKLOADS = "deployments.apps,services"
# Answers with the file that is named like one of its arguments.
FAKE = """#!/bin/sh
cd "$(dirname "$0")/.."
for argument; do
  answer=$(echo "$argument" | tr / _)
  [ -f "$answer" ] || continue
  cat "./$answer"
  [ "$argument" != port-forward ] || exec sleep 60
  exit 0
done
echo "$0 knows nothing of $*" >&2
exit 1
"""


@pytest.fixture
def deployment():
    """A server whose `answers` are path → (status, type, body, further headers); to any other path it repeats the key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            repeated = (500, "text/plain", f"{self.path} with key {self.headers.get('x-api-key')}")
            status, kind, body, *more = self.server.answers.get(self.path.partition("?")[0], repeated)
            self.send_response(status)
            self.send_header("content-type", kind)
            for header in more:
                self.send_header(*header)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def programs(tmp_path, monkeypatch, deployment):
    """A pulumi and a kubectl that answer with `answer(argument, text)`; at first the namespace is empty."""

    def answer(argument, text):
        (tmp_path / argument.replace("/", "_")).write_text(text)

    for program in ("bin/pulumi", "bin/kubectl"):
        script = tmp_path / program
        script.parent.mkdir(exist_ok=True)
        script.write_text(FAKE)
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("SKILLFLAW_API_KEY", KEY)
    answer("output", json.dumps(OUTPUTS))
    answer("port-forward", f"Forwarding from 127.0.0.1:{deployment.server_port} -> 7860\n")
    answer("rollout", "")
    answer("--raw=/apis", json.dumps({"groups": []}))
    answer(INGRESSES, json.dumps({"items": []}))
    answer(WORKLOADS, json.dumps({"items": []}))
    return answer


def validate(*options):
    return CliRunner().invoke(app, ["validate", "--stack", "some", "--flow", "echo", *options])


def test_a_deployment_that_repeats_its_requests_cannot_make_validate_print_a_secret(programs, deployment):
    result = validate()
    assert result.exit_code == 1
    assert "/api/v1/users/whoami with key •••" in result.output
    assert KEY not in result.output


def test_every_check_has_a_line_and_a_failure_its_reason(programs, deployment):
    deployment.answers["/health"] = (200, "application/json", '{"status": "ok"}')
    result = validate()
    lines = result.output.splitlines()
    assert lines[0] == "validating some (context the-context, namespace the-namespace): 9 checks"
    assert lines[1].startswith("1/9 ✓")
    assert lines[1].endswith("s  Service: GET /health")
    failure = next(number for number, line in enumerate(lines) if line.endswith("/api/v1/run runs the flow"))
    assert "✗" in lines[failure]
    assert lines[failure + 1].strip().startswith("POST /api/v1/run/echo answered 500, not 200: ")
    assert result.exit_code == 1


def test_hosts_lead_to_the_given_address(programs, deployment):
    origin = f"http://api.skillflaw.invalid:{deployment.server_port}"
    programs("output", json.dumps(OUTPUTS | {"surfaces": {"api": origin}}))
    deployment.answers["/health"] = (200, "application/json", '{"status": "ok"}')
    result = validate("--ingress-address", "127.0.0.1")
    assert any(
        "✓" in line and line.endswith("api.skillflaw.invalid: GET /health")
        for line in result.output.splitlines()
    )


@pytest.mark.parametrize(
    ("path", "check"),
    [
        ("/api/v1/webhook/echo", lambda at: api.webhook_wants_key(at, "echo")),
        ("/api/v2/files", api.files_want_key),
    ],
)
def test_what_runs_or_holds_something_of_a_user_must_want_a_key(deployment, path, check):
    at = Endpoint(f"http://127.0.0.1:{deployment.server_port}")
    deployment.answers[path] = (403, "application/json", "{}")
    check(at)
    for status in (200, 202, 404, 500):
        deployment.answers[path] = (status, "application/json", "{}")
        with pytest.raises(CheckError, match=f"answered {status}, not 401 or 403"):
            check(at)


# --- a stream that takes long -------------------------------------------------------------------

END = '{"event": "end", "data": {}}'
RUN = "/api/v1/run/long"


@pytest.fixture
def minute(monkeypatch):
    """Lets a minute pass with each look at the clock of a stream."""
    clock = itertools.count(0, 61)
    monkeypatch.setattr(api.time, "monotonic", lambda: next(clock))


def held(deployment) -> str:
    return api.holds_stream(Endpoint(f"http://127.0.0.1:{deployment.server_port}"), KEY, "long")


def test_a_stream_that_reaches_its_end_says_how_long_it_was(deployment, minute):
    deployment.answers[RUN] = (200, "text/event-stream", f'{{"event": "token"}}\n\n{END}\n\n')
    assert held(deployment) == "61 s"
    deployment.answers[RUN] = (200, "text/event-stream", f"data: {END}\n\n")
    assert held(deployment) == "61 s"


def test_a_stream_that_was_short_proves_nothing(deployment):
    deployment.answers[RUN] = (200, "text/event-stream", END)
    with pytest.raises(CheckError, match="took 0 s: give one that takes longer than 60 s"):
        held(deployment)


@pytest.mark.parametrize(
    "body", ["", '{"event": "token"}\n', '{"event": "error"}', "504 Gateway Time-out", "[]"]
)
def test_a_stream_that_breaks_off_is_a_failure_however_long_it_was(deployment, minute, body):
    deployment.answers[RUN] = (200, "text/event-stream", body)
    with pytest.raises(CheckError, match="broke off after 61 s"):
        held(deployment)


def test_a_proxy_that_gives_up_is_quoted(deployment, minute):
    deployment.answers[RUN] = (504, "text/html", "upstream request timeout")
    with pytest.raises(CheckError, match="answered 504, not 200: upstream request timeout"):
        held(deployment)


def test_a_connection_that_is_cut_says_when(minute):
    with socket.create_server(("127.0.0.1", 0)) as server:
        at = Endpoint(f"http://127.0.0.1:{server.getsockname()[1]}")

        def cut():
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
            connection.close()

        threading.Thread(target=cut, daemon=True).start()
        with pytest.raises(CheckError, match="cut after 61 s"):
            api.holds_stream(at, KEY, "long")


@pytest.mark.parametrize(
    ("surfaces", "allow", "host"),
    [
        ({"api": "https://api.a.test", "app": "https://app.a.test"}, ["run"], "api.a.test"),
        ({"api": "https://api.a.test"}, ["management"], "api.a.test"),
        ({"api": "https://api.a.test", "app": "https://app.a.test"}, ["health"], "app.a.test"),
        ({"api": "https://api.a.test"}, ["health"], None),
        ({}, ["run"], None),
    ],
)
def test_a_long_flow_goes_through_a_public_host_that_runs_flows(surfaces, allow, host):
    def composed(long_flow):
        visitor = Visitor(flow="echo", key=KEY, user="some", password="", long_flow=long_flow)
        edge = {name: Endpoint(origin) for name, origin in surfaces.items()}
        checks = compose(
            service=Endpoint("http://127.0.0.1:1"),
            edge=edge,
            allow=allow,
            kubectl=Kubectl((), "some"),
            visitor=visitor,
            address=None,
        )
        return [check.name for check in checks if "a stream longer" in check.name]

    assert composed("long") == ([f"{host}: a stream longer than 60 s"] if host else [])
    assert composed(None) == []


# --- certificates -------------------------------------------------------------------------------


@pytest.fixture
def shown(tmp_path):
    """Serves a certificate for some names under an authority, and returns the endpoint that trusts one."""
    servers = []

    def serve(name: str, *, trusted: bool = True, days: int = 30) -> Endpoint:
        authority, theirs = (certified("CN=" + who, None) for who in ("The Authority", "Somebody Else"))
        pem, key = certified("", authority, name, days)
        (tmp_path / "pem").write_bytes(pem.public_bytes(Encoding.PEM) + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "pem")
        server = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        servers.append(server)

        def accept():
            while server.fileno() != -1:
                # A client that trusts nobody here breaks off.
                with contextlib.suppress(OSError):
                    server.accept()[0].close()

        threading.Thread(target=accept, daemon=True).start()
        root = (authority if trusted else theirs)[0].public_bytes(Encoding.PEM).decode()
        trust = ssl.create_default_context(cadata=root)
        return Endpoint(f"https://localhost:{server.getsockname()[1]}", trust)

    yield serve
    for server in servers:
        server.close()


def certified(subject, authority, host="", days=30):
    """A certificate and its key: an authority's own, or one for a host."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority[0].subject if authority else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not host, path_length=None), critical=True)
    )
    if host:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = builder.add_extension(names, critical=not subject)
    signer = load_pem_private_key(authority[1], None) if authority else key
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return builder.sign(signer, hashes.SHA256()), pem


def test_a_trusted_certificate_is_shown_with_its_names_its_issuer_and_its_end(shown):
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)
    assert is_trusted(shown("localhost")) == f"localhost, by CN=The Authority, until {until:%Y-%m-%d}"


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("localhost", {"trusted": False}, "unable to get local issuer certificate"),
        ("traefik.default", {}, "Hostname mismatch"),
        ("localhost", {"days": -1}, "certificate has expired"),
    ],
)
def test_a_certificate_that_is_not_the_hosts_is_named_all_the_same(shown, name, options, reason):
    with pytest.raises(CheckError, match=f"{reason}.*shown: {name}, by CN=The Authority, until "):
        is_trusted(shown(name, **options))


def test_what_a_check_saw_stands_in_its_line_and_no_secret_in_it(capsys):
    checks = [Check("a host: certificate", lambda: f"by [CN=x], {KEY}"), Check("another", lambda: None)]
    assert report(checks, Console(width=200), [KEY]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("s  a host: certificate: by [CN=x], •••")
    assert lines[1].endswith("s  another")


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ("{}", "lacks outputs (Object missing required field `namespace`)"),
        (json.dumps(OUTPUTS | {"surfaces": {"app": "https://app.example.com"}}), "SKILLFLAW_UI_PASSWORD"),
    ],
)
def test_validate_does_not_begin_without_what_it_needs(programs, outputs, reason):
    programs("output", outputs)
    result = validate()
    assert result.exit_code == 2
    assert reason in result.output


def test_validate_asks_no_pods_while_a_rollout_goes_on(programs, tmp_path):
    (tmp_path / "rollout").unlink()
    (tmp_path / "port-forward").unlink()
    result = validate()
    assert result.exit_code == 2
    assert "knows nothing of --context=the-context --namespace=the-namespace rollout status" in result.output


def test_validate_does_not_begin_without_a_stack(programs, tmp_path):
    (tmp_path / "output").unlink()
    result = validate()
    assert result.exit_code == 2
    assert "knows nothing of stack output" in result.output


def test_a_path_is_closed_only_when_the_edge_itself_says_404(deployment):
    at = Endpoint(f"http://127.0.0.1:{deployment.server_port}")
    deployment.answers |= {
        "/edge": (404, "text/plain; charset=utf-8", "404 page not found\n"),
        "/backend": (404, "application/json", '{"detail":"Not Found"}'),
        "/open": (403, "application/json", "{}"),
    }
    has_no_route(at, "GET", "/edge")
    with pytest.raises(CheckError, match="the edge let the request through"):
        has_no_route(at, "GET", "/backend")
    with pytest.raises(CheckError, match="answered 403, not 404"):
        has_no_route(at, "GET", "/open")


@pytest.mark.parametrize(
    ("routes", "routed"),
    [
        (
            [
                {
                    "kind": "Ingress",
                    "spec": {"rules": [{"host": "api.example.com"}, {"host": "old.example.com"}]},
                }
            ],
            "old",
        ),
        ([{"kind": "Ingress", "spec": {"rules": [{"http": {}}]}}], r"\*"),
        ([{"kind": "Ingress", "spec": {"defaultBackend": {}}}], r"\*"),
        ([{"kind": "HTTPRoute", "spec": {"hostnames": ["gateway.example.com"]}}], "gateway"),
        ([{"kind": "HTTPRoute", "spec": {}}], r"\*"),
        ([], "none"),
    ],
)
def test_a_route_for_a_host_the_stack_does_not_expose_is_found(programs, routes, routed):
    programs("--raw=/apis", json.dumps({"groups": [{"name": "gateway.networking.k8s.io"}]}))
    programs(ROUTES, json.dumps({"items": routes}))
    with pytest.raises(CheckError, match=f"routed: .*{routed}"):
        routes_only(Kubectl(("--context=context",), "namespace"), {"api.example.com"})


def test_routes_of_exactly_the_exposed_hosts_are_well(programs):
    route = {"kind": "Ingress", "spec": {"rules": [{"host": "api.example.com"}]}}
    programs(INGRESSES, json.dumps({"items": [route]}))
    routes_only(Kubectl(("--context=context",), "namespace"), {"api.example.com"})


def test_a_workload_of_an_absent_surface_is_found(programs):
    service = {"kind": "Service", "metadata": {"name": "skillflaw-docs"}}
    programs(WORKLOADS, json.dumps({"items": [service]}))
    is_absent(Kubectl(("--context=context",), "namespace"), "skillflaw-frontend")
    with pytest.raises(CheckError, match="Service skillflaw-docs"):
        is_absent(Kubectl(("--context=context",), "namespace"), "skillflaw-docs")
