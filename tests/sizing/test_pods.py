"""How much the lab's stack carries with 1, 2 and 4 pods, next to a bare one and without Redis: docs/sizing.md."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import msgspec
import pytest

from lab import process
from lab.layout import REAL
from lab.mint import Minted
from lab.process import wait_for
from operations.load.measure import step
from operations.load.measured import Sent, Step
from operations.load.sender import EVERY_SECONDS, Sender
from operations.load.watch import Watch
from operations.status.asked import asked
from tests.live.namespace import NAME, NAMESPACE, pods
from tests.live.stack import Stack

pytestmark = pytest.mark.timeout(1800)

USERS, SECONDS = 8, 40
"""Clients at a time, and how long each row is measured."""
POOL = {"database.poolSize": 4, "database.maxOverflow": 5}
"""A pool that leaves room for the rollout of four pods."""
SEND = """
import json, sys
from pathlib import Path
import msgspec
from operations.load.sender import Sender
given = json.loads(sys.argv[1])
sender = Sender(origin=given["origin"], flow=given["flow"], key=Path(given["file"]).read_text())
print(msgspec.json.encode(sender.send(given["users"], given["seconds"], 100_000, lambda: None)).decode())
"""
HEAD = ("requests/s", "p50", "p95", "cores", "CPU per request", "postgresql", "connections")
BARE = "bare"
"""A pod of the backend's image with nothing in front of it: no edge, no Service, no probe."""


@pytest.fixture
def sender(minted: Minted) -> Sender:
    """Clients of the public host."""
    return Sender(
        origin="https://api.skillflaw.test",
        flow=minted.flow,
        key=minted.api_key_file.read_text(),
        address=REAL.nodes[0].address,
        ca_file=REAL.pki / "ca.crt",
    )


@pytest.fixture
def bare(kubectl) -> Iterator[Callable[[Minted], tuple[Sent, float | None]]]:
    """Makes a bare pod of what the backend's Deployment runs now, and measures it from the node that it is on."""

    def measured(minted: Minted) -> tuple[Sent, float | None]:
        template = json.loads(kubectl("get", "deployment", "skillflaw-backend", NAMESPACE, "--output=json"))
        spec = template["spec"]["template"]["spec"]
        (server,) = spec["containers"]
        for key in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle"):
            del server[key]
        for key in ("initContainers", "topologySpreadConstraints"):
            spec.pop(key)
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": BARE,
                "namespace": NAME,
                # The database's network policy lets these in.
                "labels": template["spec"]["template"]["metadata"]["labels"],
            },
            "spec": spec,
        }
        kubectl("apply", "--filename=-", stdin=json.dumps(pod))
        kubectl("wait", f"pod/{BARE}", NAMESPACE, "--for=condition=Ready", "--timeout=120s")
        it = pods(kubectl, "backend")[BARE]
        inside = ["nsenter", f"--target={process.find(REAL, it['spec']['nodeName'])}", "--net"]
        origin = f"http://{it['status']['podIP']}:7860"
        answers = [*inside, "curl", "--silent", "--fail", "--output", "/dev/null", f"{origin}/health_check"]
        wait_for(lambda: subprocess.run(answers, check=False).returncode == 0, 120, "a bare pod that answers")
        given = {
            "origin": origin,
            "flow": minted.flow,
            "file": str(minted.api_key_file),
            "users": USERS,
            "seconds": SECONDS,
        }
        with asked("lab") as stack:
            watch = Watch(stack, SECONDS)
            with subprocess.Popen(
                [*inside, sys.executable, "-c", SEND, json.dumps(given)], stdout=subprocess.PIPE, text=True
            ) as sending:
                sent = msgspec.json.decode(watched(sending, watch), type=Sent)
            use = watch.pods()
        kubectl("delete", "pod", BARE, NAMESPACE, "--wait")
        return sent, use[BARE].cores if isinstance(use, dict) and BARE in use else None

    yield measured
    kubectl("delete", "pod", BARE, NAMESPACE, "--ignore-not-found")


@pytest.mark.parametrize("records", [True, False])
def test_what_a_pod_carries_is_measured_next_to_a_bare_one(
    edited: Stack, kubectl, minted: Minted, sender: Sender, bare, say, records
):
    edited.up(POOL | {"backend.scale.replicas": 4, "backend.records": records})
    say("records", "pods", *HEAD)
    carried: dict[int, Step] = {}
    for number in (4, 2, 1):
        kubectl("scale", "deployment", "skillflaw-backend", NAMESPACE, f"--replicas={number}")
        wait_for(lambda n=number: len(pods(kubectl, "backend")) == n, 120, f"{number} pods")
        kubectl("rollout", "status", "deployment", "skillflaw-backend", NAMESPACE, "--timeout=180s")
        with asked("lab") as stack:
            carried[number] = measured = step(stack, sender, USERS, SECONDS, 100_000)
        say(records, number, *cells(measured))
        assert measured.sent.failed == 0, measured.sent
    alone, cores = bare(minted)
    spent = f"{1000 * cores / alone.rate:.0f} ms" if cores else "–"
    say(records, "bare", f"{alone.rate:.1f}", alone.p50, alone.p95, cores and f"{cores:.2f}", spent, "–", "–")
    assert alone.failed == 0, alone
    # The edge, the Service and the probes: seen at 1.0, on a machine that others use too.
    assert carried[1].sent.rate > 0.6 * alone.rate


def test_one_pod_without_redis_is_measured_next_to_one_with_it(edited: Stack, sender: Sender, say):
    say("cache", *HEAD)
    for name, cache in (("Redis", {}), ("none", {"cache": {"none": True}})):
        edited.up(POOL | {"backend.scale.replicas": 1} | cache)
        with asked("lab") as stack:
            measured = step(stack, sender, USERS, SECONDS, 100_000)
        say(name, *cells(measured))
        assert measured.sent.failed == 0, measured.sent


def watched(sending: subprocess.Popen[str], watch: Watch) -> str:
    """What a sender says at its end, while the pods are looked at."""
    while True:
        try:
            return sending.communicate(timeout=EVERY_SECONDS)[0]
        except subprocess.TimeoutExpired:
            watch.look()


def cells(it: Step) -> tuple[object, ...]:
    """A measurement as HEAD has it."""
    database = it.pods.get("postgresql-0") if isinstance(it.pods, dict) else None
    return (
        f"{it.sent.rate:.1f}", it.sent.p50, it.sent.p95,
        it.cores and f"{it.cores:.2f}", it.milliseconds and f"{it.milliseconds:.0f} ms",
        database and f"{database.cores:.2f}", getattr(it.connections, "used", "–"),
    )  # fmt: skip
