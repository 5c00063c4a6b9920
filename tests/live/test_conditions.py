"""Clusters unlike the lab: Secrets that somebody else writes, owners with rules, an edge and a resolver of the nodes."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from lab import process
from lab.layout import REAL
from lab.mint import Minted
from operations.wire import Endpoint
from tests.live import flows
from tests.live.namespace import NAME, NAMESPACE, pods, staying
from tests.live.operate import validate
from tests.live.traffic import Traffic


def apply(kubectl, *objects: dict[str, Any]) -> None:
    kubectl("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


# --- Secrets of the operator's ------------------------------------------------------------------


def provider(word: str) -> dict[str, Any]:
    """A Secret that an operator, or an ExternalSecret, writes."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "provider", "namespace": NAME},
        "stringData": {"api-key": word},
    }


def reads(version: str) -> dict[str, Any]:
    reference = {"secretName": "provider", "key": "api-key", "version": version}
    return {"backend.secretEnv": {flows.PROVIDER: reference}}


@pytest.fixture
def cleared(kubectl) -> Iterator[None]:
    yield
    kubectl("delete", "secret", "provider", NAMESPACE, "--ignore-not-found")


def test_a_providers_key_reaches_a_flow_and_another_one_by_one_word_without_a_failed_request(
    edited, kubectl, hosts: dict[str, Endpoint], minted: Minted, cleared
):
    key = minted.api_key_file.read_text()
    flows.make_reading(hosts["app"], key)
    apply(kubectl, provider("the first word"))
    edited.up(reads("one"))
    assert flows.said(hosts["api"], key, flows.READING) == "the first word"

    asks = {"alive": (0.05, flows.alive), "health": (0.25, flows.health), "run": (1, flows.run(minted))}
    before = pods(kubectl, "backend").keys()
    with Traffic(hosts["api"].async_client, asks) as traffic:
        # Somebody else writes the Secret: what runs goes on with what it was started with.
        apply(kubectl, provider("the second word"))
        assert pods(kubectl, "backend").keys() == before
        assert flows.said(hosts["api"], key, flows.READING) == "the first word"
        edited.up(reads("two"))
        process.wait_for(
            lambda: not before & pods(kubectl, "backend").keys(), 90, "the pods of the first word to leave"
        )
        assert {flows.said(hosts["api"], key, flows.READING) for _ in range(6)} == {"the second word"}
    assert not traffic.failures, traffic.story


# --- what the cluster's owner asks of pods ------------------------------------------------------

COST_CENTER = "example.com/cost-center"
RULES = (
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "cost-center"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["", "apps", "batch"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": [
                            "pods",
                            "deployments",
                            "replicasets",
                            "statefulsets",
                            "jobs",
                            "cronjobs",
                        ],
                    }
                ]
            },
            "validations": [
                {
                    "expression": f"'{COST_CENTER}' in object.metadata.?labels.orValue({{}})",
                    "message": "who pays for it?",
                }
            ],
        },
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "cost-center"},
        "spec": {
            "policyName": "cost-center",
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAME}}},
        },
    },
    {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "sizes", "namespace": NAME},
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "min": {"cpu": "20m", "memory": "64Mi"},
                    "maxLimitRequestRatio": {"cpu": "25", "memory": "10"},
                }
            ]
        },
    },
)


@pytest.fixture
def owner(kubectl) -> Iterator[str]:
    """A node that is kept for those who ask for it, where the database's volume is; and rules of admission."""
    (database,) = staying(kubectl, NAME, "app=skillflaw-postgresql")
    node = database["spec"]["nodeName"]
    kubectl("taint", "node", node, "dedicated=flows:NoSchedule", "--overwrite")
    kubectl("label", "node", node, "pool=flows", "--overwrite")
    apply(kubectl, *RULES)
    yield node
    for rule in RULES:
        name = rule["metadata"]["name"]
        place = [NAMESPACE] if "namespace" in rule["metadata"] else []
        kubectl("delete", rule["kind"], name, *place, "--ignore-not-found")
    kubectl("taint", "node", node, "dedicated-")
    kubectl("label", "node", node, "pool-")


@pytest.mark.drill
def test_a_kept_node_a_label_that_is_demanded_and_sizes_that_are_limited_are_met_by_data_alone(
    edited, kubectl, minted: Minted, owner: str
):
    edited.up(
        {
            "pods": {
                "nodeSelector": {"pool": "flows"},
                "tolerations": [{"key": "dedicated", "value": "flows", "effect": "NoSchedule"}],
                "labels": {COST_CENTER: "42"},
                "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"},
            },
            "bootstrap.resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
        }
    )
    kubectl("wait", "pods", NAMESPACE, "--selector=!job-name", "--for=condition=Ready", "--timeout=120s")
    running = staying(kubectl, NAME, "app.kubernetes.io/part-of=skillflaw,example.com/cost-center=42")
    kinds = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in running}
    assert kinds == {"backend", "bootstrap", "docs", "frontend", "postgresql", "redis"}
    assert {pod["spec"]["nodeName"] for pod in running} == {owner}
    done = validate("lab", minted)
    assert done.returncode == 0, done.stdout + done.stderr


# --- an edge and a resolver on the nodes' network -----------------------------------------------

