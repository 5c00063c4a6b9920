"""A language host for Python programs, for a machine without the official one (`pulumi-language-python`).

The engine starts it with its own address as the last argument and reads a port from the first line of output. It runs
programs and policy packs with the Python that runs it, in which `pulumi` must be installed. Protocol: `language.proto` of
pulumi's SDK; the same file is also the child process that runs a program (`--run`). docs/stand-ins.md lists what it does
as the official host does, and what it does not.
"""

import gc

gc.disable()  # imports make no garbage, and looking for it takes a twentieth of a preview

import asyncio
import functools
import json
import os
import queue
import runpy
import signal
import subprocess
import sys
import sysconfig
import threading
import traceback
from concurrent import futures
from importlib import metadata, util
from pathlib import Path

if __name__ == "__main__" and "--run" not in sys.argv:
    # The host speaks the SDK's protocol and needs nothing else of it; the rest takes three times as long to import.
    for name in ("pulumi", "pulumi.runtime"):
        sys.modules[name] = util.module_from_spec(util.find_spec(name))

import grpc
import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, language_pb2, language_pb2_grpc, plugin_pb2

gc.freeze()
gc.enable()

ALREADY_SHOWN = 32
"""Exit code of a program whose error the user has already seen: the engine adds no words of its own."""
INTERRUPT_SECONDS = 5
"""How long a program that was interrupted has to end by itself."""
LIMITS = [("grpc.max_receive_message_length", 400 << 20), ("grpc.max_send_message_length", 400 << 20)]
"""The engine's own, for one message in bytes."""


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """One engine's host; it lives as long as the engine's command."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self._programs: list[subprocess.Popen] = []

    def Handshake(self, request, context):
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def About(self, request, context):
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def Cancel(self, request, context):
        for program in list(self._programs):
            _interrupt(program)
        return empty_pb2.Empty()

    def GetRequiredPackages(self, request, context):
        return language_pb2.GetRequiredPackagesResponse(packages=list(_resource_packages()))

    def Run(self, request, context):
        environment = os.environ | {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        settings = {
            "project": request.project,
            "stack": request.stack,
            "monitor": request.monitor_address,
            "engine": self.engine,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "organization": request.organization,
            "root_directory": request.info.root_directory,
        }
        entry = os.path.normpath(
            os.path.join(request.info.program_directory, request.info.entry_point or ".")
        )
        with subprocess.Popen(
            [sys.executable, "-u", __file__, "--run", json.dumps(settings), entry, *request.args],
            cwd=request.pwd,
            env=environment,
        ) as program:
            self._programs.append(program)
            # The engine ends the call when an update fails or is cancelled.
            context.add_callback(functools.partial(_interrupt, program))
            code = program.wait()
        self._programs.remove(program)
        if code == ALREADY_SHOWN:
            return language_pb2.RunResponse(bail=True)
        # A program that a signal ended counts as -1, as it does in Go.
        return language_pb2.RunResponse(
            error=f"program exited with non-zero exit code: {max(code, -1)}" if code else ""
        )

    def RunPlugin(self, request, context):
        if request.kind != "analyzer":
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"a plugin of kind {request.kind}")
        pack = PolicyPack(request)
        context.add_callback(pack.stop)
        yield language_pb2.RunPluginResponse(stdout=f"{pack.port}\n".encode())
        while written := pack.written.get():
            yield language_pb2.RunPluginResponse(**written)


def _interrupt(program: subprocess.Popen) -> None:
    """Asks a program to end, as Ctrl-C does; one that goes on is killed."""
    if program.poll() is None:
        program.send_signal(signal.SIGINT)
        killer = threading.Timer(INTERRUPT_SECONDS, program.kill)
        killer.daemon = True
        killer.start()


class PolicyPack(grpc.GenericRpcHandler):
    """A proxy between the engine and a policy pack, as in the official hosts.

    The engine sends a stack's config in a call of its own, once the pack runs; pulumi's SDK for policies reads it from the
    environment, when it starts. So the pack is started by that call, and every other call is passed on to it.
    """

    def __init__(self, request: language_pb2.RunPluginRequest) -> None:
        self.written: queue.SimpleQueue = queue.SimpleQueue()
        """Output of the pack as fields of a response, then None."""
        self._request = request
        self._starting, self._attached = threading.Lock(), threading.Event()
        self._refused = threading.Event()
        self._process: subprocess.Popen | None = None
        self._channel: grpc.Channel | None = None
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=LIMITS)
        self._server.add_generic_rpc_handlers([self])
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def service(self, handler_call_details):
        method = handler_call_details.method
        own = {"Handshake": self._handshake, "ConfigureStack": self._configure}
        answer = own.get(method.rpartition("/")[2], functools.partial(self._pass_on, method))
        return grpc.unary_unary_rpc_method_handler(answer)

    def stop(self) -> None:
        """Ends the pack; who asked it something meanwhile still gets an answer."""
        self._server.stop(grace=5)
        if self._process:
            self._process.kill()
        else:
            self.written.put(None)

    def _handshake(self, request: bytes, context) -> bytes:
        return b""

    def _configure(self, request: bytes, context) -> bytes:
        stack = analyzer_pb2.AnalyzerStackConfigureRequest.FromString(request)
        self._start(
            {
                "PULUMI_CONFIG": json.dumps(dict(stack.config)),
                "PULUMI_ORGANIZATION": stack.organization,
                "PULUMI_PROJECT": stack.project,
                "PULUMI_STACK": stack.stack,
                "PULUMI_DRY_RUN": json.dumps(stack.dry_run),
            }
        )
        return b""

    def _pass_on(self, method: str, request: bytes, context) -> bytes:
        self._start({})
        if not self._channel:
            context.add_callback(self._refused.set)
            context.abort(
                grpc.StatusCode.UNKNOWN,
                "policy pack not started: could not read policy pack port: it ended before",
            )
        try:
            return self._channel.unary_unary(method)(request)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())

    def _start(self, variables: dict[str, str]) -> None:
        with self._starting:
            if not self._process:
                self._process = self._run(variables)
                threading.Thread(target=self._relay, daemon=True).start()
                if port := self._process.stdout.readline().decode().strip():
                    self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=LIMITS)
                self._attached.set()

    def _run(self, variables: dict[str, str]) -> subprocess.Popen:
        pack = self._request.info.program_directory
        asked = dict(entry.split("=", 1) for entry in self._request.env)
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.policy", *self._request.args, pack],
            cwd=pack,
            env=os.environ | variables | asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _relay(self) -> None:
        """Hands on what the pack writes, but for the port, until it ends."""
        errors = threading.Thread(target=self._forward, args=("stderr",), daemon=True)
        errors.start()
        self._attached.wait()
        self._forward("stdout")
        errors.join()
        if not self._channel:
            # The engine asks nothing more of a pack that it saw ending, so the reason is reported first.
            self._refused.wait(INTERRUPT_SECONDS)
        self.written.put({"exitcode": self._process.wait()})
        self.written.put(None)

    def _forward(self, name: str) -> None:
        while chunk := getattr(self._process, name).read1(1 << 16):
            self.written.put({name: chunk})


def _resource_packages():
    """The provider that each installed Pulumi package asks for in its `pulumi-plugin.json`."""
    for file in Path(sysconfig.get_path("purelib")).glob("*/pulumi-plugin.json"):
        plugin = json.loads(file.read_text())
        if plugin.get("resource"):
            version = plugin.get("version") or metadata.version(file.parent.name)
            yield plugin_pb2.PackageDependency(name=plugin["name"], kind="resource", version=version)


def serve(engine: str) -> None:
    """Answers the engine until it goes; prints the port first."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=LIMITS)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    print(port, flush=True)
    server.wait_for_termination()


def run(settings: dict, entry: str, arguments: list[str]) -> None:
    """Runs a Pulumi program; exits with 1 after a RunError, and with `ALREADY_SHOWN` after any other exception."""
    sys.argv = [entry, *arguments]
    pulumi.runtime.set_all_config(
        json.loads(os.environ["PULUMI_CONFIG"]), json.loads(os.environ["PULUMI_CONFIG_SECRET_KEYS"])
    )
    pulumi.runtime.configure(pulumi.runtime.Settings(**settings))
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    try:
        loop.run_until_complete(
            pulumi.runtime.run_in_stack(lambda: runpy.run_path(entry, run_name="__main__") and None)
        )
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        sys.exit(1)
    except Exception:
        pulumi.log.error(f"Program failed with an unhandled exception:\n{traceback.format_exc()}")
        sys.exit(ALREADY_SHOWN)


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        run(json.loads(sys.argv[2]), sys.argv[3], sys.argv[4:])
    else:
        serve(sys.argv[-1])
