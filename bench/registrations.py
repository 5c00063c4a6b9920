"""Registrations of the program, gathered without an engine."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pulumi
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack

from deployment import deploy
from settings import load

PROVIDERS = ("kubernetes:", "random:")
"""Beginnings of the types of what a provider makes."""


class Resource(NamedTuple):
    """A resource of a provider, without the components around it."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    dependencies: list[str]
    """URNs of what it is registered after, components aside."""


def registrations(sections: Mapping[str, Any], copies: int = 1) -> list[Resource]:
    """The resources of a stack file's sections, declared that many times in one process."""
    monitor = _Monitor(_Provider())

    def program() -> None:
        for _ in range(copies):
            deploy(*load())

    async def engine() -> None:
        mocks.set_mocks(monitor.mocks, project="skillflaw", stack="bench", preview=False, monitor=monitor)
        # The stack that the SDK's mocks make is closed already; the program gets one of its own.
        set_root_resource(None)  # type: ignore[arg-type]
        config = {f"skillflaw:{name}": json.dumps(section) for name, section in sections.items()}
        pulumi.runtime.set_all_config(config, [])
        await run_in_stack(program)

    asyncio.run(engine())
    return monitor.registered


class _Monitor(mocks.MockMonitor):
    """Notes what is registered, in its order: nothing is registered before what it refers to."""

    def __init__(self, provider: mocks.Mocks) -> None:
        super().__init__(provider)
        self.registered: list[Resource] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        response = super().RegisterResource(request)
        if request.type.startswith(PROVIDERS):
            inputs = _plain(rpc.deserialize_properties(request.object))
            made = [urn for urn in request.dependencies if _type(urn).startswith(PROVIDERS)]
            self.registered.append(Resource(response.urn, request.type, request.name, inputs, made))
        return response


class _Provider(mocks.Mocks):
    """A provider that makes whatever it is asked for, at once."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        inputs = _plain(args.inputs)
        named = {"metadata": {"name": args.name, **inputs.get("metadata", {})}}
        return f"{args.name}-id", {**inputs, **named, "result": "a-password", "base64": "a-key"}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Answers the one question of the program: the outputs of its last run, of which there was none."""
        return {"name": args.args["name"], "outputs": {}}, []


def _type(urn: str) -> str:
    """Type of a URN's resource, without those of its parents."""
    return urn.split("::")[2].rpartition("$")[2]


def _plain(value: Any) -> Any:
    """A value without its secret wrappers."""
    if isinstance(value, dict):
        if rpc._special_sig_key in value:
            return _plain(value["value"])
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
