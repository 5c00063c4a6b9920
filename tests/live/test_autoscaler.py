"""An autoscaled backend follows its load, by the cluster's own metrics."""

import json

from lab.mint import Minted
from operations.wire import Endpoint
from tests.live import flows
from tests.live.namespace import NAMESPACE
from tests.live.traffic import Traffic


def test_load_adds_a_replica_and_no_run_of_pulumi_takes_it_back(
    edited, kubectl, hosts: dict[str, Endpoint], minted: Minted
):
    autoscaled = {"backend.scale": {"min": 2, "max": 3, "cpuPercent": 50}}
    edited.up(autoscaled)
    with Traffic(hosts["api"].async_client, {"run": (0.25, flows.run(minted))}) as traffic:
        three = "--for=jsonpath={.spec.replicas}=3"
        kubectl("wait", "deployment/skillflaw-backend", NAMESPACE, three, "--timeout=240s")
    assert not traffic.failures, traffic.story
    scaler = json.loads(
        kubectl("get", "horizontalpodautoscaler", "skillflaw-backend", NAMESPACE, "--output=json")
    )
    (metric,) = scaler["status"]["currentMetrics"]
    assert metric["resource"]["current"]["averageUtilization"] > 0
    edited.up(autoscaled)
    assert replicas(kubectl) == 3


def replicas(kubectl) -> int:
    return int(
        kubectl("get", "deployment", "skillflaw-backend", NAMESPACE, "--output=jsonpath={.spec.replicas}")
    )
