"""The stack `lab` as `pulumi up` left it."""

import subprocess

from lab.layout import PROJECT
from tests.live.namespace import NAME, pods


def test_another_preview_of_the_running_stack_finds_nothing_to_change():
    done = subprocess.run(
        ["pulumi", "preview", "--stack=lab", "--expect-no-changes", "--refresh", "--non-interactive"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_backend_runs_on_both_nodes_and_both_zones(kubectl):
    nodes = [pod["spec"]["nodeName"] for pod in pods(kubectl, "backend").values()]
    assert sorted(nodes) == ["node-1", "node-2"]


def test_the_namespace_enforces_the_restricted_pod_security_standard(kubectl):
    enforced = kubectl(
        "get",
        "namespace",
        NAME,
        r"--output=jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}",
    )
    assert enforced == "restricted"