RESOLVER = "169.254.20.10"
"""Where NodeLocal DNSCache answers."""
SEARCHES = [f"{NAME}.svc.cluster.local", "svc.cluster.local", "cluster.local"]
ASKS_THE_NODE = (
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "node-local-dns"},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAME}},
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ],
            },
            "reinvocationPolicy": "Never",
            "mutations": [
                {
                    "patchType": "JSONPatch",
                    "jsonPatch": {
                        "expression": '[JSONPatch{op: "replace", path: "/spec/dnsPolicy", value: "None"},'
                        ' JSONPatch{op: "add", path: "/spec/dnsConfig", value: Object.spec.dnsConfig{'
                        f'nameservers: ["{RESOLVER}"], searches: {json.dumps(SEARCHES)},'
                        ' options: [Object.spec.dnsConfig.options{name: "ndots", value: "5"}]}}]'
                    },
                }
            ],
        },
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": "node-local-dns"},
        "spec": {"policyName": "node-local-dns"},
    },
)
"""What a kubelet with `--cluster-dns` of the node's own resolver does to every pod."""


def on_each_node(*words: str) -> None:
    """Runs a command in the network of each node."""
    for node in REAL.nodes:
        pid = process.find(REAL, node.name)
        subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", *words], check=True)


@pytest.fixture
def resolver(kubectl) -> Iterator[None]:
    """The cluster's own DNS once more, on the network of every node, and pods that ask nobody else."""
    deployed = json.loads(kubectl("get", "deployment/coredns", "--namespace=kube-system", "--output=json"))
    config = json.loads(kubectl("get", "configmap/coredns", "--namespace=kube-system", "--output=json"))
    ports = {":5353": ":53", ":8080": ":18080", ":8181": ":18181"}
    corefile = config["data"]["Corefile"]
    for old, new in ports.items():
        corefile = corefile.replace(old, new)
    name, labels = "node-local-dns", {"k8s-app": "node-local-dns"}
    spec = deployed["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    on_each_node("ip", "address", "replace", f"{RESOLVER}/32", "dev", "lo")
    apply(
        kubectl,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "kube-system"},
            "data": {"Corefile": corefile},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "hostNetwork": True,
                        "dnsPolicy": "Default",
                        "serviceAccountName": spec["serviceAccountName"],
                        "containers": [
                            {key: container[key] for key in ("name", "image", "args", "volumeMounts")}
                            | {"readinessProbe": {"httpGet": {"path": "/ready", "port": 18181}}}
                        ],
                        "volumes": [{"name": "config", "configMap": {"name": name}}],
                    },
                },
            },
        },
        *ASKS_THE_NODE,
    )
    kubectl("rollout", "status", f"daemonset/{name}", "--namespace=kube-system", "--timeout=60s")
    yield
    for each in ASKS_THE_NODE:
        kubectl("delete", each["kind"], each["metadata"]["name"], "--ignore-not-found")
    kubectl("delete", "daemonset,configmap", name, "--namespace=kube-system", "--ignore-not-found")
    on_each_node("ip", "address", "delete", f"{RESOLVER}/32", "dev", "lo")


@pytest.fixture
def edge_of_nodes(kubectl) -> Iterator[None]:
    """The ingress controller on the network of every node, with the node's address and no pod's."""
    there = ("--namespace=traefik",)
    deployed = json.loads(kubectl("get", "daemonset/traefik", *there, "--output=json"))
    (container,) = deployed["spec"]["template"]["spec"]["containers"]
    ports = {"=:8000": "=:80", "=:8443": "=:443", "=:8080": "=:18082"}
    args = [
        next((arg.replace(old, new) for old, new in ports.items() if arg.endswith(old)), arg)
        for arg in container["args"]
    ]
    numbers = {"web": 80, "websecure": 443, "traefik": 18082}
    listens = [{"name": name, "containerPort": port, "hostPort": port} for name, port in numbers.items()]
    pod = "/spec/template/spec"
    patch = [
        {"op": "add", "path": f"{pod}/hostNetwork", "value": True},
        {"op": "replace", "path": f"{pod}/dnsPolicy", "value": "ClusterFirstWithHostNet"},
        {"op": "replace", "path": f"{pod}/containers/0/args", "value": args},
        {"op": "replace", "path": f"{pod}/containers/0/ports", "value": listens},
    ]
    kubectl("patch", "daemonset/traefik", *there, "--type=json", f"--patch={json.dumps(patch)}")
    kubectl("rollout", "status", "daemonset/traefik", *there, "--timeout=120s")
    yield
    kubectl("rollout", "undo", "daemonset/traefik", *there)
    kubectl("rollout", "status", "daemonset/traefik", *there, "--timeout=120s")


@pytest.mark.drill
def test_an_edge_and_a_resolver_on_the_nodes_own_network_are_named_by_their_addresses(
    edited, kubectl, minted: Minted, edge_of_nodes, resolver
):
    edited.up(
        {
            "network.edge": [{"cidr": f"{node.address}/32"} for node in REAL.nodes],
            "network.dns": [{"cidr": f"{RESOLVER}/32"}],
            # Policies alone would leave every pod with the resolver that it was started with.
            "pods": {"annotations": {"example.com/resolver": "node"}},
        }
    )
    for pod in pods(kubectl, "backend").values():
        assert pod["spec"]["dnsConfig"]["nameservers"] == [RESOLVER]
    done = validate("lab", minted)
    assert done.returncode == 0, done.stdout + done.stderr
