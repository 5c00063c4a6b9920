"""The backend's own API."""

from operations.validate.check import CheckError, expect
from operations.wire import Endpoint

QUESTION = "validate: say something"


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
