"""The API server itself takes every object of the committed stacks, field by field."""

import copy
import os
import subprocess

import pytest
import yaml

from lab import toolchain
from tests import alerting
from tests.edits import edited
from tests.scan import rendered


@pytest.fixture(scope="module")
def apply(environment):
    """`kubectl apply` of manifests, on the server's own terms."""

    def run(manifests: list[dict], *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", "apply", "--server-side", "--validate=strict", "--filename=-", *options],
            env=os.environ | environment,
            input=yaml.safe_dump_all(manifests),
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="module", params=rendered.STACKS)
def committed(request, apply, environment):
    """A stack's objects; their namespace is there, for without it the server judges none of them."""
    manifests = rendered.objects(request.param)
    [namespace] = [row for key, row in manifests.items() if key.startswith("Namespace/")]
    made = apply([namespace])
    assert made.returncode == 0, made.stderr
    yield list(manifests.values())
    subprocess.run(
        ["kubectl", "delete", "namespace", namespace["metadata"]["name"]],
        env=os.environ | environment,
        check=True,
    )


DEFINITIONS = (
    "clusters.postgresql.cnpg.io",
    "imagecatalogs.postgresql.cnpg.io",
    "objectstores.barmancloud.cnpg.io",
    "scheduledbackups.postgresql.cnpg.io",
)


@pytest.fixture(scope="module")
def operated(apply, environment):
    """Objects of a database that CloudNativePG runs and archives, on a server that knows the definitions for it."""
    defined = [
        row
        for manifest in (toolchain.operator_manifest, toolchain.barman_cloud_manifest)
        for row in yaml.safe_load_all(manifest(lambda words: None).read_text())
        if row and row["metadata"]["name"] in DEFINITIONS
    ]
    manifests = rendered.objects(rendered.OPERATED)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "operated"}}
    made = apply([namespace, *defined])
    assert made.returncode == 0, made.stderr
    kubectl = [
        "kubectl",
        "wait",
        "--for=condition=Established",
        "--timeout=120s",
        "customresourcedefinitions",
    ]
    subprocess.run([*kubectl, *DEFINITIONS], env=os.environ | environment, check=True)
    for row in manifests.values():
        row["metadata"]["namespace"] = "operated"
    yield manifests
    for kind, names in (("namespace", ["operated"]), ("customresourcedefinitions", DEFINITIONS)):
        subprocess.run(["kubectl", "delete", kind, *names], env=os.environ | environment, check=True)


def test_the_server_takes_every_object_of_a_database_that_an_operator_runs(operated, apply):
    done = apply(list(operated.values()), "--dry-run=server")
    assert done.returncode == 0, done.stderr
    assert {key.partition("/")[0] for key in operated} == {
        "Cluster",
        "ImageCatalog",
        "NetworkPolicy",
        "ObjectStore",
        "ScheduledBackup",
        "Secret",
    }
    assert "Warning" not in done.stderr


def test_the_server_takes_a_cluster_that_was_restored_to_a_moment(operated, apply):
    recovery = {"generation": 2, "targetTime": "2026-01-02T03:04:05Z"}
    restored = rendered.of(edited(rendered.DATABASE | {"database.cloudNativePg.recovery": recovery}))
    cluster = restored["Cluster/database-g2"]
    cluster["metadata"]["namespace"] = "operated"
    done = apply([cluster], "--dry-run=server")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


def test_the_server_refuses_a_field_that_the_operator_does_not_know(operated, apply):
    cluster = copy.deepcopy(operated["Cluster/database"])
    cluster["spec"]["postgresql"]["synchronous"]["durability"] = "preferred"
    done = apply([cluster], "--dry-run=server")
    assert done.returncode != 0
    assert "durability" in done.stderr


@pytest.fixture(scope="module")
def watched(apply, environment):
    """What Prometheus is given, on a server that knows the definitions of its operator."""
    defined = [
        row
        for row in yaml.safe_load_all(toolchain.prometheus_operator(lambda words: None).read_text())
        if row
    ]
    names = [row["metadata"]["name"] for row in defined]
    manifests = [
        row
        for stack in alerting.STACKS
        for row in rendered.of(edited(alerting.STACKS[stack])).values()
        if row["kind"] in ("PodMonitor", "PrometheusRule")
    ]
    for row in manifests:
        row["metadata"]["namespace"] = "default"
    made = apply(defined)
    assert made.returncode == 0, made.stderr
    wait = [
        "kubectl",
        "wait",
        "--for=condition=Established",
        "--timeout=120s",
        "customresourcedefinitions",
        *names,
    ]
    subprocess.run(wait, env=os.environ | environment, check=True)
    yield manifests
    subprocess.run(
        ["kubectl", "delete", "customresourcedefinitions", *names], env=os.environ | environment, check=True
    )


def test_the_server_takes_every_object_that_prometheus_is_given(watched, apply):
    assert {row["kind"] for row in watched} == {"PodMonitor", "PrometheusRule"}
    for row in watched:
        done = apply([row], "--dry-run=server")
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr


@pytest.mark.parametrize("kind", ["PodMonitor", "PrometheusRule"])
def test_the_server_refuses_a_field_that_the_prometheus_operator_does_not_know(watched, apply, kind):
    broken = copy.deepcopy(next(row for row in watched if row["kind"] == kind))
    holder = broken["spec"]["podMetricsEndpoints" if kind == "PodMonitor" else "groups"][0]
    holder["unknown"] = "field"
    done = apply([broken], "--dry-run=server")
    assert done.returncode != 0
    assert "unknown" in done.stderr


@pytest.fixture
def objects(committed):
    return copy.deepcopy(committed)


def test_the_server_takes_every_object(objects, apply):
    done = apply(objects, "--dry-run=server")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(objects)
    assert "Warning" not in done.stderr


def test_the_server_refuses_a_field_it_does_not_know(objects, apply):
    [deployment] = [
        row
        for row in objects
        if row["metadata"]["name"] == "skillflaw-backend" and row["kind"] == "Deployment"
    ]
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    done = apply([deployment], "--dry-run=server")
    assert done.returncode != 0
    assert "livenesProbe" in done.stderr
