"""Credentials that `operations validate` asks for and a fresh stack lacks: an API key, and a flow without a model."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from operations.stack import Stack
from operations.validate import api
from operations.validate.check import CheckError, expect
from operations.wire import Endpoint

FLOW = "lab-echo"


@dataclass(frozen=True)
class Minted:
    """The flow's alias, its owner, and where the owner's API key and password are (files of mode 0600)."""

    flow: str
    user: str
    api_key_file: Path
    ui_password_file: Path


def mint(stack: Stack, folder: Path) -> Minted:
    """Makes what is missing through the stack's API, as its superuser, and keeps what exists and works.

    Raises:
        ProgramError: kubectl reaches neither the superuser's Secret nor the backend.
        CheckError: the backend refuses; httpx2.HTTPError: it does not answer.
    """
    key_file, password_file = folder / "api-key", folder / "ui-password"
    with (
        stack.kubectl() as kubectl,
        kubectl.port_forward(stack.backend_service, stack.backend_port) as origin,
    ):
        superuser = kubectl.secret(stack.superuser_secret.name)
        user = superuser.get(stack.superuser_secret.username_key, "skillflaw")
        password = superuser[stack.superuser_secret.password_key]
        _write(password_file, password)
        backend = Endpoint(origin)
        if not key_file.exists() or not _holds(api.knows_key, backend, key_file.read_text()):
            _write(key_file, _new_key(backend, user, password))
        key = key_file.read_text()
        if not _holds(api.runs_flow, backend, key, FLOW):
            replace_flow(backend, key, echo)
    return Minted(FLOW, user, key_file, password_file)


def _holds(check: Callable[..., None], *subject: object) -> bool:
    try:
        check(*subject)
    except CheckError:
        return False
    return True


def _new_key(backend: Endpoint, user: str, password: str) -> str:
    with backend.client() as client:
        login = expect(
            client.post("/api/v1/login", data={"username": user, "password": password}), 200
        ).json()
        bearer = {"authorization": f"Bearer {login['access_token']}"}
        made = expect(client.post("/api/v1/api_key/", json={"name": "lab"}, headers=bearer), 200, 201).json()
        return made["api_key"]


def replace_flow(backend: Endpoint, key: str, make: Callable[[dict], dict]) -> None:
    """Puts the flow that `make` makes of the backend's templates in the place of any that has its alias."""
    with backend.client(key) as client:
        made = make(expect(client.get("/api/v1/all"), 200).json())
        every = {"get_all": True, "header_flows": True}
        for flow in expect(client.get("/api/v1/flows/", params=every), 200).json():
            if flow["endpoint_name"] == made["endpoint_name"]:
                expect(client.delete(f"/api/v1/flows/{flow['id']}"), 200)
        expect(client.post("/api/v1/flows/", json=made), 201)


def echo(templates: dict, name: str = FLOW) -> dict:
    """A flow of that name: Chat Input wired to Chat Output. `templates` is what `/api/v1/all` answers."""
    source = {"dataType": "ChatInput", "id": "ChatInput-lab", "name": "message", "output_types": ["Message"]}
    target = {
        "fieldName": "input_value",
        "id": "ChatOutput-lab",
        "inputTypes": ["Data", "DataFrame", "Message"],
        "type": "other",
    }
    edge = {
        "id": "lab-echo",
        "source": source["id"],
        "target": target["id"],
        "sourceHandle": _handle(source),
        "targetHandle": _handle(target),
        "data": {"sourceHandle": source, "targetHandle": target},
    }
    nodes = [
        {
            "id": f"{kind}-lab",
            "type": "genericNode",
            "position": {"x": x, "y": 0},
            "data": {"id": f"{kind}-lab", "type": kind, "node": templates["input_output"][kind]},
        }
        for kind, x in (("ChatInput", 0), ("ChatOutput", 500))
    ]
    return {
        # /api/v1/mcp names tools after the flow's name, a project's own endpoint after action_name.
        "name": name,
        "endpoint_name": name,
        "description": "Repeats its input",
        "action_name": name.replace("-", "_"),
        "action_description": "Repeats its input",
        "mcp_enabled": True,
        "data": {"nodes": nodes, "edges": [edge], "viewport": {"x": 0, "y": 0, "zoom": 1}},
    }


def _handle(end: dict) -> str:
    """An end of an edge exactly as the UI writes it, JSON with œ for quotes.

    The UI compares strings: an edge with any other spelling vanishes from the flow when it is opened.
    """
    return json.dumps(end, sort_keys=True, separators=(",", ":")).replace('"', "œ")


def _write(file: Path, secret: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(secret)
