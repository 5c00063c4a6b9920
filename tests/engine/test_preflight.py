"""What a new stack refers to and its cluster lacks is listed before the first `pulumi up`, and nothing once it is made."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from lab.layout import PROJECT
from tests.engine.stack import Stack

EDGE = "preflight-edge"


@pytest.fixture
def stack(fresh: Stack) -> Iterator[Stack]:
    """A stack that refers to a namespace, Secrets, a claim, a class, an issuer and an edge; none of them exists."""
    fresh.sections |= {
        "namespace": {"name": fresh.name, "create": False},
        "edge": {"ingress": {"className": "preflight", "controller": "none"}},
        "surfaces": {"api": {"host": "api.skillflaw.test", "tls": {"secretName": "certificate"}}},
        "database": {"external": {"secretName": "db", "key": "url"}},
        "cache": {"external": {"secretName": "redis", "key": "url"}},
        "storage": {"existingClaim": "files", "accessMode": "ReadWriteMany"},
        "network": {
            "edge": [{"namespace": EDGE}],
            "egress": [{"cidr": "10.20.0.0/16", "ports": [5432, 6379]}],
        },
        "backup": {},
    }
    yield fresh
    for kind, name in (("namespace", EDGE), ("ingressclass", "preflight")):
        fresh.kubectl("delete", kind, name, "--ignore-not-found", "--wait=false")
    for kind in ("service", "deployment"):
        fresh.kubectl("delete", kind, "kube-dns", "--namespace=kube-system", "--ignore-not-found")


def preflight(stack: Stack) -> subprocess.CompletedProcess[str]:
    stack.write()
    return subprocess.run(
        [sys.executable, "-m", "operations", "preflight", f"--stack={stack.name}"],
        cwd=stack.program,
        env=os.environ | stack.environment | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )


def make(stack: Stack) -> None:
    """All that lacked: what the remedies say, and pods that answer names and carry requests."""
    own = f"--namespace={stack.name}"
    stack.kubectl("create", "namespace", stack.name)
    stack.kubectl("create", "namespace", EDGE)
    create = ("create", "secret", "generic")
    stack.kubectl(*create, "db", "--from-literal=url=postgresql://app:p@10.20.0.5/app", own)
    stack.kubectl(*create, "redis", "--from-literal=url=rediss://:p@10.20.0.6:6379/0", own)
    stack.kubectl("create", "deployment", "edge", "--image=skillflaw.lab/pause:1", f"--namespace={EDGE}")
    objects = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "certificate", "namespace": stack.name},
            "type": "kubernetes.io/tls",
            "data": {"tls.crt": "", "tls.key": ""},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "preflight"},
            "spec": {"controller": "skillflaw.test/none"},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "files", "namespace": stack.name},
            "spec": {
                "storageClassName": "shared",
                "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
        dns("apps/v1", "Deployment")
        | {
            "spec": {
                "selector": {"matchLabels": {"k8s-app": "kube-dns"}},
                "template": {
                    "metadata": {"labels": {"k8s-app": "kube-dns"}},
                    "spec": {"containers": [{"name": "coredns", "image": "skillflaw.lab/pause:1"}]},
                },
            }
        },
        dns("v1", "Service")
        | {
            "spec": {
                "selector": {"k8s-app": "kube-dns"},
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP"},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                ],
            }
        },
    ]
    stack.kubectl(
        "apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    )
    stack.kubectl("wait", "pvc/files", own, "--for=jsonpath={.status.phase}=Bound", "--timeout=60s")
    stack.kubectl("rollout", "status", "deployment/kube-dns", "--namespace=kube-system", "--timeout=60s")
    stack.kubectl("rollout", "status", "deployment/edge", f"--namespace={EDGE}", "--timeout=60s")


def dns(version: str, kind: str) -> dict[str, object]:
    metadata = {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def test_a_new_stack_is_said_all_that_it_lacks_nothing_once_that_is_made_and_nothing_while_it_runs(stack):
    before = time.monotonic()
    lacking = preflight(stack)
    seconds = time.monotonic() - before
    assert lacking.returncode == 1, lacking.stdout + lacking.stderr
    for thing in (
        f"Namespace {stack.name}, which the stack finds and does not make",
        "✗ Secret db, for ",
        "✗ Secret redis, for ",
        "✗ PersistentVolumeClaim files, for ",
        "Secret certificate with a certificate, for Ingress skillflaw-api",
        "IngressClass preflight, for Ingress skillflaw-api",
        f"pods behind namespace kubernetes.io/metadata.name={EDGE}",
        "✗ who answers names",
    ):
        assert thing in lacking.stdout
    assert f"namespace/{stack.name}" not in stack.kubectl("get", "namespaces", "--output=name").split()
    assert seconds < 30, lacking.stdout

    make(stack)
    done = preflight(stack)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    assert stack.objects("deployments,jobs") == set()

    stack.up()
    running = preflight(stack)
    assert running.returncode == 0, running.stdout + running.stderr
