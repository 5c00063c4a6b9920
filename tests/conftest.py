"""Fixtures that the rings share. `unit` needs nothing; `engine` and `live` need the labs that `make test` starts."""

import pytest

from lab import cluster, toolchain
from lab.layout import Lab
from lab.toolchain import Tools
from tests import table


def require(lab: Lab, command: str) -> None:
    """Fails, with the command that helps, unless the lab runs."""
    if not cluster.running(lab):
        pytest.fail(f"{lab.name} does not run: {command}")


@pytest.fixture(scope="session")
def tools() -> Tools:
    return toolchain.prepare(lambda words: None)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> table.Say:
    return table.say(request.config)


@pytest.fixture
def row(request: pytest.FixtureRequest) -> table.Row:
    return table.Row(request.config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in table.summary(config):
        terminalreporter.write_line(line)
