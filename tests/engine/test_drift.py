"""Changes made by hand are found by object and field, those of other managers are none, and a repair undoes them."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.layout import PROJECT
from tests.engine.stack import Stack


@pytest.fixture
def make(whole: Stack) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a target of the Makefile for the running stack."""

    def run(target: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--silent", f"--file={PROJECT / 'Makefile'}", target, f"STACK={whole.name}"],
            cwd=whole.program,
            env=os.environ | whole.environment | {"PYTHONPATH": str(PROJECT)} | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def drift(whole: Stack, make: Callable, reader: str, tmp_path: Path) -> Callable[[], set[str]]:
    """The lines of the report of one who may only look."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(reader)

    def look() -> set[str]:
        done = make("drift", KUBECONFIG=str(kubeconfig))
        report = (whole.program / "reviews" / f"drift-{whole.name}.md").read_text()
        lines = {line.removeprefix("- ") for line in report.splitlines() if line.startswith("- ")}
        assert (done.returncode == 0) == (": no drift" in report) == (not lines), report + done.stderr
        return lines

    return look


@pytest.fixture
def kubectl(whole: Stack) -> Callable[..., str]:
    """Somebody's hand."""
    return lambda *words: whole.kubectl(*words, f"--namespace={whole.name}")


def replaced(path: str, value: object) -> tuple[str, str]:
    return "--type=json", f"--patch={json.dumps([{'op': 'replace', 'path': path, 'value': value}])}"


def test_edits_by_hand_are_reported_by_object_and_field_and_a_repair_undoes_them(whole, kubectl, drift, make):
    image = replaced("/spec/template/spec/containers/0/image", "skillflaw.lab/other:1")
    kubectl("patch", "deployment", "skillflaw-frontend", *image)
    selected = replaced("/spec/selector/app.kubernetes.io~1component", "nothing")
    kubectl("patch", "service", "skillflaw-docs", *selected)
    kubectl("patch", "ingress", "skillflaw-api", *replaced("/spec/rules/0/host", "other.skillflaw.test"))
    kubectl("patch", "poddisruptionbudget", "skillflaw-backend", *replaced("/spec/maxUnavailable", 2))
    kubectl("label", "namespace", whole.name, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    kubectl("scale", "deployment/skillflaw-docs", "--replicas=3")
    kubectl("delete", "networkpolicy", "skillflaw-backend")
    images, docs = whole.sections["images"], whole.sections["docs"]
    assert drift() == {
        "`Deployment skillflaw-frontend`: `spec.template.spec.containers[0].image` is `skillflaw.lab/other:1`, "
        f"the program says `{images['frontend']}`",
        '`Service skillflaw-docs`: `spec.selector["app.kubernetes.io/component"]` is `nothing`, '
        "the program says `docs`",
        "`Ingress skillflaw-api`: `spec.rules[0].host` is `other.skillflaw.test`, "
        "the program says `api.skillflaw.test`",
        "`PodDisruptionBudget skillflaw-backend`: `spec.maxUnavailable` is `2`, the program says `1`",
        f'`Namespace {whole.name}`: `metadata.labels["pod-security.kubernetes.io/enforce"]` is `privileged`, '
        "the program says `restricted`",
        f"`Deployment skillflaw-docs`: `spec.replicas` is `3`, the program says `{docs['replicas']}`",
        "`NetworkPolicy skillflaw-backend` is gone",
    }
    repaired = make("repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert drift() == set()


@pytest.mark.thorough
def test_what_an_autoscaler_or_a_controller_owns_is_no_drift(whole, kubectl, drift):
    whole.sections["backend"]["scale"] = {"min": 2, "max": 3, "cpuPercent": 70}
    whole.up()
    kubectl("scale", "deployment/skillflaw-backend", "--replicas=3")
    kubectl("rollout", "status", "deployment/skillflaw-backend", "--timeout=60s")
    kubectl("annotate", "ingress", "skillflaw-api", "cert-manager.io/issued=yes")
    address = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    kubectl("patch", "ingress", "skillflaw-api", "--subresource=status", f"--patch={json.dumps(address)}")
    assert drift() == set()


ALLOW_ALL = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "by-hand"},
    "spec": {"podSelector": {}, "ingress": [{}], "policyTypes": ["Ingress"]},
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "by-hand"},
    "spec": {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "other",
                "image": "skillflaw.lab/other:1",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}


def added(path: str, value: object) -> tuple[str, str]:
    return "--type=json", f"--patch={json.dumps([{'op': 'add', 'path': path, 'value': value}])}"


def commands(whole: Stack) -> list[str]:
    """The commands of the last report that take back what was added."""
    report = (whole.program / "reviews" / f"drift-{whole.name}.md").read_text()
    return [line.strip() for line in report.splitlines() if line.startswith("    kubectl ")]


def test_what_was_added_by_hand_is_found_and_the_commands_of_the_report_take_it_back(
    whole, kubectl, drift, make
):
    kubectl("patch", "service", "skillflaw-docs", *added("/spec/externalIPs", ["192.0.2.7"]))
    backend = {"service": {"name": "skillflaw-backend", "port": {"number": 7860}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    rule = {"host": "other.skillflaw.test", "http": {"paths": [path]}}
    kubectl("patch", "ingress", "skillflaw-api", *added("/spec/rules/-", rule))
    kubectl("patch", "networkpolicy", "skillflaw-docs", *added("/spec/ingress/-", {}))
    kubectl("set", "env", "deployment/skillflaw-frontend", "BY_HAND=yes")
    whole.kubectl("create", "--filename=-", f"--namespace={whole.name}", stdin=json.dumps(ALLOW_ALL))
    kubectl("create", "service", "nodeport", "by-hand", "--tcp=80")
    kubectl("create", "serviceaccount", "by-hand")
    whole.kubectl("create", "--filename=-", f"--namespace={whole.name}", stdin=json.dumps(POD))
    found = drift()
    # Whoever may write sees the same.
    assert make("drift").returncode != 0
    assert (whole.program / "reviews" / f"drift-{whole.name}.md").read_text().count("\n- ") == len(found)
    shown = "\n".join(sorted(found))
    for name in (
        "Service skillflaw-docs",
        "Ingress skillflaw-api",
        "NetworkPolicy skillflaw-docs",
        "Deployment skillflaw-frontend",
        "NetworkPolicy by-hand",
        "Service by-hand",
        "ServiceAccount by-hand",
        "Pod by-hand",
    ):
        assert f"`{name}`" in shown, shown
    assert len(commands(whole)) == 8
    for command in commands(whole):
        subprocess.run(command, shell=True, env=os.environ | whole.environment, check=True)  # noqa: S602
    kubectl("rollout", "status", "deployment/skillflaw-frontend", "--timeout=60s")
    kubectl("wait", "--for=delete", "pod/by-hand", "--timeout=60s")
    assert drift() == set()


@pytest.mark.thorough
def test_an_edited_entry_of_a_list_that_has_one_owner_is_a_change_and_no_addition(
    whole, kubectl, drift, make
):
    port = whole.sections["docs"].get("port", 80)
    kubectl("patch", "ingress", "skillflaw-api", *replaced("/spec/rules/0/host", "other.skillflaw.test"))
    kubectl("patch", "networkpolicy", "skillflaw-docs", *replaced("/spec/ingress/0/ports/0/port", port + 1))
    shown = drift()
    assert shown
    assert not any("was added" in line for line in shown), shown
    assert commands(whole) == []
    repaired = make("repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert drift() == set()
