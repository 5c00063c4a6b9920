"""What an operator should have seen once, on the lab that `make up` starts; at the end, a table of what was measured."""

from collections.abc import Iterator

import pytest

from tests.live.conftest import both_nodes, kubectl, lab

__all__ = ["both_nodes", "kubectl", "lab"]

_ROWS = pytest.StashKey[list[tuple[str, ...]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ROWS] = []


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, ...]]]:
    """Rows of the table at the end."""
    return request.config.stash[_ROWS]


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    for row in config.stash[_ROWS]:
        terminalreporter.write_line("| " + " | ".join(row) + " |")
