"""Clusters unlike the lab: Secrets that somebody else writes, owners with rules, an edge and a resolver of the nodes."""

import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lab import nodes, pki, process, toolchain
from lab.images import build
from lab.layout import REAL
from lab.mint import Minted
from operations.wire import Endpoint
from tests.live import flows, namespace
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


@pytest.mark.drill
def test_a_providers_key_reaches_a_flow_and_another_one_by_one_word_without_a_failed_request(
    edited, kubectl, hosts: dict[str, Endpoint], minted: Minted, cleared, row
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
    row("a provider's key", traffic)
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
    # To the provider a Deployment is rolled out whose change neither its controller nor the provider's informer has seen.
    kubectl("rollout", "status", "deployment/skillflaw-backend", NAMESPACE, "--timeout=300s")
    for pod in pods(kubectl, "backend").values():
        assert pod["spec"]["dnsConfig"]["nameservers"] == [RESOLVER]
    done = validate("lab", minted)
    assert done.returncode == 0, done.stdout + done.stderr


# --- certificates by HTTP-01 --------------------------------------------------------------------

ACME = "acme"
"""The ACME server: its namespace, its issuer and its account."""
NON_ROOT = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}


def acme_server(image: str) -> list[dict[str, Any]]:
    """An ACME server that asks hosts on port 80 as a public one does, and its configuration."""
    place = {"name": ACME, "namespace": ACME}
    config = {
        "listenAddress": "0.0.0.0:14000",
        "managementListenAddress": "0.0.0.0:15000",
        "certificate": "/tls/tls.crt",
        "privateKey": "/tls/tls.key",
        "httpPort": 80,
        "tlsPort": 443,
        "profiles": {"default": {"description": "the one there is", "validityPeriod": 86400}},
    }
    container = {
        "name": "pebble",
        "image": image,
        "args": ["-config=/config/pebble.json"],
        "env": [
            {"name": "PEBBLE_VA_NOSLEEP", "value": "1"},
            {"name": "PEBBLE_WFE_NONCEREJECT", "value": "0"},
        ],
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}, {"name": "config", "mountPath": "/config"}],
        "readinessProbe": {"tcpSocket": {"port": 14000}, "periodSeconds": 1},
    }
    volumes = [
        {"name": "tls", "secret": {"secretName": "tls"}},
        {"name": "config", "configMap": {"name": ACME}},
    ]
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": place,
            "data": {"pebble.json": json.dumps({"pebble": config})},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": place | {"labels": {"app": ACME}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], "volumes": volumes},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {
                "selector": {"app": ACME},
                "ports": [{"name": f"port-{port}", "port": port} for port in (14000, 15000)],
            },
        },
    ]


def cert_manager(deployed: dict[str, Any], image: str, solver: str) -> list[dict[str, Any]]:
    """The lab's cert-manager once more, with its ACME controllers and what they may do."""
    rules = [
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["*"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["*"]},
        {"apiGroups": ["acme.cert-manager.io"], "resources": ["*"], "verbs": ["*"]},
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cert-manager-acme"}
    account = {"kind": "ServiceAccount", "name": "cert-manager", "namespace": "cert-manager"}
    pod = deployed["spec"]["template"]["spec"]
    container = pod["containers"][0] | {"image": image, "args": [solver]}
    labels = {"app": "cert-manager-acme"}
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "cert-manager-acme"},
            "rules": rules,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "cert-manager-acme"},
            "roleRef": role,
            "subjects": [account],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "cert-manager-acme", "namespace": "cert-manager"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod | {"containers": [container]}},
            },
        },
    ]


def acme_issuer() -> dict[str, Any]:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "ClusterIssuer",
        "metadata": {"name": ACME},
        "spec": {
            "acme": {
                "server": f"https://{ACME}.{ACME}:14000/dir",
                "skipTLSVerify": True,
                "privateKeySecretRef": {"name": "acme-account"},
                "solvers": [
                    {
                        "http01": {
                            "ingress": {
                                "ingressClassName": "traefik",
                                "podTemplate": {"spec": {"securityContext": NON_ROOT}},
                            }
                        }
                    }
                ],
            }
        },
    }


