"""Every pod of every stack is hardened, Jobs included."""

import json
import re

import pytest

from tests.stack_files import WORKLOADS, filled_in, section, stack_file
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


def test_every_command_reaches_its_container_as_it_is_written(lab):
    for name, spec in lab.pods.items():
        for container in containers(spec):
            known = "|".join(variable["name"] for variable in container.get("env", ())) or "none"
            # What Kubernetes replaces: variables by their values, and two dollars by one.
            replaced = re.compile(rf"\$\$|\$\((?:{known})\)")
            for word in (*container.get("command", ()), *container.get("args", ())):
                assert not replaced.search(word), (name, container["name"])


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
        for key in ("nodeSelector", "priorityClassName", "runtimeClassName"):
            assert spec[key] == ASKED[key], pod
        assert spec["tolerations"][: len(ASKED["tolerations"])] == ASKED["tolerations"], pod
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
        assert [row["key"] for row in spec["tolerations"]][:2] == ["example.com/spot", "example.com/big"]
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


def variables(container: dict) -> dict[str, str]:
    return {row["name"]: row.get("value") for row in container.get("env", ())}


@pytest.mark.parametrize(
    ("trust", "source"),
    [
        ({"configMapName": "bundle"}, {"configMap": {"name": "bundle"}}),
        ({"secretName": "bundle"}, {"secret": {"secretName": "bundle"}}),
    ],
)
def test_whoever_opens_tls_trusts_the_given_authorities(trust, source):
    pods = run(stack_file("lab") | {"pods": {"trust": trust | {"key": "ca.pem"}}}).pods
    found = set()
    for name, spec in pods.items():
        for container in containers(spec):
            mounts = [mount for mount in container["volumeMounts"] if mount["name"] == "trust"]
            if not mounts:
                assert "SSL_CERT_FILE" not in variables(container), name
                continue
            found.add(name)
            (mount,) = mounts
            assert mount["readOnly"], name
            (volume,) = [volume for volume in spec["volumes"] if volume["name"] == "trust"]
            ((kind, given),) = source.items()
            items = volume[kind]["items"]
            assert given.items() <= volume[kind].items()
            # Whatever user the platform assigns can read it.
            assert volume[kind]["defaultMode"] == 0o444
            file = f"{mount['mountPath']}/{items[0]['path']}"
            assert items[0]["key"] == "ca.pem"
            for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PGSSLROOTCERT"):
                assert variables(container)[variable] == file, name
    assert found == {"backend", "bootstrap", "bootstrap-key", "backup"}


