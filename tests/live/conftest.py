"""The lab as `make up` leaves it: real nodes, the real application."""

import os

import pytest

from lab import addons, pulumi
from lab.layout import REAL
from lab.toolchain import Tools
from tests.conftest import require


@pytest.fixture(scope="session", autouse=True)
def lab(tools: Tools) -> None:
    """Makes `pulumi` and `kubectl` of this process and its children mean the lab."""
    require(REAL, "python -m lab up")
    os.environ.update(pulumi.environment(REAL, tools))


@pytest.fixture(scope="session")
def kubectl(tools: Tools):
    """Runs kubectl as the lab's administrator and returns what it prints."""

    def run(*words: str, stdin: str | None = None) -> str:
        return addons.kubectl(REAL, tools, *words, stdin=stdin)

    return run
