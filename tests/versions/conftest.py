"""API servers of the versions of Kubernetes that stacks run on; each is built where the cache lacks it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import addons, cluster, machine, process, toolchain
from lab.layout import API_SERVER
from lab.toolchain import Tools
from lab.toolchain.catalogue import KUBERNETES, OTHER_KUBERNETES

Apply = Callable[..., subprocess.CompletedProcess[str]]
DEFINITIONS: dict[str, Callable[[Tools], Path]] = {
    # Alone: that of TLSRoute wants 1.31, for `isIP` in its rules.
    "httproutes.gateway.networking.k8s.io": lambda tools: tools.program("gateway-api.yaml"),
    "externalsecrets.external-secrets.io": lambda tools: toolchain.external_secrets(print),
}
"""Definitions that are installed, and the file that each is in."""
VERSIONS = sorted((KUBERNETES, *OTHER_KUBERNETES))


@pytest.fixture(scope="session", autouse=True)
def claimed() -> None:
    """Holds the lab of one API server until these tests end."""
    machine.claim(API_SERVER)


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest, tools: Tools) -> Iterator[str]:
    """A version whose API server runs."""
    those = toolchain.with_api_server(tools, request.param, print)
    with cluster.api_server(API_SERVER, those):
        for name, file in DEFINITIONS.items():
            _define(tools, name, file(tools))
        yield request.param


def _define(tools: Tools, name: str, file: Path) -> None:
    """Installs one definition of a file, and returns once the server lists its group."""
    definition = next(
        each for each in yaml.safe_load_all(file.read_text()) if each["metadata"]["name"] == name
    )
    words = ("apply", "--server-side", "--filename=-")
    addons.kubectl(API_SERVER, tools, *words, stdin=yaml.safe_dump(definition))
    group = definition["spec"]["group"]
    process.wait_for(
        lambda: group in addons.kubectl(API_SERVER, tools, "get", "--raw=/apis"),
        60,
        f"{group} among the groups of the API",
    )


@pytest.fixture(scope="module")
def kubectl(version: str, tools: Tools) -> Apply:
    """Runs kubectl against that API server."""

    # The cache that kubectl keeps of an address would be another version's.
    options = (f"--kubeconfig={API_SERVER.kubeconfig}", f"--cache-dir={API_SERVER.state / 'kubectl'}")

    def run(*words: str, objects: list[dict[str, Any]] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tools.program("kubectl"), *options, *words],
            env=os.environ,
            input=yaml.safe_dump_all(objects) if objects else None,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
