"""The script that gives the superuser's account its password, against the paths and answers that the application has."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from components.runtime import SET_SUPERUSER

USER, OLD, NEW = "some admin+", "old&word", "new=word/%"


class Application(BaseHTTPRequestHandler):
    """Signing in, who asks, and the change of an account by an API key, as the upstream answers."""

    password, knows_key, resets = OLD, True, True

    def do_POST(self) -> None:
        form = parse_qs(self.body())
        signed_in = form == {"username": [USER], "password": [type(self).password]}
        self.answer(200 if self.path == "/api/v1/login" and signed_in else 401, {"asked": form})

    def do_GET(self) -> None:
        known = self.path == "/api/v1/users/whoami" and self.knows_key and self.headers["x-api-key"] == NEW
        self.answer(
            *((200, {"id": 7, "username": USER}) if known else (403, {"key": self.headers["x-api-key"]}))
        )

    def do_PATCH(self) -> None:
        asked = json.loads(self.body())
        if self.path == "/api/v1/users/7" and self.headers["x-api-key"] == NEW and self.resets:
            type(self).password = asked["password"]
            self.answer(200, {"id": 7})
        else:
            self.answer(400, asked)

    def body(self) -> str:
        return self.rfile.read(int(self.headers["content-length"] or 0)).decode()

    def answer(self, status: int, body: dict) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def application(**answers: object) -> Iterator[tuple[type[Application], int]]:
    kind = type("Answering", (Application,), answers)
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield kind, server.server_port
        server.shutdown()
        thread.join()


def set_password(port: int) -> subprocess.CompletedProcess[str]:
    variables = {
        "SKILLFLAW_SUPERUSER": USER,
        "SKILLFLAW_SUPERUSER_PASSWORD": NEW,
        "SKILLFLAW_PORT": str(port),
    }
    # A proxy of the cluster's owner is asked for nothing.
    proxies = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    return subprocess.run(
        [sys.executable, "-c", SET_SUPERUSER.read_text()],
        env=variables | proxies,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_account_with_another_password_is_given_the_new_one():
    with application() as (it, port):
        done = set_password(port)
        assert it.password == NEW
    assert done.returncode == 0, done.stderr
    assert "new password" in done.stdout


def test_an_account_that_has_it_is_left_alone():
    with application(password=NEW, resets=False, knows_key=False) as (_, port):
        done = set_password(port)
    assert done.returncode == 0, done.stderr
    assert "already" in done.stdout


@pytest.mark.parametrize(
    ("answers", "status"),
    [({"knows_key": False}, "403"), ({"resets": False}, "400")],
    ids=["no key", "no reset"],
)
def test_an_application_that_refuses_is_quoted_by_its_status_alone(answers, status):
    with application(**answers) as (it, port):
        done = set_password(port)
        assert it.password == OLD
    assert done.returncode == 78
    assert f"status {status}" in done.stderr
    assert USER in done.stderr
    assert not any(word in done.stdout + done.stderr for word in (OLD, NEW))
