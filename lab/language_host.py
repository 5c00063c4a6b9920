"""Pulumi's language host for Python, for a machine on which the official one is not to be had.

The engine starts it with its own address as the last argument and reads a port from the first line of output. It runs
programs and policy packs with the Python that runs it, in which `pulumi` must be installed. Protocol: `language.proto` of
pulumi's SDK; the same file is also the child process that runs a program (`--run`).
"""

import asyncio
import json
import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
import traceback
from concurrent import futures
from importlib import metadata

import grpc
import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

ALREADY_SHOWN = 32
"""Exit code of a program whose error the engine has already been told."""
MESSAGE_BYTES = 400 << 20
"""The engine's own limit for one message."""


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """One engine's host; it lives as long as the engine's command."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def Handshake(self, request, context):
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def About(self, request, context):
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def Cancel(self, request, context):
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
        done = subprocess.run(
            [sys.executable, "-u", __file__, "--run", json.dumps(settings), entry, *request.args],
            cwd=request.pwd,
            env=environment,
            check=False,
        )
        if done.returncode == ALREADY_SHOWN:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(
            error=f"the program ended with exit code {done.returncode}" if done.returncode else ""
        )

    def RunPlugin(self, request, context):
        module = ["-m", "pulumi.policy"] if request.kind == "analyzer" else []
        program = request.info.program_directory if request.kind == "analyzer" else request.program
        arguments = (
            [*request.args[:1], program, *request.args[2:]] if request.kind == "analyzer" else request.args
        )
        command = [sys.executable, "-u", *module, *arguments]
        child = subprocess.Popen(
            command,
            cwd=request.pwd,
            env=dict(entry.split("=", 1) for entry in request.env) or None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(child.kill)
        written: queue.SimpleQueue = queue.SimpleQueue()
        streams = {"stdout": child.stdout, "stderr": child.stderr}
        for name, stream in streams.items():
            threading.Thread(target=_forward, args=(name, stream, written), daemon=True).start()
        open_streams = len(streams)
        while open_streams:
            name, chunk = written.get()
            if chunk:
                yield language_pb2.RunPluginResponse(**{name: chunk})
            else:
                open_streams -= 1
        yield language_pb2.RunPluginResponse(exitcode=child.wait())


def _forward(name: str, stream, written: queue.SimpleQueue) -> None:
    while chunk := stream.read1(1 << 16):
        written.put((name, chunk))
    written.put((name, b""))


def _resource_packages():
    """The provider that each installed Pulumi package asks for in its `pulumi-plugin.json`."""
    for distribution in metadata.distributions():
        for file in distribution.files or ():
            if file.name == "pulumi-plugin.json":
                plugin = json.loads(file.read_text())
                if plugin.get("resource"):
                    yield plugin_pb2.PackageDependency(
                        name=plugin["name"],
                        kind="resource",
                        version=plugin.get("version") or distribution.version,
                    )


def serve(engine: str) -> None:
    """Answers the engine until it goes; prints the port first."""
    limits = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_send_message_length", MESSAGE_BYTES),
    ]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=limits)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    print(port, flush=True)
    server.wait_for_termination()


def run(settings: dict, entry: str) -> None:
    """Runs a Pulumi program; exits with `ALREADY_SHOWN` when it failed and the engine knows why."""
    program = os.path.join(entry, "__main__.py") if os.path.isdir(entry) else entry
    sys.path.insert(0, os.path.dirname(program))
    pulumi.runtime.set_all_config(
        json.loads(os.environ["PULUMI_CONFIG"]), json.loads(os.environ["PULUMI_CONFIG_SECRET_KEYS"])
    )
    pulumi.runtime.configure(pulumi.runtime.Settings(**settings))
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    try:
        loop.run_until_complete(
            pulumi.runtime.run_in_stack(lambda: runpy.run_path(program, run_name="__main__") and None)
        )
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
    except Exception:
        pulumi.log.error(f"Program failed with an unhandled exception:\n{traceback.format_exc()}")
    else:
        return
    sys.exit(ALREADY_SHOWN)


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        run(json.loads(sys.argv[2]), sys.argv[3])
    else:
        serve(sys.argv[-1])
