"""Requests of a test's traffic to the backend."""

from typing import Any

import httpx2

from lab.mint import Minted, echo, replace_flow
from operations.wire import Endpoint
from tests.live.traffic import Ask

SLOW = "lab-slow"
ANSWER = "async def message_response(self) -> Message:\n"
WAIT = """\
        import asyncio
        asked = getattr(self.input_value, "text", self.input_value)
        await asyncio.sleep(float(asked) if asked.replace(".", "").isdigit() else 61)
"""


def make_slow(backend: Endpoint, key: str) -> None:
    """A flow that streams: its first event comes at once, its answer after as many seconds as its input says,
    or after 61 where it says no number."""
    replace_flow(backend, key, lambda templates: _begun(templates, SLOW, WAIT))


def _begun(templates: dict, name: str, first: str) -> dict:
    """The flow that repeats its input, whose output does something first."""
    flow = echo(templates, name)
    (output,) = [node for node in flow["data"]["nodes"] if node["data"]["type"] == "ChatOutput"]
    code = output["data"]["node"]["template"]["code"]
    assert ANSWER in code["value"]
    code["value"] = code["value"].replace(ANSWER, ANSWER + first)
    return flow


READING, PROVIDER = "lab-reads", "LAB_PROVIDER_API_KEY"
READ = f"""\
        import os
        self.input_value = os.environ["{PROVIDER}"]
"""


def make_reading(backend: Endpoint, key: str) -> None:
    """A flow that answers with the variable `PROVIDER` of whichever backend runs it."""
    replace_flow(backend, key, lambda templates: _begun(templates, READING, READ))


def said(api: Endpoint, key: str, flow: str) -> str:
    """What a flow answers."""
    with api.client(key) as client:
        answer = client.post(f"/api/v1/run/{flow}", params={"stream": "false"}, json=question("anything"))
    assert answer.status_code == 200, answer.text
    return answer.json()["outputs"][0]["outputs"][0]["results"]["message"]["text"]


async def alive(client: httpx2.AsyncClient) -> None:
    """The cheapest path."""
    answer = await client.get("/health")
    assert answer.status_code == 200, answer.text


async def health(client: httpx2.AsyncClient) -> None:
    """The path that asks database and cache."""
    answer = await client.get("/health_check")
    assert answer.status_code == 200, answer.text


def question(text: str) -> dict[str, str]:
    return {"input_value": text, "input_type": "chat", "output_type": "chat"}


def run(minted: Minted) -> Ask:
    """One flow from question to answer."""
    key = minted.api_key_file.read_text()

    async def ask(client: httpx2.AsyncClient) -> None:
        answer = await client.post(
            f"/api/v1/run/{minted.flow}", json=question("say something"), headers={"x-api-key": key}
        )
        assert answer.status_code == 200, answer.text
        assert "say something" in answer.text

    return ask


def streamed(seconds: int) -> dict[str, Any]:
    """Arguments of a client's `stream` for a flow of so many seconds."""
    return {
        "method": "POST",
        "url": f"/api/v1/run/{SLOW}",
        "params": {"stream": "true"},
        "json": question(str(seconds)),
    }


def stream(minted: Minted, seconds: int) -> Ask:
    """A flow of so many seconds, read event by event to its end."""
    key = minted.api_key_file.read_text()

    async def ask(client: httpx2.AsyncClient) -> None:
        async with client.stream(**streamed(seconds), headers={"x-api-key": key}) as answer:
            assert answer.status_code == 200
            events = [line async for line in answer.aiter_lines() if line]
        assert '"event": "end"' in events[-1], events[-1][:200]

    return ask
