"""Scanners over the rendered objects of every committed stack, once per session."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.scan import rendered, scanners
from tests.scan.scanners import SCANNERS

Found = set[tuple[str, str, str]]
"""Scanner, rule and object, the last as `stack/Kind/name`."""


@pytest.fixture(scope="session", autouse=True)
def prepared() -> None:
    scanners.prepare()


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("rendered")
    for stack in rendered.SCANNED:
        (folder / f"{stack}.yaml").write_text(rendered.manifests(stack))

    def scan(scanner: str, stack: str) -> Found:
        names = rendered.names(stack)
        return {
            (scanner, rule, f"{stack}/{names[kind, name]}")
            for rule, kind, name in SCANNERS[scanner](folder / f"{stack}.yaml")
        }

    with ThreadPoolExecutor() as pool:
        scans = [pool.submit(scan, scanner, stack) for scanner in SCANNERS for stack in rendered.SCANNED]
    return set().union(*(done.result() for done in scans))
