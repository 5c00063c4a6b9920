"""Services that any cluster offers, shown on the lab's."""

import json
import ssl

import httpx2
import pytest

from lab import process
from lab.errors import LabError
from lab.images import folders
from lab.layout import REAL
from operations.wire import resolved
from tests.live.namespace import make

pytestmark = pytest.mark.independent

POD = """
apiVersion: v1
kind: Pod
metadata: {name: $name, labels: {app: $name}}
spec:
  terminationGracePeriodSeconds: 0
  nodeName: $node
  containers:
    - name: main
      image: $image
      command: [/bin/bash, -c, "echo started; exec sleep infinity"]
"""


@pytest.fixture(scope="module")
def namespace(kubectl, both_nodes):
    name = "lab-test"
    make(kubectl, name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def pods(kubectl, namespace):
    """One pod on each node."""
    for node in REAL.nodes:
        manifest = POD.replace("$name", f"on-{node.name}").replace("$node", node.name)
        kubectl(
            "apply", f"--namespace={namespace}", "--filename=-",
            stdin=manifest.replace("$image", folders.reference("base")),
        )  # fmt: skip
    kubectl("wait", "pods", "--all", f"--namespace={namespace}", "--for=condition=Ready", "--timeout=60s")
    return [f"on-{node.name}" for node in REAL.nodes]


def test_both_nodes_are_ready_each_in_a_zone_of_its_own(kubectl):
    nodes = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
    ready = [
        condition["status"]
        for node in nodes
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    ]
    assert ready == ["True", "True"]
    assert {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes} == {"lab-a", "lab-b"}


def test_logs_and_exec_work_on_each_node(kubectl, namespace, pods):
    for pod in pods:
        assert kubectl("logs", pod, f"--namespace={namespace}") == "started\n"
        assert kubectl("exec", pod, f"--namespace={namespace}", "--", "hostname") == f"{pod}\n"


def test_the_metrics_api_knows_the_nodes(kubectl):
    process.wait_for(lambda: "node-2" in _top(kubectl), 60, "metrics of both nodes")
    assert "node-1" in _top(kubectl)


def test_a_network_policy_is_enforced_across_and_within_nodes(kubectl, namespace, pods):
    server = "exec 3<>/dev/tcp/{address}/8080 && echo open"
    dns = kubectl(
        "get", "pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns",
        "--output=jsonpath={.items[*].status.podIP}",
    ).split()  # fmt: skip

    def reaches(pod: str, address: str) -> bool:
        command = f"timeout 2 bash -c '{server.format(address=address)}'"
        try:
            return "open" in kubectl("exec", pod, f"--namespace={namespace}", "--", "bash", "-c", command)
        except LabError:
            return False

    assert all(reaches(pod, address) for pod in pods for address in dns)
    kubectl(
        "apply", f"--namespace={namespace}", "--filename=-",
        stdin=json.dumps({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "nothing-out"},
            "spec": {"podSelector": {"matchLabels": {"app": pods[0]}}, "policyTypes": ["Egress"]},
        }),
    )  # fmt: skip
    process.wait_for(lambda: not any(reaches(pods[0], address) for address in dns), 60, "the policy enforced")
    assert all(reaches(pods[1], address) for address in dns)


def test_a_drain_evicts_and_uncordon_takes_back(kubectl, namespace, pods):
    kubectl(
        "drain", "node-2", "--force", "--ignore-daemonsets", "--delete-emptydir-data",
        f"--pod-selector=app={pods[1]}", "--timeout=60s",
    )  # fmt: skip
    try:
        left = kubectl("get", "pods", f"--namespace={namespace}", "--output=name").split()
        assert left == [f"pod/{pods[0]}"]
    finally:
        kubectl("uncordon", "node-2")


def test_http_is_redirected_to_https_under_the_labs_own_authority():
    name = "nothing.skillflaw.test"
    trust = ssl.create_default_context(cafile=REAL.pki / "ca.crt")
    with resolved({name}, REAL.nodes[0].address):
        plain = httpx2.get(f"http://{name}/", trust_env=False)
        assert plain.is_redirect
        assert plain.headers["location"] == f"https://{name}/"
        assert httpx2.get(f"https://{name}/", verify=trust, trust_env=False).status_code == 404


def _top(kubectl) -> str:
    try:
        return kubectl("top", "nodes")
    except LabError:
        return ""
