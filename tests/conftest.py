"""What the rings share. `unit` needs nothing; `engine` and `live` need the labs that `make test` starts."""

import pytest

from lab import cluster, toolchain
from lab.layout import PROJECT, Lab
from lab.toolchain import Tools


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps a ring that shares a cluster in one process, when rings run side by side."""
    for item in items:
        ring = item.path.relative_to(PROJECT / "tests").parts[0]
        if ring != "unit":
            item.add_marker(pytest.mark.xdist_group(ring))


def require(lab: Lab, command: str) -> None:
    """Fails, with the command that helps, unless the lab runs."""
    if not cluster.running(lab):
        pytest.fail(f"{lab.name} does not run: {command}")


@pytest.fixture(scope="session")
def tools() -> Tools:
    return toolchain.prepare(lambda words: None)
