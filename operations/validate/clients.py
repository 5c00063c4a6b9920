"""The two protocols that clients speak to the backend, each through the client library its users have."""

import asyncio
import re

import mcp
import openai
from mcp.client.streamable_http import streamable_http_client

from operations.validate.api import QUESTION
from operations.validate.check import CheckError
from operations.wire import Endpoint


def answers_responses(at: Endpoint, key: str, flow: str) -> None:
    """/api/v1/responses answers with a text. An error can come inside a 200."""
    with (
        at.client(key) as transport,
        # The library insists on a bearer token of its own; the backend looks at x-api-key.
        openai.OpenAI(
            base_url=f"{at.origin}/api/v1", api_key="unused", http_client=transport, max_retries=0
        ) as client,
    ):
        response = client.responses.create(model=flow, input=QUESTION)
        if response.error:
            raise CheckError(f"an error inside a 200: {response.error}")
        if not response.output_text:
            raise CheckError(f"status {response.status}, and no text")


def serves_tool(at: Endpoint, key: str, flow: str, tool: str | None) -> None:
    """/api/v1/mcp/streamable initializes, lists the flow's tool, and the tool answers with a text."""
    asyncio.run(_call_tool(at, key, flow, tool))


async def _call_tool(at: Endpoint, key: str, flow: str, tool: str | None) -> None:
    async with at.async_client(key) as transport:
        stream = streamable_http_client(f"{at.origin}/api/v1/mcp/streamable", http_client=transport)
        # legacy: the initialize handshake, which the backend speaks, without probing for what came after it.
        async with mcp.Client(stream, mode="legacy") as client:
            listed = (await client.list_tools()).tools
            name = next((known.name for known in listed if _runs(known, flow, tool)), None)
            if name is None:
                names = ", ".join(known.name for known in listed)
                raise CheckError(f"no tool {tool or f'of flow {flow}'}; listed: {names or 'none'}")
            result = await client.call_tool(name, {"input_value": QUESTION})
    said = " ".join(getattr(part, "text", "") for part in result.content)
    # A flow that fails is a success that says so (langflow/api/v1/mcp_utils.py).
    if result.is_error or not said or said.startswith("Error Executing the"):
        raise CheckError(f"tool {name}: {said or 'no text'}")


def _runs(known: mcp.Tool, flow: str, tool: str | None) -> bool:
    """Whether a listed tool is the flow's: named like its alias, or describing itself by its id."""

    def letters(name: str) -> str:
        return re.sub(r"[\W_]", "", name).lower()

    if tool:
        return known.name == tool
    return letters(known.name) == letters(flow) or (known.description or "").startswith(f"{flow}:")