@pytest.mark.parametrize("uid", [1, 1000, 2**31 - 1])
def test_an_image_may_have_a_user_of_its_own(uid):
    lab = stack_file("lab")
    pods = run(lab | {"backend": lab["backend"] | {"uid": uid, "gid": uid}}).pods
    for name in ("backend", "bootstrap", "bootstrap-key", "backup"):
        context = pods[name]["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (uid, uid, uid)
        assert context["runAsNonRoot"]


@pytest.mark.parametrize("own", [{"uid": "platform"}, {"uid": "platform", "gid": "platform"}])
def test_a_platform_that_assigns_users_is_left_to_it_and_root_still_refused(own):
    lab = stack_file("lab")
    edits = {name: lab[name] | own for name in ("backend", "frontend", "docs")}
    edits["database"] = {"inCluster": lab["database"]["inCluster"] | own}
    edits["cache"] = {"inCluster": lab["cache"]["inCluster"] | own}
    for name, spec in run(lab | edits).pods.items():
        context = spec["securityContext"]
        assert not context.keys() & {"runAsUser", "runAsGroup", "fsGroup"}, name
        assert context["runAsNonRoot"], name


def test_a_platform_may_assign_the_group_alone():
    lab = stack_file("lab")
    context = run(lab | {"docs": lab["docs"] | {"gid": "platform"}}).pods["docs"]["securityContext"]
    assert context["runAsUser"] == 10001
    assert not context.keys() & {"runAsGroup", "fsGroup"}


@pytest.mark.parametrize("workload", ["backend", "frontend", "docs"])
def test_an_image_that_writes_its_own_files_may_when_the_stack_file_says_so(workload):
    lab = stack_file("lab")
    pods = run(lab | {workload: lab[workload] | {"readOnlyRoot": False}}).pods
    writable = {
        name
        for name, spec in pods.items()
        for container in containers(spec)
        if not container["securityContext"]["readOnlyRootFilesystem"]
    }
    assert writable == ({"backend", "bootstrap"} if workload == "backend" else {workload})


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


@pytest.mark.parametrize("pull", [300, 3600])
def test_every_wait_for_a_pod_is_longer_than_a_pull_may_take(pull):
    lab = stack_file("lab")
    program = run(lab | {"images": lab["images"] | {"pullDeadlineSeconds": pull}})
    for declared in program.of("Deployment", "StatefulSet", "Job"):
        spec = declared.inputs["spec"]
        deadline = spec.get("progressDeadlineSeconds", spec.get("activeDeadlineSeconds", pull))
        waits = declared.request.customTimeouts
        assert deadline >= pull, declared.name
        assert min(seconds(waits.create), seconds(waits.update)) > deadline, declared.name
    assert program.one("Job", "bootstrap-key").inputs["spec"]["activeDeadlineSeconds"] == pull


@pytest.mark.parametrize("flow", [300, 3600])
def test_a_pod_that_is_recreated_is_waited_for_until_the_old_one_has_finished_its_flows(flow):
    dev = filled_in("dev")
    program = run(dev | {"backend": dev["backend"] | {"longestFlowSeconds": flow, "preStopSeconds": 120}})
    backend = program.one("Deployment", "backend")
    spec = backend.inputs["spec"]
    assert spec["strategy"]["type"] == "Recreate"
    grace = spec["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > flow + 120
    assert spec["progressDeadlineSeconds"] >= grace + 600
    assert seconds(backend.request.customTimeouts.update) > spec["progressDeadlineSeconds"]


UNREACHABLE, NOT_READY = "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"
SECONDS = {UNREACHABLE: 10, NOT_READY: 30}


def lost_node(spec: dict) -> list[tuple]:
    """Tolerations of a pod with a time: the taint, the effect and the seconds."""
    return [
        (row.get("key"), row.get("effect"), row["tolerationSeconds"])
        for row in spec.get("tolerations", ())
        if "tolerationSeconds" in row
    ]


def test_what_keeps_no_state_leaves_a_silent_node_sooner_than_an_unready_one_and_nothing_else_does(lab):
    left = {name for name, spec in lab.pods.items() if lost_node(spec)}
    assert left == {"backend", "frontend", "docs", "cache"}
    for name in left:
        assert lost_node(lab.pods[name]) == [
            (taint, "NoExecute", seconds) for taint, seconds in SECONDS.items()
        ]


@pytest.mark.parametrize(
    ("asked", "decided"),
    [
        (
            {"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 600},
            [UNREACHABLE],
        ),
        ({"key": NOT_READY, "operator": "Exists"}, [NOT_READY]),
        ({"key": NOT_READY, "operator": "Exists", "effect": "NoExecute"}, [NOT_READY]),
        ({"operator": "Exists"}, [UNREACHABLE, NOT_READY]),
        ({"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}, [UNREACHABLE, NOT_READY]),
        ({"key": UNREACHABLE, "operator": "Exists", "effect": "NoSchedule"}, []),
        ({"operator": "Exists", "effect": "NoSchedule"}, []),
        ({"key": "example.com/spot", "operator": "Exists", "effect": "NoExecute"}, []),
    ],
    ids=str,
)
def test_the_clusters_owner_decides_how_long_a_pod_stays_on_a_lost_node(asked, decided):
    spec = run(stack_file("lab") | {"pods": {"tolerations": [asked]}}).pods["backend"]
    own = {taint: seconds for taint, seconds in SECONDS.items() if taint not in decided}
    assert {row["key"]: row["tolerationSeconds"] for row in spec["tolerations"][1:]} == own


def test_one_path_can_be_all_three_probes():
    lab = stack_file("lab")
    probes = {"startup": "/health", "readiness": "/health"}
    pods = run(lab | {"backend": lab["backend"] | {"probes": probes}}).pods
    for name in ("backend", "bootstrap"):
        asked = [
            value["httpGet"]["path"]
            for probe in ("startupProbe", "readinessProbe", "livenessProbe")
            for container in containers(pods[name])
            if (value := container.get(probe))
        ]
        assert set(asked) == {"/health"}, name


def test_a_broken_image_of_the_database_can_be_rolled_back_and_an_old_stack_keeps_its_server(lab):
    database = lab.one("StatefulSet", "database")
    assert database.inputs["spec"]["podManagementPolicy"] == "Parallel"
    assert list(database.request.ignoreChanges) == ["spec.podManagementPolicy"]


def test_a_stack_file_decides_what_every_container_asks_for():
    config = filled_in("lab")
    for workload in WORKLOADS:
        section(config, workload)["resources"] = {"requests": {"cpu": "123m"}}
    config["secretKey"] = {"generated": {"generation": 2}}
    asked = {
        f"{name}/{container['name']}": container["resources"]["requests"]["cpu"]
        for name, spec in run(config).pods.items()
        for container in containers(spec)
    }
    assert set(asked.values()) == {"123m"}, asked
