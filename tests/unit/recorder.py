"""An honest double of the Pulumi engine: what the program would register, without an engine.

Stricter and truer than the SDK's mocks: it refuses duplicate URNs, names unnamed objects after their
content (so that a replaced ConfigMap changes the pods that read it, as in the real engine), and hands
out what was declared only after everything was.
"""

import asyncio
import functools
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS, set_root_resource
from pulumi.runtime.stack import run_in_stack

from deployment import deploy
from settings import load

ROOT = Path(__file__).parents[2]
SECRET_MARK = rpc._special_sig_key
SENTINEL = "s3ntinel"
"""Appears in every generated secret."""


@dataclass(frozen=True)
class Declared:
    """One registered resource."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    request: Any

    @property
    def kind(self) -> str:
        return self.type.rsplit(":", 1)[-1]


@dataclass
class Program:
    """Everything one run of the program registered."""

    resources: dict[str, Declared] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Names of Kubernetes objects by URN, invented ones included."""

    def of(self, *kinds: str) -> list[Declared]:
        """Resources of some kinds, components aside."""
        return [
            declared
            for declared in self.resources.values()
            if declared.kind in kinds and not declared.type.startswith("skillflaw:")
        ]

    def one(self, kind: str, name: str) -> Declared:
        """The resource of a kind with a logical name."""
        (declared,) = [declared for declared in self.of(kind) if declared.name == name]
        return declared

    @property
    def leaves(self) -> dict[str, Declared]:
        """Everything but components, by URN."""
        return {
            urn: declared
            for urn, declared in self.resources.items()
            if not declared.type.startswith("skillflaw:")
        }

    @property
    def objects(self) -> list[Declared]:
        """Kubernetes objects."""
        return [declared for declared in self.resources.values() if declared.type.startswith("kubernetes:")]

    @property
    def components(self) -> set[str]:
        """Component labels of everything that has pods."""
        return {
            template["metadata"]["labels"]["app.kubernetes.io/component"]
            for template in self.templates.values()
        }

    @property
    def pods(self) -> dict[str, dict[str, Any]]:
        """Specs of all pods by the logical name of what runs them."""
        return {name: template["spec"] for name, template in self.templates.items()}

    @property
    def templates(self) -> dict[str, dict[str, Any]]:
        """Pod templates by the logical name of what runs them."""
        direct = {
            declared.name: declared.inputs["spec"]["template"]
            for declared in self.of("Deployment", "StatefulSet", "Job")
        }
        return direct | {
            declared.name: declared.inputs["spec"]["jobTemplate"]["spec"]["template"]
            for declared in self.of("CronJob")
        }


class _Cluster(mocks.Mocks):
    """Answers as the providers would; `before` is what the stack exported when it last came up, `refused` fails."""

    def __init__(self, before: Mapping[str, Any], refused: Collection[str]) -> None:
        self._before = dict(before)
        self._refused = refused

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if args.name in self._refused:
            raise RuntimeError(f"the cluster refuses {args.name}")
        outputs = dict(args.inputs)
        if args.typ.startswith("kubernetes:"):
            invented = {"name": f"{args.name}-{_digest(outputs)}"}
            outputs["metadata"] = invented | outputs.get("metadata", {})
        if args.typ == "random:index/randomPassword:RandomPassword":
            outputs["result"] = f"{SENTINEL}/+@{args.name}"
        if args.typ == "random:index/randomBytes:RandomBytes":
            outputs["base64"] = "+/" + "A" * 41 + "="
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        if args.token == "pulumi:pulumi:readStackOutputs":  # noqa: S105 - the engine's own function
            return {"name": args.args["name"], "outputs": self._before}
        raise AssertionError(f"the program asked a provider for {args.token}")


class _Monitor(mocks.MockMonitor):
    def __init__(self, program: Program, cluster: _Cluster) -> None:
        super().__init__(cluster)
        self._program = program

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type != "pulumi:pulumi:Stack":
            if urn in self._program.resources:
                raise AssertionError(f"duplicate URN {urn}")
            inputs = _plain(rpc.deserialize_properties(request.object, keep_unknowns=True))
            self._program.resources[urn] = Declared(urn, request.type, request.name, inputs, request)
        response = super().RegisterResource(request)
        name = rpc.deserialize_properties(response.object).get("metadata", {}).get("name")
        self._program.names[urn] = name
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if request.urn.endswith("::pulumi:pulumi:Stack::skillflaw-test"):
            self._program.outputs.update(_plain(rpc.deserialize_properties(request.outputs)))
        return super().RegisterResourceOutputs(request)


def record(
    program: Callable[[], object],
    *,
    config: Mapping[str, str] | None = None,
    preview: bool = False,
    before: Mapping[str, Any] | None = None,
    secret: Mapping[str, str] | None = None,
    refused: Collection[str] = (),
) -> Program:
    """Runs a program in a stack of its own and returns what it registered, once all of it is.

    `config` is as the engine hands it over; `secret` holds keys of the stack file that were set with `--secret`.
    Resources with a logical name in `refused` fail as if the cluster refused them, and so does the run.
    """
    recorded = Program()

    async def engine() -> None:
        if refused:
            # Whatever waits for the one that is refused fails too, and asyncio would print a traceback for each.
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        # A program that failed leaves outputs of its own, closed, event loop behind.
        SETTINGS.outputs.clear()
        cluster = _Cluster(before or {}, refused)
        mocks.set_mocks(
            cluster,
            project="skillflaw",
            stack="test",
            organization="organization",
            preview=preview,
            monitor=_Monitor(recorded, cluster),
        )
        # The stack the SDK's mocks make is closed already; the program gets one of its own.
        set_root_resource(None)
        secrets = {f"skillflaw:{key}": value for key, value in (secret or {}).items()}
        pulumi.runtime.set_all_config({**(config or {}), **secrets}, list(secrets))
        await run_in_stack(lambda: program() and None)

    try:
        asyncio.run(engine())
    except Exception:
        if not refused:
            raise
    return recorded


def run(config: Mapping[str, Any], *, preview: bool = False) -> Program:
    """Runs the whole program on a stack file's sections, once per file and test session."""
    return _run(json.dumps(config, sort_keys=True), preview)


@functools.cache
def _run(config: str, preview: bool) -> Program:
    return record(whole_program, config=engine_config(json.loads(config)), preview=preview)


def whole_program() -> None:
    """The program: what `__main__.py` does."""
    for name, value in deploy(*load()).by_name().items():
        pulumi.export(name, value)


def engine_config(config: Mapping[str, Any]) -> dict[str, str]:
    """A stack file's sections as the engine hands them over."""
    return {f"skillflaw:{key}": json.dumps(value) for key, value in config.items()}


def plain(value: Any) -> Any:
    """A value without its secret wrappers."""
    if isinstance(value, dict):
        return plain(value["value"]) if SECRET_MARK in value else {k: plain(v) for k, v in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Values as they were sent, with whole floats as the integers they were: the wire knows only floats."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:8]
