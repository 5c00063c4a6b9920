"""Rollouts, drained nodes and a database that restarts: users notice nothing, or for how long."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Iterator

import pytest

from lab.layout import REAL
from lab.mint import Minted
from lab.process import wait_for
from operations.wire import Endpoint
from tests.live import flows
from tests.live.namespace import NAMESPACE, pods
from tests.live.traffic import Ask, Traffic

LONG = 32
"""Seconds; more than the 30 that Kubernetes gives a pod which promises nothing. The lab promises 60."""


@pytest.fixture(scope="module", autouse=True)
def slow_flow(hosts: dict[str, Endpoint], minted: Minted) -> None:
    flows.make_slow(hosts["app"], minted.api_key_file.read_text())


@pytest.fixture
def traffic(hosts: dict[str, Endpoint], minted: Minted) -> Traffic:
    return Traffic(
        hosts["api"].async_client,
        {
            # Often enough to meet the moment between a pod's end and the last proxy that learns of it.
            "alive": (0.05, flows.alive),
            "health": (0.25, flows.health),
            "run": (1, flows.run(minted)),
            "stream": (4, flows.stream(minted, seconds=12)),
            "long stream": (15, flows.stream(minted, seconds=LONG)),
        },
    )


def restarts(kubectl) -> int:
    return sum(
        status["restartCount"]
        for pod in pods(kubectl, "backend").values()
        for status in pod["status"]["containerStatuses"]
    )


def test_a_database_that_restarts_is_an_outage_of_its_own_length_and_restarts_no_backend(kubectl, traffic):
    before = restarts(kubectl)
    (database,) = pods(kubectl, "postgresql")
    with traffic:
        kubectl("delete", "pod", database, NAMESPACE, "--wait=false")
        kubectl("wait", "pod", database, NAMESPACE, "--for=delete", "--timeout=120s")
        kubectl("rollout", "status", "statefulset/postgresql", NAMESPACE, "--timeout=120s")
        back = traffic.since_start()
        kubectl("wait", "pods", NAMESPACE, "--selector=app=skillflaw-backend", "--for=condition=Ready")
        flows_after = traffic.count["run"] + 5
        wait_for(lambda: traffic.count["run"] >= flows_after, 60, "flows after the restart")
    late = [asked for asked in traffic.failures if asked.begun > back + 15]
    assert not late
    assert restarts(kubectl) == before


def all_at_once(api: Endpoint, ask: Ask, number: int) -> list[BaseException]:
    """Failures among so many requests at once."""

    async def gathered() -> list[BaseException | None]:
        async with api.async_client() as client:
            return await asyncio.gather(*(ask(client) for _ in range(number)), return_exceptions=True)

    return [error for error in asyncio.run(gathered()) if error]


def test_a_cache_that_was_replaced_is_missed_only_while_it_is_away(kubectl, hosts, minted):
    # Each worker opens as many connections as it needs at once, and finds all of them broken afterwards.
    assert not all_at_once(hosts["api"], flows.run(minted), 12)
    kubectl("delete", "pods", "--selector=app=skillflaw-redis", NAMESPACE)
    kubectl("rollout", "status", "deployment/redis", NAMESPACE, "--timeout=60s")
    kubectl("wait", "pods", NAMESPACE, "--selector=app=skillflaw-backend", "--for=condition=Ready")
    wait_for(lambda: well(hosts["api"]), 60, "health after Redis was replaced")
    assert not all_at_once(hosts["api"], flows.run(minted), 12)


ASKS = """
import time, urllib.request
asked = 0
while True:
    try:
        urllib.request.urlopen("http://127.0.0.1:7860/health", timeout=5).close()
    except OSError:
        break
    asked += 1
    if asked == 1:
        print("answered", flush=True)
print(time.time(), flush=True)
"""
"""New connections until one is refused, and when that was, in seconds since the epoch."""


def test_a_pod_that_leaves_answers_until_every_proxy_can_have_heard_of_it(kubectl, tools):
    name, pod = next(iter(pods(kubectl, "backend").items()))
    (container,) = pod["spec"]["containers"]
    promised = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    command = [str(tools.program("kubectl")), f"--kubeconfig={REAL.kubeconfig}", "exec", name, NAMESPACE]
    with subprocess.Popen(
        [*command, f"--container={container['name']}", "--", "python", "-u", "-c", ASKS],
        stdout=subprocess.PIPE,
        text=True,
    ) as asking:
        assert asking.stdout.readline() == "answered\n"
        deleted = time.time()
        kubectl("delete", "pod", name, NAMESPACE, "--wait=false")
        refused = float(asking.stdout.readline())
    assert refused - deleted >= promised
    kubectl("rollout", "status", "deployment/skillflaw-backend", NAMESPACE, "--timeout=180s")


@contextlib.contextmanager
def drained(kubectl, node: str) -> Iterator[None]:
    kubectl("cordon", node)
    try:
        yield
    finally:
        kubectl("uncordon", node)


def well(api: Endpoint) -> bool:
    """Whether every pod and worker that may answer finds database and cache again."""
    with api.client() as client:
        return all(client.get("/health_check").is_success for _ in range(20))


def test_a_drained_node_without_state_fails_no_request(at_risk, kubectl, traffic, hosts, both_nodes):
    (database,) = pods(kubectl, "postgresql").values()
    kept = database["spec"]["nodeName"]
    (node,) = {"node-1", "node-2"} - {kept}
    with drained(kubectl, node):
        # Redis is missed while it is away: not what this is about.
        for name, pod in pods(kubectl, "redis").items():
            if pod["spec"]["nodeName"] == node:
                kubectl("delete", "pod", name, NAMESPACE)
                kubectl("rollout", "status", "deployment/redis", NAMESPACE, "--timeout=60s")
        wait_for(lambda: well(hosts["api"]), 60, "health after Redis moved")
        with traffic:
            kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s")
            kubectl("rollout", "status", "deployment/skillflaw-backend", NAMESPACE, "--timeout=180s")
    assert {pod["spec"]["nodeName"] for pod in pods(kubectl, "backend").values()} == {kept}
    assert not traffic.failures, traffic.story


def test_a_new_configuration_replaces_every_pod_and_fails_no_request(edited, kubectl, traffic):
    """Last here, because the next file replaces every pod again, which takes this back by the way."""
    before = pods(kubectl, "backend").keys()
    with traffic:
        edited.up({"backend.env": {"SKILLFLAW_LOG_LEVEL": "WARNING"}})
        kubectl("wait", "pods", *before, NAMESPACE, "--for=delete", "--timeout=120s")
    assert not before & pods(kubectl, "backend").keys()
    assert not traffic.failures, traffic.story
    assert traffic.count["stream"] >= 5
    assert traffic.count["long stream"] >= 2
