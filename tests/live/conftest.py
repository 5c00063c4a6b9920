"""The lab as `make up` leaves it: real nodes, the real application."""

import fcntl
import os
import ssl
from collections.abc import Iterator

import pytest

from lab import addons, cluster, engine
from lab.errors import LabError
from lab.layout import REAL
from lab.mint import Minted, mint
from lab.toolchain import Tools
from operations import stack as stacks
from operations.wire import Endpoint, resolved
from tests.conftest import require
from tests.live.namespace import NAMESPACE
from tests.live.stack import Stack


@pytest.fixture(scope="session", autouse=True)
def lab(tools: Tools) -> None:
    """Makes `pulumi` and `kubectl` of this process and its children mean the lab."""
    require(REAL, "python -m lab up")
    os.environ.update(engine.environment(REAL, tools))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """A failure is reported with what the cluster has to say of it."""
    report = yield
    kubectl = getattr(item, "funcargs", {}).get("kubectl")
    if report.failed and kubectl:
        try:
            events = kubectl("get", "events", NAMESPACE, "--sort-by=.metadata.creationTimestamp")
        except LabError as error:
            events = str(error)
        report.sections.append(("events", "\n".join(events.splitlines()[-60:])))
    return report


@pytest.fixture(scope="session")
def kubectl(tools: Tools):
    """Runs kubectl as the lab's administrator and returns what it prints."""

    def run(*words: str, stdin: str | None = None) -> str:
        return addons.kubectl(REAL, tools, *words, stdin=stdin)

    return run


@pytest.fixture(scope="session")
def minted() -> Minted:
    """An API key and a flow."""
    return mint(stacks.read("lab"), REAL.state / "validate")


@pytest.fixture(scope="session")
def hosts() -> Iterator[dict[str, Endpoint]]:
    """The public hosts by surface, as the lab's ingress controller serves them."""
    trust = ssl.create_default_context(cafile=REAL.pki / "ca.crt")
    at = {name: Endpoint(f"https://{name}.skillflaw.test", trust) for name in ("api", "app", "docs")}
    with resolved({endpoint.host for endpoint in at.values()}, REAL.nodes[0].address):
        yield at


@pytest.fixture
def at_risk(lab: None) -> Iterator[None]:
    """A lock for a test that takes away what no `pulumi up` brings back, until it brings it back itself."""
    with cluster.unfinished(REAL):
        yield


@pytest.fixture(scope="session")
def stack(lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    it = Stack(tmp_path_factory.mktemp("stack") / "Pulumi.lab.yaml")
    yield it
    it.restore()


@pytest.fixture(scope="module")
def both_nodes(lab: None) -> Iterator[None]:
    """A lock of the nodes, held by a test that takes one away, and by one that needs both at the same time."""
    with (REAL.state / "nodes.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def edited(stack: Stack) -> Stack:
    """The stack `lab`, to be brought up with an edited stack file, which the next test need not know of."""
    return stack


@pytest.fixture(autouse=True)
def committed(request: pytest.FixtureRequest, stack: Stack) -> None:
    """Takes back what an earlier test edited, unless this one edits too: then its own `up` does."""
    if "edited" not in request.fixturenames:
        stack.restore()
