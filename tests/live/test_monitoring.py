"""A stack that is watched: who is named reads its series, and nobody else does."""

import json
from collections.abc import Iterator

import pytest
import yaml

from lab import toolchain
from tests.live.namespace import NAME, NAMESPACE, make, pods

SCRAPER, LABELS = "scraper", {"app.kubernetes.io/name": "prometheus"}
ASKS = """
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
except OSError as error:
    print("refused:", error)
"""


@pytest.fixture
def definitions(kubectl) -> Iterator[None]:
    """The Prometheus operator's kinds."""
    file = toolchain.prometheus_operator(lambda words: None)
    names = [row["metadata"]["name"] for row in yaml.safe_load_all(file.read_text()) if row]
    kubectl("apply", "--server-side", f"--filename={file}")
    kubectl("wait", "customresourcedefinitions", *names, "--for=condition=Established", "--timeout=60s")
    yield
    kubectl("delete", "customresourcedefinitions", *names)


@pytest.fixture
def scrapers(kubectl) -> Iterator[None]:
    """Two pods that ask: the one that the stack file names, and one next to it."""
    make(kubectl, SCRAPER)
    (backend, *_) = pods(kubectl, "backend").values()
    image = backend["spec"]["containers"][0]["image"]
    container = {"name": "asks", "image": image, "command": ["sleep", "600"]}
    made = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": SCRAPER, "labels": labels},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
        }
        for name, labels in (("named", LABELS), ("stranger", {}))
    ]
    kubectl("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    kubectl("wait", "pods", "--all", f"--namespace={SCRAPER}", "--for=condition=Ready", "--timeout=60s")
    yield
    kubectl("delete", "namespace", SCRAPER, "--wait=false")


@pytest.mark.drill
def test_whoever_is_named_scrapes_every_pod_and_reaches_nothing_else(edited, kubectl, definitions, scrapers):
    edited.up(
        {
            "monitoring": {"metrics": {}, "rules": {}, "dashboard": {}},
            "network.monitoring": [{"namespace": SCRAPER, "labels": LABELS}],
        }
    )

    def asked(who: str, url: str) -> str:
        return kubectl("exec", who, f"--namespace={SCRAPER}", "--", "python3", "-c", ASKS, url)

    kept = kubectl("get", "podmonitors,prometheusrules", NAMESPACE, "--output=json")
    (monitor,) = (it for it in json.loads(kept)["items"] if it["kind"] == "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    selector = ",".join(f"{key}={value}" for key, value in monitor["spec"]["selector"]["matchLabels"].items())
    selected = json.loads(kubectl("get", "pods", NAMESPACE, f"--selector={selector}", "--output=json"))[
        "items"
    ]
    running = pods(kubectl, "backend")
    assert running.keys() <= {pod["metadata"]["name"] for pod in selected}
    for pod in running.values():
        (port,) = (
            it["containerPort"]
            for it in pod["spec"]["containers"][0]["ports"]
            if it["name"] == endpoint["port"]
        )
        address = pod["status"]["podIP"]
        path = endpoint.get("path", "/metrics")
        assert "process_resident_memory_bytes" in asked("named", f"http://{address}:{port}{path}")
        assert "refused" in asked("stranger", f"http://{address}:{port}{path}")
        assert "refused" in asked("named", f"http://{address}:7860/health")
    board = kubectl("get", "configmaps", NAMESPACE, "--selector=grafana_dashboard=1", "--output=json")
    (data,) = (it["data"] for it in json.loads(board)["items"])
    assert all(NAME in text for text in data.values())


def test_a_stack_that_is_not_watched_has_no_port_for_it(kubectl):
    for pod in pods(kubectl, "backend").values():
        assert [it["name"] for it in pod["spec"]["containers"][0]["ports"]] == ["http"]
