"""`operations validate` whole, with pulumi, kubectl and the deployment faked at the process's border."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from operations.__main__ import app
from operations.kubectl import Kubectl
from operations.validate.check import CheckError
from operations.validate.closed import has_no_route, is_absent, routes_only
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
    """A server whose `answers` are path → (status, type, body); to any other path it repeats the key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            repeated = (500, "text/plain", f"{self.path} with key {self.headers.get('x-api-key')}")
            status, kind, body = self.server.answers.get(self.path.partition("?")[0], repeated)
            self.send_response(status)
            self.send_header("content-type", kind)
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
