"""The real engine against a real API server whose nodes are simulated."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import pulumi
from lab.layout import SIMULATED
from lab.toolchain import Tools
from tests.conftest import require
from tests.engine.stack import Stack, copy_program


@pytest.fixture(scope="session")
def environment(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    require(SIMULATED, "python -m lab up --simulated")
    backend = tmp_path_factory.mktemp("backend")
    return pulumi.environment(SIMULATED, tools) | {"PULUMI_BACKEND_URL": f"file://{backend}"}


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_program(tmp_path_factory.mktemp("program"))


@pytest.fixture
def stack(request, environment: dict[str, str], program: Path) -> Iterator[Stack]:
    """A stack of its own namespace, gone after the test."""
    stack = Stack(program, request.node.name.replace("_", "-")[5:50].strip("-"), environment)
    stack.init()
    yield stack
    stack.remove()
