"""What an operator should have seen once, on the lab that `make up` starts; each row of the table as it is measured."""

from collections.abc import Callable

import pytest

from tests.live.conftest import both_nodes, kubectl, lab

__all__ = ["both_nodes", "kubectl", "lab"]


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Writes a row of the table, whatever becomes of the test."""
    terminal, capture = map(request.config.pluginmanager.getplugin, ("terminalreporter", "capturemanager"))

    def write(*cells: object) -> None:
        with capture.global_and_fixture_disabled():
            terminal.ensure_newline()
            terminal.write_line(f"| {' | '.join(map(str, cells))} |")

    return write
