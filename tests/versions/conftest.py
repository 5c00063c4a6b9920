"""API servers of the versions of Kubernetes that stacks run on; each is built where the cache lacks it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from lab import addons, cluster, machine, toolchain
from lab.layout import API_SERVER
from lab.toolchain import Tools
from lab.toolchain.catalogue import KUBERNETES, OTHER_KUBERNETES

Apply = Callable[..., subprocess.CompletedProcess[str]]
HTTP_ROUTE = "httproutes.gateway.networking.k8s.io"
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
        addons.kubectl(API_SERVER, tools, "apply", "--server-side", "--filename=-", stdin=_http_route(tools))
        addons.kubectl(API_SERVER, tools, "wait", f"crd/{HTTP_ROUTE}", "--for=condition=Established")
        yield request.param


def _http_route(tools: Tools) -> str:
    """The one definition of the Gateway API that a stack needs: that of TLSRoute wants 1.31 (`isIP` in its rules)."""
    every = yaml.safe_load_all(tools.program("gateway-api.yaml").read_text())
    return next(yaml.safe_dump(each) for each in every if each["metadata"]["name"] == HTTP_ROUTE)


@pytest.fixture(scope="module")
def kubectl(version: str, tools: Tools) -> Apply:
    """Runs kubectl against that API server."""

    def run(*words: str, objects: list[dict[str, Any]] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tools.program("kubectl"), f"--kubeconfig={API_SERVER.kubeconfig}", *words],
            env=os.environ,
            input=yaml.safe_dump_all(objects) if objects else None,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