@pytest.fixture
def acme(kubectl, tmp_path: Path) -> Iterator[Path]:
    """An issuer of certificates by HTTP-01; the file with the authority behind it."""
    programs = toolchain.acme(print)
    images = {name: build.binary_image(name, program) for name, program in programs.items()}
    for image in images.values():
        nodes.add(REAL, image, lambda words: None)
    there = "--namespace=cert-manager"
    namespace.make(kubectl, ACME)
    pki.issue(REAL, ACME, hosts=[f"{ACME}.{ACME}"])
    files = (f"--cert={REAL.pki / f'{ACME}.crt'}", f"--key={REAL.pki / f'{ACME}.key'}")
    kubectl("create", "secret", "tls", "tls", f"--namespace={ACME}", *files)
    apply(kubectl, *acme_server(images["pebble"].reference))
    kubectl("wait", f"pod/{ACME}", f"--namespace={ACME}", "--for=condition=Ready", "--timeout=60s")
    deployed = json.loads(kubectl("get", "deployment/cert-manager", there, "--output=json"))
    kubectl("scale", "deployment/cert-manager", there, "--replicas=0")
    apply(
        kubectl,
        *cert_manager(deployed, images["cert-manager-acme"].reference, images["acmesolver"].reference),
        acme_issuer(),
    )
    kubectl("rollout", "status", "deployment/cert-manager-acme", there, "--timeout=60s")
    kubectl("wait", f"clusterissuer/{ACME}", "--for=condition=Ready", "--timeout=60s")
    where = ("service", ACME, f"--namespace={ACME}", "--output=jsonpath={.spec.clusterIP}")
    root = httpx2.get(f"https://{kubectl('get', *where)}:15000/roots/0", verify=False, trust_env=False)
    (tmp_path / "root.pem").write_text(root.text)
    yield tmp_path / "root.pem"
    kubectl("delete", "deployment/cert-manager-acme", there)
    kubectl("delete", "clusterrole,clusterrolebinding", "cert-manager-acme")
    kubectl("delete", "clusterissuer", ACME)
    kubectl("scale", "deployment/cert-manager", there, "--replicas=1")
    kubectl("delete", "namespace", ACME, "--wait=false")


@pytest.mark.drill
def test_certificates_are_issued_by_http_01_in_a_closed_namespace(
    edited, kubectl, hosts: dict[str, Endpoint], minted: Minted, acme: Path
):
    edited.up({"edge.issuer": ACME})
    trust = ssl.create_default_context(cafile=acme)

    def all_do() -> bool:
        try:
            return all(host.certificate(trust) for host in hosts.values())
        except ssl.SSLCertVerificationError:
            return False

    process.wait_for(all_do, 180, "a certificate by HTTP-01 for every host")
    done = validate("lab", minted, f"--ca-file={acme}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "certificate: api.skillflaw.test, by CN=Pebble Intermediate CA" in done.stdout


# --- images as they are -------------------------------------------------------------------------

WRITES_ETC = """\
USER 0:0
RUN sed -i 's|/tmp/server.conf|/etc/nginx/server.conf|' /entrypoint.sh /etc/nginx/nginx.conf && chmod a+w /etc/nginx
USER 10001:10001
"""
"""The lab's frontend, which writes its configuration below /etc when it starts."""


@pytest.fixture
def writing(kubectl) -> str:
    """A frontend that writes below /etc, and that cannot start where it may not."""
    image = build.derived_image("frontend_writing_etc", "frontend", WRITES_ETC)
    nodes.add(REAL, image, lambda words: None)
    container = {
        "name": "frontend",
        "image": image.reference,
        "env": [{"name": "BACKEND_URL", "value": "http://skillflaw-backend"}],
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "writing", "namespace": "default"},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    apply(kubectl, pod)
    kubectl("wait", "pod/writing", "--for=jsonpath={.status.phase}=Failed", "--timeout=60s")
    assert "/etc/nginx/server.conf: Read-only file system" in kubectl("logs", "writing")
    kubectl("delete", "pod", "writing")
    return image.reference


@pytest.mark.drill
def test_an_image_that_writes_its_configuration_and_any_user_but_root_are_two_words(
    edited, kubectl, minted: Minted, writing: str
):
    edited.up(
        {
            "images.frontend": writing,
            "frontend.readOnlyRoot": False,
            "frontend.uid": "platform",
            "docs.uid": 1000,
            "docs.gid": 1000,
            # And an image without /health_check, as far as anybody asks.
            "backend.probes": {"startup": "/health", "readiness": "/health"},
        }
    )
    asked = {"frontend": "id -u; ls /etc/nginx/server.conf", "docs": "id -u; id -g"}
    said = {
        part: kubectl("exec", f"deployment/skillflaw-{part}", NAMESPACE, "--", "sh", "-c", command).split()
        for part, command in asked.items()
    }
    assert said == {"frontend": ["10001", "/etc/nginx/server.conf"], "docs": ["1000", "1000"]}
    done = validate("lab", minted)
    assert done.returncode == 0, done.stdout + done.stderr
