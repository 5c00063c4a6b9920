"""The backend's own API."""

import json
import time

import httpx2

from operations.validate.check import CheckError, expect
from operations.wire import PATIENCE, Endpoint

QUESTION = "validate: say something"
LONG_SECONDS = 60
"""After so long without a byte most proxies give up unless they are configured."""
LONGEST_SECONDS = 3700
"""Longer than any flow that a stack file allows."""


def is_healthy(at: Endpoint) -> None:
    """GET /health says ok."""
    with at.client() as client:
        answer = expect(client.get("/health"), 200).json()
    if answer.get("status") != "ok":
        raise CheckError(f"/health says {answer}")


def refuses_wrong_keys(at: Endpoint, flow: str) -> None:
    """Running the flow without a key, and with a wrong one, is forbidden.

    Needs a flow that exists: the backend says 404 to an unknown one before it looks at the key.
    """
    for key in (None, "sk-wrong"):
        with at.client(key) as client:
            expect(client.post(f"/api/v1/run/{flow}", json={"input_value": QUESTION}), 401, 403)


def webhook_wants_key(at: Endpoint, flow: str) -> None:
    """Calling the flow's webhook without a key, and with a wrong one, is forbidden."""
    for key in (None, "sk-wrong"):
        with at.client(key) as client:
            expect(client.post(f"/api/v1/webhook/{flow}", json={}), 401, 403)


def files_want_key(at: Endpoint) -> None:
    """Listing files without a key is forbidden."""
    with at.client() as client:
        expect(client.get("/api/v2/files"), 401, 403)


def knows_key(at: Endpoint, key: str) -> None:
    """The key belongs to an active user."""
    with at.client(key) as client:
        user = expect(client.get("/api/v1/users/whoami"), 200).json()
    if not user.get("is_active"):
        raise CheckError("the key's user is not active")


def runs_flow(at: Endpoint, key: str, flow: str) -> None:
    """The flow answers with a text."""
    question = {
        "input_value": QUESTION,
        "input_type": "chat",
        "output_type": "chat",
        "session_id": "validate",
    }
    with at.client(key) as client:
        answer = expect(
            client.post(f"/api/v1/run/{flow}", params={"stream": "false"}, json=question), 200
        ).json()
    texts = [
        result.get("results", {}).get("message", {}).get("text")
        for run in answer.get("outputs", [])
        for result in run.get("outputs", [])
    ]
    if not any(texts):
        raise CheckError("the flow ran, but its chat output holds no text")


def holds_stream(at: Endpoint, key: str, flow: str) -> str:
    """A stream of a flow that takes longer than `LONG_SECONDS` comes to its end.

    Returns:
        How long it was.
    """
    question = {"input_value": QUESTION, "input_type": "chat", "output_type": "chat"}
    patience = httpx2.Timeout(PATIENCE.connect, read=LONGEST_SECONDS)
    began, last = time.monotonic(), ""
    with at.client(key) as client:
        try:
            with client.stream(
                "POST", f"/api/v1/run/{flow}", params={"stream": "true"}, json=question, timeout=patience
            ) as answer:
                if answer.status_code != 200:
                    answer.read()
                    expect(answer, 200)
                for line in answer.iter_lines():
                    last = line or last
        except httpx2.TransportError as error:
            raise CheckError(f"cut after {time.monotonic() - began:.0f} s: {error}") from error
    seconds = time.monotonic() - began
    if not _ends(last):
        raise CheckError(f"it broke off after {seconds:.0f} s, before the flow's end")
    if seconds <= LONG_SECONDS:
        raise CheckError(f"the flow took {seconds:.0f} s: give one that takes longer than {LONG_SECONDS} s")
    return f"{seconds:.0f} s"


def _ends(event: str) -> bool:
    try:
        return bool(json.loads(event.removeprefix("data:"))["event"] == "end")
    except (ValueError, KeyError, TypeError):
        return False


def serves_version(at: Endpoint) -> None:
    """/api/ of the UI's host reaches the backend, its path whole: a slash too many in a proxy cuts it."""
    with at.client() as client:
        if "version" not in expect(client.get("/api/v1/version"), 200).json():
            raise CheckError("/api/v1/version names no version")


def serves_page(at: Endpoint) -> None:
    """GET / is a page."""
    with at.client() as client:
        kind = expect(client.get("/"), 200).headers.get("content-type", "")
    if not kind.startswith("text/html"):
        raise CheckError(f"/ is {kind or 'of no type'}, not a page")
