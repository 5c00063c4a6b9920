"""The stack's namespace, through kubectl: by its context or its own kubeconfig, never the ambient one."""

import base64
import contextlib
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from operations.ownership import OWN
from operations.program import ProgramError, output_of


@contextlib.contextmanager
def cluster(context: str | None, kubeconfig: str | None) -> Iterator[tuple[str, ...]]:
    """kubectl's options for the cluster that a provider of these inputs means.

    A kubeconfig is kept in a file that only its owner can read, while the block runs.
    """
    chosen = [f"--context={context}"] if context else []
    with tempfile.NamedTemporaryFile("w", suffix=".kubeconfig") as file:
        if kubeconfig:
            file.write(kubeconfig)
            file.flush()
            chosen.append(f"--kubeconfig={file.name}")
        yield tuple(chosen)


@dataclass(frozen=True)
class Kubectl:
    """kubectl, bound to a cluster and a namespace. Every method raises ProgramError when kubectl says no."""

    cluster: tuple[str, ...]
    """Options that choose it."""
    namespace: str
    seconds: float | None = None
    """How long each call may take; None leaves it to kubectl."""

    def run(self, *words: str, stdin: str | None = None) -> str:
        """Runs kubectl and returns what it printed."""
        return output_of(*self._command(), *words, stdin=stdin, seconds=self.seconds)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """One object."""
        found: dict[str, Any] = json.loads(self.run("get", kind, name, "--output=json"))
        return found

    def items(self, kinds: str) -> list[dict[str, Any]]:
        """Every object of the comma-separated kinds in the namespace."""
        found: list[dict[str, Any]] = json.loads(self.run("get", kinds, "--output=json"))["items"]
        return found

    def existing(self, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The objects among some (by kind, namespace and name) that exist, as they are in the cluster."""
        named = [
            {key: each[key] for key in ("apiVersion", "kind")}
            | {"metadata": {key: each["metadata"].get(key) for key in ("name", "namespace")}}
            for each in objects
        ]
        manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": named})
        found = self.run("get", "--filename=-", "--ignore-not-found", "--output=json", stdin=manifest)
        whole: dict[str, Any] = json.loads(found or '{"items": []}')
        items: list[dict[str, Any]] = whole.get("items", [whole])
        return items

    def serves(self, group: str) -> bool:
        """Whether the cluster knows an API group."""
        # Not by `kubectl api-resources`: it fails while any aggregated API (metrics) is away.
        groups = json.loads(self.run("get", "--raw=/apis"))["groups"]
        return any(known["name"] == group for known in groups)

    def secret(self, name: str) -> dict[str, str]:
        """The decoded values of a Secret."""
        return {
            key: base64.b64decode(value).decode() for key, value in self.get("secret", name)["data"].items()
        }

    def wait_for_rollouts(self) -> None:
        """Returns once every Deployment and StatefulSet of the program runs the pods of its last change and no other."""
        selector = ",".join(f"{key}={value}" for key, value in OWN.items())
        self.run("rollout", "status", "deployment,statefulset", f"--selector={selector}", "--timeout=15m")

    @contextlib.contextmanager
    def port_forward(self, service: str, port: int) -> Iterator[str]:
        """For the block, an origin (`http://127.0.0.1:…`) that reaches one pod behind a Service."""
        command = (*self._command(), "port-forward", "--address=127.0.0.1", f"service/{service}", f":{port}")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as forward:
            assert forward.stdout  # noqa: S101  a pipe, which only the types leave open
            try:
                # kubectl writes this line once it listens, and ends by itself when it cannot.
                listening = re.search(r"127\.0\.0\.1:\d+", forward.stdout.readline())
                if not listening:
                    raise ProgramError(
                        f"port-forward to service/{service}: {forward.communicate()[1].strip()}"
                    )
                yield f"http://{listening[0]}"
            finally:
                forward.terminate()

    def _command(self) -> tuple[str, ...]:
        return "kubectl", *self.cluster, f"--namespace={self.namespace}"
