"""`operations status` and `operations diagnose` against the stack `lab`."""

import base64
import json
import shutil
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest

from lab.process import wait_for
from tests.live.namespace import NAME, NAMESPACE, pods, staying
from tests.live.operate import operation

LINES = {
    "application",
    "skillflaw-backend",
    "skillflaw-frontend",
    "skillflaw-docs",
    "postgresql",
    "redis",
    "pods",
    "nodes",
    "database",
    "connections",
    "secret key",
    "backup",
    "certificate api",
    "certificate app",
    "certificate docs",
    "volume postgresql-data",
    "volume skillflaw-backend-data",
    "unfinished",
    "drift",
}


def status() -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and verdict and words of each line."""
    done = operation("lab", "status", "--json")
    assert done.stdout, done.stderr
    return done.returncode, {
        row["name"]: (row["verdict"], row["says"]) for row in json.loads(done.stdout)["lines"]
    }


def not_well() -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and the lines that are not well; the lab's volumes are folders of the machine's own disk."""
    code, lines = status()
    assert lines.keys() == LINES
    return code, {
        name: row for name, row in lines.items() if row[0] != "well" and not name.startswith("volume")
    }


@pytest.fixture(scope="module")
def well(kubectl) -> None:
    """The stack with a backup, and without what earlier tests did to its pods."""
    if status()[1]["backup"][0] != "well":
        assert operation("lab", "backup").returncode == 0
    every = staying(kubectl, NAME, "app.kubernetes.io/part-of=skillflaw")
    again = [
        pod for pod in every if any(row["restartCount"] for row in pod["status"].get("containerStatuses", ()))
    ]
    for part in ("backend", "frontend"):
        own = [pod for pod in every if pod["metadata"]["labels"]["app"] == f"skillflaw-{part}"]
        if len({pod["spec"]["nodeName"] for pod in own}) < len(own):
            again.append(own[0])
    for pod in again:
        kubectl("delete", "pod", pod["metadata"]["name"], NAMESPACE, "--wait")
    for kind in ("deployment", "statefulset"):
        for name in kubectl("get", kind, NAMESPACE, "--output=name").split():
            kubectl("rollout", "status", name, NAMESPACE, "--timeout=120s")


@pytest.fixture
def as_before(kubectl):
    """Takes back an edit of a field by hand, and that the hand owned it: the next `pulumi up` would find a conflict."""
    undone = []

    def edits(kind: str, name: str, patch: dict, back: dict) -> None:
        before = managed(kind, name)
        undone.append((kind, name, before, back))
        kubectl("patch", kind, name, NAMESPACE, "--type=strategic", f"--patch={json.dumps(patch)}")

    def managed(kind: str, name: str) -> list:
        found = kubectl("get", kind, name, NAMESPACE, "--output=json", "--show-managed-fields")
        return json.loads(found)["metadata"]["managedFields"]

    yield edits
    for kind, name, before, back in undone:
        kubectl("patch", kind, name, NAMESPACE, "--type=strategic", f"--patch={json.dumps(back)}")
        ours = {row["manager"] for row in before}
        kept = [row for row in managed(kind, name) if row["manager"] in ours]
        only = json.dumps([{"op": "replace", "path": "/metadata/managedFields", "value": kept}])
        kubectl("patch", kind, name, NAMESPACE, "--type=json", f"--patch={only}")
        if kind == "deployment":
            kubectl("rollout", "status", kind, name, NAMESPACE, "--timeout=120s")


def test_the_stack_is_well_line_by_line(well):
    code, lines = not_well()
    assert lines == {}
    assert code == 0 or shutil.disk_usage("/").free < 0.25 * shutil.disk_usage("/").total


def test_a_cron_job_that_was_suspended_by_hand_is_worth_a_look(well, as_before):
    as_before("cronjob", "skillflaw-backup", {"spec": {"suspend": True}}, {"spec": {"suspend": False}})
    code, lines = not_well()
    assert code == 1
    assert lines.keys() == {"backup", "drift"}
    assert "the CronJob is suspended" in lines["backup"][1]
    assert "spec.suspend was added by kubectl-patch: true" in lines["drift"][1]


def test_an_image_that_was_edited_by_hand_is_named_with_the_declared_one(well, as_before, kubectl):
    def image(tag: str) -> dict:
        return {"spec": {"template": {"spec": {"containers": [{"name": "docs", "image": tag}]}}}}

    declared = kubectl(
        "get", "deployment", "skillflaw-docs", NAMESPACE,
        "--output=jsonpath={.spec.template.spec.containers[0].image}",
    )  # fmt: skip
    as_before("deployment", "skillflaw-docs", image("skillflaw.lab/docs:other"), image(declared))
    code, lines = not_well()
    assert code == 1
    assert f"image of docs is skillflaw.lab/docs:other instead of {declared}" in lines["drift"][1]
    assert "1/1 ready" in lines["skillflaw-docs"][1]
    assert "a rollout has not ended" in lines["skillflaw-docs"][1]


def test_no_value_of_a_secret_is_in_the_archive_of_a_stack_that_works(kubectl, tmp_path: Path):
    file = tmp_path / "it.tar.gz"
    done = operation("lab", "diagnose", f"--to={file}")
    assert done.returncode == 0, done.stderr
    assert "not read" not in done.stdout, done.stdout
    with tarfile.open(file) as archive:
        packed = {
            member.name.partition("/")[2]: archive.extractfile(member).read()
            for member in archive.getmembers()
        }
    assert {"status.json", "objects/pods.yaml", "secrets.yaml", "events.yaml"} <= packed.keys()
    assert any(name.startswith("logs/skillflaw-backend-") for name in packed)
    whole = b"\n".join(packed.values())
    secrets = json.loads(kubectl("get", "secrets", NAMESPACE, "--output=json"))["items"]
    values = [base64.b64decode(value) for secret in secrets for value in secret["data"].values()]
    assert len(values) > 8
    for value in values:
        if value != b"skillflaw":
            assert value not in whole
            assert base64.b64encode(value) not in whole
            assert quote(value, safe="").encode() not in whole


def unscheduled(found: dict) -> bool:
    conditions = [row for pod in found.values() for row in pod["status"].get("conditions", ())]
    return any(row["type"] == "PodScheduled" and row["status"] == "False" for row in conditions)


def test_a_pod_that_no_node_takes_leaves_its_workload_broken_and_says_why(well, kubectl, both_nodes):
    kubectl("cordon", "node-1", "node-2")
    try:
        kubectl("delete", "pod", *pods(kubectl, "docs"), NAMESPACE, "--wait=false")
        wait_for(lambda: unscheduled(pods(kubectl, "docs")), 30, "a pod that no node takes")
        code, lines = not_well()
    finally:
        kubectl("uncordon", "node-1", "node-2")
    kubectl("rollout", "status", "deployment", "skillflaw-docs", NAMESPACE, "--timeout=60s")
    assert code == 2
    assert lines["skillflaw-docs"][0] == "broken"
    assert "no node takes it: 0/2 nodes are available" in lines["pods"][1]
    assert "node-1, node-2" in lines["nodes"][1]
