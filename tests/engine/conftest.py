"""The real engine against a real API server whose nodes are simulated."""

import copy
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import engine
from lab.layout import SIMULATED
from lab.toolchain import Tools
from tests.conftest import require
from tests.engine.stack import Stack, copy_program


@pytest.fixture(scope="session")
def environment(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    require(SIMULATED, "python -m lab up --simulated")
    backend = tmp_path_factory.mktemp("backend")
    return engine.environment(SIMULATED, tools) | {"PULUMI_BACKEND_URL": f"file://{backend}"}


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_program(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="session")
def worker() -> str:
    """Name of this process among those that run tests side by side: each has stacks of its own."""
    return os.environ.get("PYTEST_XDIST_WORKER", "alone")


@pytest.fixture(scope="session")
def reader(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A kubeconfig of one who may look at everything and touch nothing, as the jobs that only preview."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}],
    }
    subprocess.run(
        ["kubectl", "apply", "--filename=-"],
        env=os.environ | environment,
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [role, binding]}),
        text=True,
        check=True,
    )
    kubeconfig = json.loads(SIMULATED.kubeconfig.read_text())
    kubeconfig["users"][0]["user"]["as"] = "reader"
    return json.dumps(kubeconfig)


@pytest.fixture(scope="session")
def running(environment: dict[str, str], program: Path, worker: str) -> Iterator[Stack]:
    """The whole topology, up; made once, because that takes ten times as long as an edit."""
    with Stack(program, f"engine-whole-{worker}", environment) as stack:
        stack.up()
        yield stack


@pytest.fixture
def whole(running: Stack) -> Iterator[Stack]:
    """The running stack; what a test edits and brings up is taken back after it."""
    sections, ups = copy.deepcopy(running.sections), running.ups
    yield running
    running.sections = sections
    if running.ups != ups:
        running.up()


@pytest.fixture
def fresh(environment: dict[str, str], program: Path, worker: str) -> Iterator[Stack]:
    """A stack of which nothing exists yet."""
    with Stack(program, f"engine-fresh-{worker}", environment) as stack:
        yield stack


@pytest.fixture
def small(fresh: Stack) -> Stack:
    """The backend and its state in the cluster, and nothing public."""
    fresh.sections |= {"surfaces": {}, "network": {"policies": False}, "backup": {}}
    fresh.sections["backend"]["scale"] = {"replicas": 1}
    return fresh
