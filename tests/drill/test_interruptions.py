"""What users meet when something happens to the lab's stack, next to the guide's own manifests on the same state."""

import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import yaml

from lab import nodes
from lab.layout import REAL, Node
from lab.mint import Minted
from lab.process import wait_for
from operations.wire import Endpoint, resolved
from tests.drill import guide
from tests.drill.nodes import back_afterwards, ready_away_from, share
from tests.live import flows
from tests.live.conftest import at_risk, committed, edited, hosts, minted, stack
from tests.live.namespace import NAME, NAMESPACE, pods, staying
from tests.live.stack import LAB
from tests.live.test_interruptions import drained, restarts, well
from tests.live.traffic import Traffic

__all__ = ["at_risk", "committed", "edited", "hosts", "minted", "stack"]
pytestmark = [pytest.mark.drill, pytest.mark.timeout(900)]

OURS, GUIDE = "skillflaw-backend", guide.DEPLOYMENT
SIDES = {OURS: ("this program", "api.skillflaw.test"), GUIDE: ("the guide's manifests", guide.HOST)}
"""What each Deployment is called in the table, and its host."""
AWAY_SECONDS = 60


@pytest.fixture(scope="module", autouse=True)
def guided(kubectl, both_nodes) -> Iterator[None]:
    with guide.running(kubectl):
        yield


@contextmanager
def users(minted: Minted, *sides: str, node: Node = REAL.nodes[0]) -> Iterator[dict[str, Traffic]]:
    """Requests to each side by way of one node."""
    asks = {"alive": (0.1, flows.alive), "health": (0.5, flows.health), "run": (1, flows.run(minted))}
    trust = ssl.create_default_context(cafile=REAL.pki / "ca.crt")
    with resolved({SIDES[side][1] for side in sides}, node.address), ExitStack() as each:
        yield {
            side: each.enter_context(Traffic(Endpoint(f"https://{SIDES[side][1]}", trust).async_client, asks))
            for side in sides
        }


def write(row, event: str, asked: dict[str, Traffic], begun: float = 0.0, also: str = "") -> None:
    for side, traffic in asked.items():
        row(f"{event}: {SIDES[side][0]}", traffic, recovered=traffic.last_failure(begun), also=also)


def of(kubectl, deployment: str) -> list[dict]:
    return staying(kubectl, NAME, f"app={deployment}")


def spread(kubectl) -> None:
    """New pods, of this program on both nodes: nothing has moved back since a drain."""
    for deployment in SIDES:
        before = [pod["metadata"]["name"] for pod in of(kubectl, deployment)]
        kubectl("rollout", "restart", f"deployment/{deployment}", NAMESPACE)
        kubectl("rollout", "status", f"deployment/{deployment}", NAMESPACE, "--timeout=300s")
        kubectl("wait", "pods", *before, NAMESPACE, "--for=delete", "--timeout=120s")
    assert {pod["spec"]["nodeName"] for pod in of(kubectl, OURS)} == {node.name for node in REAL.nodes}


def roll(kubectl, edited, deployment: str) -> None:
    if deployment == OURS:
        edited.up({"backend.env": {"SKILLFLAW_LOG_LEVEL": "WARNING"}})
    else:
        kubectl("set", "env", f"deployment/{GUIDE}", NAMESPACE, "SKILLFLAW_LOG_LEVEL=WARNING")
        kubectl("rollout", "status", f"deployment/{GUIDE}", NAMESPACE, "--timeout=300s")


@pytest.mark.parametrize("deployment", SIDES)
def test_a_new_configuration_fails_no_request(edited, kubectl, minted, row, deployment):
    before = {pod["metadata"]["name"] for pod in of(kubectl, deployment)}
    with users(minted, deployment) as asked:
        roll(kubectl, edited, deployment)
        kubectl("wait", "pods", *before, NAMESPACE, "--for=delete", "--timeout=120s")
    write(row, "rollout of a configuration", asked)
    assert not before & {pod["metadata"]["name"] for pod in of(kubectl, deployment)}
    if deployment == OURS:
        assert not asked[OURS].failures, asked[OURS].story


