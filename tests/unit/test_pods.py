"""Every pod of every stack is hardened, Jobs included."""

import json

import pytest

from tests.stack_files import filled_in, stack_file
from tests.unit.recorder import run

FILES = ("dev", "lab", "prod")
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


ASKED = {
    "nodeSelector": {"example.com/pool": "apps"},
    "tolerations": [{"key": "example.com/spot", "operator": "Exists", "effect": "NoSchedule"}],
    "priorityClassName": "important",
    "runtimeClassName": "gvisor",
    "labels": {"example.com/cost-centre": "4711"},
    "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"},
    "pullSecrets": ["first", "second"],
}


@pytest.mark.parametrize("name", FILES)
def test_every_pod_of_every_stack_is_what_the_clusters_owner_asks(name):
    program = run(filled_in(name) | {"pods": ASKED})
    assert program.templates
    for pod, template in program.templates.items():
        spec, metadata = template["spec"], template["metadata"]
        for key in ("nodeSelector", "tolerations", "priorityClassName", "runtimeClassName"):
            assert spec[key] == ASKED[key], pod
        assert [row["name"] for row in spec["imagePullSecrets"]] == ASKED["pullSecrets"], pod
        assert ASKED["labels"].items() <= metadata["labels"].items(), pod
        assert ASKED["annotations"].items() <= metadata["annotations"].items(), pod


@pytest.mark.parametrize("name", FILES)
def test_every_object_of_every_stack_has_the_owners_labels_and_nothing_selects_by_them(name):
    before, after = run(filled_in(name)), run(filled_in(name) | {"pods": ASKED})
    (key,) = ASKED["labels"]
    for declared in after.objects:
        assert key in declared.inputs["metadata"]["labels"], declared.urn
        assert key not in json.dumps(declared.inputs.get("spec", {}).get("selector", {})), declared.urn
        assert key not in json.dumps(find(declared.inputs, "matchLabels")), declared.urn
        own = before.resources[declared.urn].inputs["metadata"]["labels"]
        assert own.items() <= declared.inputs["metadata"]["labels"].items(), declared.urn
    for job in after.of("CronJob"):
        assert key in job.inputs["spec"]["jobTemplate"]["metadata"]["labels"]


def find(value, key: str) -> list:
    """Every value under a key, however deep."""
    if isinstance(value, list):
        return [found for item in value for found in find(item, key)]
    if not isinstance(value, dict):
        return []
    here = [value[key]] if key in value else []
    return here + [found for item in value.values() for found in find(item, key)]


def test_a_workload_adds_to_what_every_pod_is_asked_and_decides_for_itself():
    lab = stack_file("lab")
    own = {
        "nodeSelector": {"example.com/pool": "big", "example.com/disk": "fast"},
        "tolerations": [{"key": "example.com/big", "value": "yes"}],
        "priorityClassName": "vital",
        "annotations": {"sidecar.istio.io/inject": "true"},
        "pullSecrets": ["third", "first"],
    }
    without = {"annotations": {"sidecar.istio.io/inject": "false"}}
    edits = {"backend": lab["backend"] | {"pods": own}, "bootstrap": {"pods": without}, "pods": ASKED}
    program = run(lab | edits)
    for name in ("backend", "bootstrap", "bootstrap-key"):
        spec, metadata = program.pods[name], program.templates[name]["metadata"]
        assert spec["nodeSelector"] == {"example.com/pool": "big", "example.com/disk": "fast"}
        assert [row["key"] for row in spec["tolerations"]] == ["example.com/spot", "example.com/big"]
        assert spec["tolerations"][1]["operator"] == "Equal"
        assert spec["priorityClassName"] == "vital"
        assert [row["name"] for row in spec["imagePullSecrets"]] == ["first", "second", "third"]
        injected = "true" if name == "backend" else "false"
        assert metadata["annotations"].items() >= {"sidecar.istio.io/inject": injected}.items()
        assert metadata["annotations"].items() >= ASKED["annotations"].items()
    assert program.pods["frontend"]["nodeSelector"] == ASKED["nodeSelector"]


def test_the_programs_own_labels_and_annotations_of_a_pod_win():
    lab = stack_file("lab")
    existing = {"secretName": "some-key", "key": "key", "version": "2"}
    asked = {"labels": {"app.kubernetes.io/version": "1"}, "annotations": {"some": "thing"}}
    pod = run(lab | {"secretKey": {"existing": existing}, "pods": asked}).templates["backend"]["metadata"]
    assert pod["labels"]["app"] == "skillflaw-backend"
    assert pod["annotations"] == {"some": "thing", "skillflaw.com/secret-key-version": "2"}
