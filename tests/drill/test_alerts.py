"""Alerts by a Prometheus that scrapes the lab: each fires when what it is about is really broken."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from lab import prometheus
from lab.layout import REAL
from lab.mint import Minted
from lab.process import wait_for
from operations.wire import Endpoint
from tests.live import flows
from tests.live.conftest import at_risk, committed, edited, hosts, minted, stack
from tests.live.namespace import NAMESPACE, pods
from tests.live.operate import operation
from tests.live.traffic import Ask, Traffic

__all__ = ["at_risk", "committed", "edited", "hosts", "minted", "stack"]
pytestmark = [pytest.mark.drill, pytest.mark.timeout(2400)]

SLOW_SECONDS = 3
POLICY = "networkpolicy/skillflaw-backend"
JOB = "skillflaw/skillflaw-backend"


class Prometheus:
    """The Prometheus of the lab, asked by its API."""

    def __init__(self, address: str) -> None:
        self._api = f"http://{address}:{prometheus.PORT}/api/v1"

    def alerts(self) -> dict[str, str]:
        """State by name of the alerts that are not inactive; of several series of a name, the one that came furthest."""
        found = sorted(self._asked("alerts")["alerts"], key=lambda it: it["state"], reverse=True)
        return {it["labels"]["alertname"]: it["state"] for it in found}

    def fires(self, alert: str) -> bool:
        return self.alerts().get(alert) == "firing"

    def scrapes(self, job: str) -> list[bool]:
        """Whether each target of a job answers."""
        return [it["value"][1] == "1" for it in self._asked("query", query=f'up{{job="{job}"}}')["result"]]

    def has_rules(self) -> bool:
        return any(group["name"] == "skillflaw-alerts" for group in self._asked("rules")["groups"])

    def _asked(self, path: str, **parameters: str) -> Any:
        answer = httpx2.get(f"{self._api}/{path}", params=parameters, trust_env=False, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@pytest.fixture
def watching(kubectl, tools) -> Iterator[Prometheus]:
    def report(words: str) -> None:
        pass

    prometheus.install(REAL, tools, report)
    where = (f"service/{prometheus.SERVICE}", f"--namespace={prometheus.NAMESPACE}")
    yield Prometheus(kubectl("get", *where, "--output=jsonpath={.spec.clusterIP}"))
    prometheus.remove(REAL, tools, report)


def slowly(minted: Minted) -> Ask:
    """A flow that answers after some seconds."""
    key = minted.api_key_file.read_text()

    async def ask(client: httpx2.AsyncClient) -> None:
        answer = await client.post(
            f"/api/v1/run/{flows.SLOW}", json=flows.question(str(SLOW_SECONDS)), headers={"x-api-key": key}
        )
        assert answer.status_code == 200, answer.text

    return ask


def test_slow_requests_closed_metrics_and_a_lost_database_each_fire_their_alert(
    edited, kubectl, hosts: dict[str, Endpoint], minted: Minted, watching: Prometheus, at_risk, row
):
    flows.make_slow(hosts["app"], minted.api_key_file.read_text())
    edited.up(
        {
            "monitoring": {"metrics": {}, "rules": {"latencySeconds": 1}},
            "network.monitoring": [{"namespace": prometheus.NAMESPACE, "labels": prometheus.LABELS}],
        }
    )
    replicas = len(pods(kubectl, "backend"))
    wait_for(lambda: watching.has_rules(), 120, "the stack's rules in Prometheus")
    wait_for(lambda: watching.scrapes(JOB) == [True] * replicas, 120, "a scrape of every backend")
    wait_for(lambda: watching.alerts() == {}, 120, "no alert about a stack that works")

    began = time.monotonic()
    opened = json.loads(kubectl("get", POLICY, NAMESPACE, "--output=json"))["spec"]
    closed = [rule for rule in opened["ingress"] if prometheus.NAMESPACE not in json.dumps(rule)]
    assert len(closed) == len(opened["ingress"]) - 1
    kubectl(
        "patch", POLICY, NAMESPACE, "--type=merge", f"--patch={json.dumps({'spec': {'ingress': closed}})}"
    )
    # A connection that is open stays open: pods that Prometheus has not met yet are cut off.
    kubectl("rollout", "restart", "deployment/skillflaw-backend", NAMESPACE)
    kubectl("rollout", "status", "deployment/skillflaw-backend", NAMESPACE, "--timeout=300s")
    with Traffic(hosts["api"].async_client, {"slow": (2, slowly(minted))}) as traffic:
        wait_for(lambda: watching.fires("SkillFlawScrapeFailing"), 840, "an alert that nothing is scraped")
        row("metrics port closed", also=f"SkillFlawScrapeFailing after {time.monotonic() - began:.0f} s")
        wait_for(lambda: watching.fires("SkillFlawRequestsSlow"), 300, "an alert that requests are slow")
        row(
            f"every flow takes {SLOW_SECONDS} s",
            also=f"SkillFlawRequestsSlow after {time.monotonic() - began:.0f} s",
        )
        status = " ".join(operation("lab", "status").stdout.split())
        assert "SkillFlawRequestsSlow for" in status, status
    assert not traffic.failures, traffic.story
    assert "SkillFlawRequestsFailing" not in watching.alerts()
    kubectl("patch", POLICY, NAMESPACE, "--type=merge", f"--patch={json.dumps({'spec': opened})}")
    wait_for(
        lambda: "SkillFlawScrapeFailing" not in watching.alerts(), 120, "an end of the alert about scrapes"
    )

    began = time.monotonic()
    kubectl("scale", "statefulset/postgresql", NAMESPACE, "--replicas=0")
    with Traffic(hosts["api"].async_client, {"run": (1, flows.run(minted))}) as traffic:
        wait_for(lambda: watching.fires("SkillFlawRequestsFailing"), 840, "an alert that requests fail")
    row(
        "database away until an alert",
        traffic,
        also=f"SkillFlawRequestsFailing after {time.monotonic() - began:.0f} s",
    )
    assert traffic.failures
    kubectl("scale", "statefulset/postgresql", NAMESPACE, "--replicas=1")
    kubectl("rollout", "status", "statefulset/postgresql", NAMESPACE, "--timeout=120s")
    kubectl(
        "wait",
        "pods",
        NAMESPACE,
        "--selector=app=skillflaw-backend",
        "--for=condition=Ready",
        "--timeout=120s",
    )