def test_an_image_that_does_not_start_replaces_no_pod(edited, kubectl, minted, row):
    edited.restore()
    before = pods(kubectl, "backend").keys()
    wrong = yaml.safe_load(LAB.read_text())["config"]["skillflaw:images"]["redis"]
    with users(minted, OURS) as asked:
        done = edited.up({"images.backend": wrong}, check=False)
    write(row, "an image that does not start", asked)
    assert done.returncode != 0
    assert pods(kubectl, "backend").keys() == before
    assert not asked[OURS].failures, asked[OURS].story


@pytest.fixture
def stateless(kubectl, hosts) -> Node:
    """A node that has neither database nor cache."""
    (database,) = pods(kubectl, "postgresql").values()
    (node,) = (each for each in REAL.nodes if each.name != database["spec"]["nodeName"])
    with drained(kubectl, node.name):
        for name, pod in pods(kubectl, "redis").items():
            if pod["spec"]["nodeName"] == node.name:
                kubectl("delete", "pod", name, NAMESPACE)
                kubectl("rollout", "status", "deployment/redis", NAMESPACE, "--timeout=60s")
    wait_for(lambda: well(hosts["api"]), 60, "health after Redis moved")
    return node


def test_a_drained_node_fails_no_request(at_risk, kubectl, minted, row, stateless):
    with drained(kubectl, stateless.name), users(minted, *SIDES) as asked:
        kubectl("drain", stateless.name, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s")
        for deployment in SIDES:
            kubectl("rollout", "status", f"deployment/{deployment}", NAMESPACE, "--timeout=180s")
    write(row, "drain of a node without state", asked)
    assert not asked[OURS].failures, asked[OURS].story


def test_a_node_that_dies_takes_its_share_of_requests_and_is_replaced(kubectl, tools, minted, row, stateless):
    spread(kubectl)
    (other,) = (each for each in REAL.nodes if each != stateless)
    on_it = sum(pod["spec"]["nodeName"] == stateless.name for pod in of(kubectl, GUIDE))
    with back_afterwards(kubectl, tools, stateless), users(minted, *SIDES, node=other) as asked:
        begun, killed = asked[OURS].since_start(), time.monotonic()
        nodes.kill(REAL, stateless)
        wait_for(
            lambda: ready_away_from(kubectl, stateless.name, NAME, f"app={OURS}") >= 2, 150, "replacements"
        )
        replaced = time.monotonic() - killed
        guides = ready_away_from(kubectl, stateless.name, NAME, guide.SELECTOR)
        wait_for(lambda: asked[OURS].since_start() > begun + 100, 100, "the end of what is looked at")
    also = f"replacements of this program Ready after {replaced:.0f} s; {on_it} of the guide's pods were on the node"
    write(row, "node without state killed", asked, begun, f"{also}, {guides} Ready elsewhere then")
    ours = [it for it in asked[OURS].asked if it.kind == "alive" and begun <= it.begun <= begun + 60]
    assert sum(bool(it.failure) for it in ours) <= share(len(ours)), asked[OURS].story
    assert not [it for it in asked[OURS].failures if it.begun > begun + 80], asked[OURS].story
    assert replaced <= 100


@pytest.mark.parametrize("state", ["statefulset/postgresql", "deployment/redis"])
def test_what_is_away_for_a_minute_is_missed_for_that_minute(at_risk, kubectl, minted, hosts, row, state):
    before = restarts(kubectl)
    with users(minted, *SIDES) as asked:
        kubectl("scale", state, NAMESPACE, "--replicas=0")
        time.sleep(AWAY_SECONDS)  # how long it is away, not a wait for anything
        kubectl("scale", state, NAMESPACE, "--replicas=1")
        kubectl("rollout", "status", state, NAMESPACE, "--timeout=120s")
        back = {side: traffic.since_start() for side, traffic in asked.items()}
        wait_for(lambda: well(hosts["api"]), 120, "health after its return")
        runs = {side: traffic.count["run"] + 5 for side, traffic in asked.items()}
        wait_for(
            lambda: all(asked[side].count["run"] >= runs[side] for side in asked), 60, "flows afterwards"
        )
    name = state.partition("/")[2]
    write(row, f"{name} away for {AWAY_SECONDS} s", asked, back[OURS])
    assert asked[OURS].last_failure(back[OURS]) <= 30, asked[OURS].story
    assert restarts(kubectl) == before
