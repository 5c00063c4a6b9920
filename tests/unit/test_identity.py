"""Who a CI job is, asked of a server that answers as GitHub's does."""

import base64
import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from operations.__main__ import app
from tests.unit.recorder import ROOT


def signed(claims):
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{part}.signature"


@pytest.fixture
def forge(monkeypatch):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, self.headers["authorization"]))
            body = self.server.body.encode()
            self.send_response(self.server.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.status = [], 200
    server.body = json.dumps({"value": signed({"exp": 1800000000})})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/token?api-version=2"
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", address)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "key")
    yield server
    server.shutdown()
    server.server_close()


def run(*words):
    return CliRunner().invoke(app, ["identity", *words])


def test_a_token_is_asked_for_one_audience_with_the_jobs_own_key(forge):
    done = run("urn:pulumi:org:us")
    assert done.output.strip() == signed({"exp": 1800000000})
    assert forge.asked == [("/token?api-version=2&audience=urn%3Apulumi%3Aorg%3Aus", "bearer key")]


def test_kubectl_learns_when_to_ask_again(forge):
    given = json.loads(run("kubernetes", "--kubectl").output)
    assert given["kind"] == "ExecCredential"
    assert given["status"] == {
        "token": signed({"exp": 1800000000}),
        "expirationTimestamp": "2027-01-15T08:00:00Z",
    }


def test_a_refusal_is_reported_without_the_key(forge):
    forge.status = 403
    done = run("kubernetes")
    assert done.exit_code == 2
    assert "no identity token: " in done.output
    assert "bearer" not in done.output


@pytest.mark.parametrize("body", ["{}", "[]", "null", "<html>"])
def test_an_answer_without_a_token_is_a_refusal(forge, body):
    forge.body = body
    done = run("kubernetes")
    assert done.exit_code == 2
    assert "no identity token: " in done.output


@pytest.mark.parametrize(
    "value", ["opaque", "e30.opaque.signature", signed({}), signed([]), signed({"exp": "soon"})]
)
def test_kubectl_gets_no_token_whose_end_is_unknown(forge, value):
    forge.body = json.dumps({"value": value})
    done = run("kubernetes", "--kubectl")
    assert done.exit_code == 2
    assert "the identity token does not say when it ends" in done.output
    assert value not in done.output


def test_outside_of_a_job_the_missing_permission_is_named(monkeypatch):
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL", raising=False)
    done = run("kubernetes")
    assert done.exit_code == 2
    assert "id-token: write" in done.output


def test_sign_in_leaves_a_kubeconfig_that_only_its_owner_reads_and_no_token(forge, tmp_path):
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\ncat {tmp_path}/.pulumi-identity 2>/dev/null\nexit 0\n'
    )
    program.chmod(0o755)
    done = subprocess.run(
        ["make", "--silent", "sign-in"],
        cwd=ROOT,
        env=os.environ
        | {
            "HOME": str(tmp_path),
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "KUBECONFIG_CONTENT": "kind: Config\n",
            "ORGANIZATION": "us",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert signed({"exp": 1800000000}) in done.stdout
    login, organization = (tmp_path / "asked").read_text().splitlines()
    assert login == f"login --oidc-org=us --oidc-token=file://{tmp_path}/.pulumi-identity"
    assert organization == "org set-default us"
    kubeconfig = tmp_path / ".kube" / "config"
    assert kubeconfig.read_text() == "kind: Config\n"
    assert kubeconfig.stat().st_mode & 0o077 == 0
    assert not (tmp_path / ".pulumi-identity").exists()
