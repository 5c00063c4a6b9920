"""Every pod of every stack is hardened, Jobs included."""

import pytest

from tests.stack_files import stack_file
from tests.unit.recorder import run

POD_SECURITY_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}


@pytest.fixture(scope="module")
def lab():
    return run(stack_file("lab"))


def containers(spec: dict) -> list[dict]:
    return [*spec.get("initContainers", ()), *spec["containers"]]


def test_every_workload_of_the_guide_has_a_pod(lab):
    assert set(lab.pods) == {
        "backend",
        "frontend",
        "docs",
        "database",
        "cache",
        "bootstrap-key",
        "bootstrap",
        "backup",
    }


def test_no_pod_runs_as_root_or_as_an_account_of_the_node(lab):
    for name, spec in lab.pods.items():
        context = spec["securityContext"]
        assert context["runAsNonRoot"], name
        assert min(context["runAsUser"], context["runAsGroup"], context["fsGroup"]) >= 10000, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name


def test_no_container_can_gain_privileges_or_write_its_image(lab):
    for name, spec in lab.pods.items():
        for container in containers(spec):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, f"{name}/{container['name']}"


def test_no_pod_holds_a_token_or_shares_an_account(lab):
    accounts = {account.inputs["metadata"]["name"]: account for account in lab.of("ServiceAccount")}
    used = {template["metadata"]["labels"]["app"]: template["spec"] for template in lab.templates.values()}
    assert {part: spec["serviceAccountName"] for part, spec in used.items()} == {
        part: part for part in accounts
    }
    assert not any(account.inputs["automountServiceAccountToken"] for account in accounts.values())
    assert not any(spec["automountServiceAccountToken"] for spec in lab.pods.values())
    assert not lab.of("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


def test_no_pod_gets_service_links(lab):
    assert not any(spec["enableServiceLinks"] for spec in lab.pods.values())


def test_no_pod_touches_its_host(lab):
    for name, spec in lab.pods.items():
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}, name
        for volume in spec["volumes"]:
            assert volume.keys() - {"name"} <= POD_SECURITY_VOLUMES, f"{name}/{volume['name']}"
        for container in containers(spec):
            assert not any("hostPort" in port for port in container.get("ports", ())), name


def test_every_container_has_requests_and_limits(lab):
    for name, spec in lab.pods.items():
        for container in containers(spec):
            for side in ("requests", "limits"):
                assert set(container["resources"][side]) == {"cpu", "memory", "ephemeral-storage"}, name


def test_every_scratch_volume_is_bounded(lab):
    for name, spec in lab.pods.items():
        for volume in spec["volumes"]:
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"], f"{name}/{volume['name']}"


def test_every_server_has_three_probes_that_ask_different_things(lab):
    for name in ("backend", "frontend", "docs", "database", "cache"):
        (container,) = lab.pods[name]["containers"]
        assert container["startupProbe"], name
        asked = {
            kind: {
                key: value
                for key, value in container[kind].items()
                if key in ("httpGet", "tcpSocket", "exec")
            }
            for kind in ("readinessProbe", "livenessProbe")
        }
        assert asked["readinessProbe"] != asked["livenessProbe"], name


def test_no_mount_is_a_sub_path(lab):
    for name, spec in lab.pods.items():
        for container in containers(spec):
            assert not any("subPath" in mount for mount in container["volumeMounts"]), name


def test_the_namespace_refuses_pods_below_restricted(lab):
    labels = lab.one("Namespace", "namespace").inputs["metadata"]["labels"]
    for level in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{level}"] == "restricted"


def test_a_low_port_needs_no_capability():
    pods = run(stack_file("lab") | {"frontend": {"port": 80}}).pods
    sysctl = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
    assert pods["frontend"]["securityContext"]["sysctls"] == [sysctl]
    assert "sysctls" not in pods["docs"]["securityContext"]
