"""Additions by hand are distinguished from what the program, a controller or an autoscaler wrote."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from operations import drift as by_hand
from operations.__main__ import app
from operations.drift import compare
from operations.kubectl import Kubectl
from operations.program import ProgramError
from operations.review.added import Added
from tests.unit.recorder import ROOT

KUBECTL = Kubectl(("--context=prod", "--kubeconfig=/gone"), "skillflaw")
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "skillflaw"}}
PULUMI = "pulumi-kubernetes-0a1b2c3d"


def declared(kind, name, api="v1", **rest):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "skillflaw"}, **rest}


def written(manager, fields, **rest):
    """An entry of managedFields as the API server writes it."""
    return {
        "manager": manager,
        "operation": "Apply" if manager == PULUMI else "Update",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **rest,
    }


def live(inputs, *entries, **changes):
    """An object as the cluster has it; `changes` replace its top-level keys."""
    metadata = (
        inputs["metadata"] | {"uid": "1"} | changes.pop("metadata", {}) | {"managedFields": list(entries)}
    )
    return inputs | changes | {"metadata": metadata}


def reported(inputs, row):
    added = compare([NAMESPACE, inputs], [row], KUBECTL)
    return [f"{name}: {sentence}" for name, sentence in added.lines], added.commands


CLUSTER = declared(
    "Cluster", "database", "postgresql.cnpg.io/v1", spec={"instances": 2, "managed": {"roles": []}}
)


SERVICE = declared("Service", "backend", spec={"type": "ClusterIP", "ports": [{"port": 80, "name": "http"}]})
INGRESS = declared(
    "Ingress",
    "api",
    "networking.k8s.io/v1",
    spec={
        "ingressClassName": "traefik",
        "rules": [{"host": "a.test", "http": {"paths": [{"path": "/health", "pathType": "Exact"}]}}],
    },
)
DEPLOYMENT = declared(
    "Deployment",
    "backend",
    "apps/v1",
    spec={
        "template": {
            "metadata": {"labels": {"app": "backend"}},
            "spec": {
                "containers": [{"name": "backend", "image": "x:1", "env": [{"name": "A", "value": "a"}]}]
            },
        }
    },
)
POLICY = declared(
    "NetworkPolicy",
    "backend",
    "networking.k8s.io/v1",
    spec={"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}]},
)


def test_a_field_that_somebody_added_is_named_with_its_path_its_writer_and_its_value():
    row = live(
        SERVICE,
        written(PULUMI, {"f:spec": {"f:type": {}, "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}}}}}),
        written("kubectl-edit", {"f:spec": {"f:externalIPs": {}}}),
        spec={**SERVICE["spec"], "externalIPs": ["192.0.2.1"], "clusterIP": "10.0.0.1"},
    )
    lines, commands = reported(SERVICE, row)
    assert lines == ['Service backend: spec.externalIPs was added by kubectl-edit: ["192.0.2.1"]']
    (command,) = commands
    assert shlex.split(command) == [
        "kubectl",
        "--context=prod",
        "--namespace=skillflaw",
        "patch",
        "service",
        "backend",
        "--type=json",
        '--patch=[{"op": "remove", "path": "/spec/externalIPs"}]',
    ]


CRON_JOB = declared("CronJob", "backup", "batch/v1", spec={"schedule": "0 3 * * *"})


@pytest.mark.parametrize(
    ("inputs", "field", "value", "added"),
    [
        (CRON_JOB, "suspend", False, False),
        (CRON_JOB, "suspend", True, True),
        (SERVICE, "sessionAffinity", "None", False),
        (SERVICE, "sessionAffinity", "ClientIP", True),
    ],
)
def test_what_is_there_without_anybody_is_no_addition_when_a_hand_wrote_it(inputs, field, value, added):
    entry = written("kubectl-patch", {"f:spec": {f"f:{field}": {}}})
    lines, commands = reported(inputs, live(inputs, entry, spec=inputs["spec"] | {field: value}))
    assert (len(lines), len(commands)) == (added, added)


def test_a_host_and_a_path_of_a_list_that_has_one_owner_are_additions():
    rules = [
        {
            "host": "a.test",
            "http": {
                "paths": [{"path": "/health", "pathType": "Exact"}, {"path": "/", "pathType": "Prefix"}]
            },
        },
        {"host": "b.test"},
    ]
    row = live(
        INGRESS, written("kubectl-edit", {"f:spec": {"f:rules": {}}}), spec=INGRESS["spec"] | {"rules": rules}
    )
    lines, (command,) = reported(INGRESS, row)
    assert lines == [
        "Ingress api: spec.rules[0].http.paths[1] was added by kubectl-edit: "
        '{"path": "/", "pathType": "Prefix"}',
        'Ingress api: spec.rules[1] was added by kubectl-edit: {"host": "b.test"}',
    ]
    assert "ingress.v1.networking.k8s.io api" in command
    removed = [row["path"] for row in json.loads(shlex.split(command)[-1].removeprefix("--patch="))]
    assert removed == ["/spec/rules/1", "/spec/rules/0/http/paths/1"]


def test_a_variable_of_a_container_is_an_addition_and_its_value_no_secret():
    (container,) = DEPLOYMENT["spec"]["template"]["spec"]["containers"]
    env = [*container["env"], {"name": "DB_PASSWORD", "value": "hunter2"}]
    spec = {"template": {"spec": {"containers": [container | {"env": env}]}}}
    fields = {"f:env": {'k:{"name":"DB_PASSWORD"}': {".": {}, "f:name": {}, "f:value": {}}}}
    row = live(
        DEPLOYMENT,
        written(
            "kubectl-set",
            {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"backend"}': fields}}}}},
        ),
        spec=spec,
    )
    lines, (command,) = reported(DEPLOYMENT, row)
    assert lines == [
        "Deployment backend: spec.template.spec.containers[name=backend].env[name=DB_PASSWORD] "
        'was added by kubectl-set: {"name": "DB_PASSWORD", "value": "[secret]"}'
    ]
    assert "/spec/template/spec/containers/0/env/1" in command


def test_a_peer_that_opens_a_policy_is_an_addition_and_a_default_is_none():
    rule = {"from": [{"podSelector": {}}], "ports": [{"port": 80, "protocol": "TCP"}]}
    row = live(
        POLICY,
        written("kubectl-edit", {"f:spec": {"f:ingress": {}}}),
        spec={"ingress": [{}, rule], "podSelector": {}},
    )
    assert reported(POLICY, row)[0] == [
        "NetworkPolicy backend: spec.ingress[0] was added by kubectl-edit: {}"
    ]
    rule["from"].append({"ipBlock": {"cidr": "0.0.0.0/0"}})
    row = live(
        POLICY, written("x", {"f:spec": {"f:ingress": {}}}), spec={"ingress": [rule], "podSelector": {}}
    )
    assert reported(POLICY, row)[0] == [
        'NetworkPolicy backend: spec.ingress[0].from[1] was added by x: {"ipBlock": {"cidr": "0.0.0.0/0"}}'
    ]


def rules_of(policy, *rules):
    return live(
        policy,
        written("kubectl-edit", {"f:spec": {"f:ingress": {}}}),
        spec={"podSelector": {}, "ingress": list(rules)},
    )


RULE = {"from": [{"podSelector": {}}], "ports": [{"port": 80}]}
CLOSED = {"from": [{"podSelector": {}}], "ports": [{"port": 81, "protocol": "TCP"}]}
TWO = declared(
    "NetworkPolicy", "two", "networking.k8s.io/v1", spec={"ingress": [RULE, {"ports": [{"port": 9}]}]}
)


@pytest.mark.parametrize(
    ("policy", "rules", "paths"),
    [
        (POLICY, [CLOSED], []),
        (POLICY, [CLOSED, {}], ["spec.ingress[1]"]),
        (POLICY, [{}, RULE], ["spec.ingress[0]"]),
        (POLICY, [{}], []),
        (TWO, [CLOSED, {"ports": [{"port": 9}]}], []),
        (TWO, [{"ports": [{"port": 9}]}, RULE], []),
        (TWO, [{"ports": [{"port": 9}]}, CLOSED, {}], ["spec.ingress[2]"]),
        (TWO, [CLOSED, {"ports": [{"port": 10}]}, {}], ["spec.ingress[2]"]),
    ],
    ids=[
        "a port changed",
        "changed and added",
        "added before",
        "replaced",
        "one of two changed",
        "other order",
        "other order, changed and added",
        "both changed and added",
    ],
)
def test_what_was_edited_in_a_list_that_has_one_owner_is_left_to_the_refresh(policy, rules, paths):
    lines, _ = reported(policy, rules_of(policy, *rules))
    assert [line.partition(" was added")[0].partition(": ")[2] for line in lines] == paths


def test_a_host_of_an_ingress_that_was_edited_is_no_addition():
    rules = [INGRESS["spec"]["rules"][0] | {"host": "other.test"}]
    row = live(
        INGRESS, written("kubectl-edit", {"f:spec": {"f:rules": {}}}), spec=INGRESS["spec"] | {"rules": rules}
    )
    assert reported(INGRESS, row) == ([], ())


def test_an_annotation_that_somebody_added_is_named_and_one_of_a_controllers_work_is_not():
    notes = {
        "nginx.ingress.kubernetes.io/server-alias": "x.test",
        "cert-manager.io/issued": "yes",
        "cert-manager.io/cluster-issuer": "theirs",
    }
    fields = {"f:metadata": {"f:annotations": {".": {}, **{f"f:{key}": {} for key in notes}}}}
    row = live(INGRESS, written("kubectl-annotate", fields), metadata={"annotations": notes})
    lines, (command,) = reported(INGRESS, row)
    assert [line.partition(" was")[0] for line in lines] == [
        'Ingress api: metadata.annotations["nginx.ingress.kubernetes.io/server-alias"]',
        'Ingress api: metadata.annotations["cert-manager.io/cluster-issuer"]',
    ]
    assert "/metadata/annotations/nginx.ingress.kubernetes.io~1server-alias" in command


@pytest.mark.parametrize(
    "entry",
    [
        written("kube-controller-manager", {"f:spec": {"f:replicas": {}}}),
        written("kubectl", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
        written("somebody", {"f:status": {"f:replicas": {}}}, subresource="status"),
        written(PULUMI, {"f:spec": {"f:replicas": {}}}),
        written("cert-manager-ingress-shim", {"f:spec": {"f:replicas": {}}}),
        written("kubectl-edit", {"f:spec": {"f:template": {"f:metadata": {"f:labels": {"f:app": {}}}}}}),
        written("kubectl-edit", {"f:spec": {"f:gone": {}}, "f:metadata": {"f:finalizers": {}}}),
    ],
    ids=["controller", "scaled", "status", "program", "cert-manager", "declared", "gone"],
)
def test_what_a_controller_the_program_or_an_autoscaler_wrote_is_no_addition(entry):
    row = live(DEPLOYMENT, entry, spec={**DEPLOYMENT["spec"], "replicas": 3}, metadata={"finalizers": ["x"]})
    assert reported(DEPLOYMENT, row) == ([], ())


@pytest.mark.parametrize(
    ("row", "resource"),
    [
        (declared("NetworkPolicy", "all", "networking.k8s.io/v1"), "networkpolicy.v1.networking.k8s.io"),
        (declared("Ingress", "all", "networking.k8s.io/v1"), "ingress.v1.networking.k8s.io"),
        (declared("Service", "all"), "service"),
        (declared("Role", "all", "rbac.authorization.k8s.io/v1"), "role.v1.rbac.authorization.k8s.io"),
        (declared("Pod", "all"), "pod"),
        (declared("ServiceAccount", "all"), "serviceaccount"),
        (declared("Secret", "all", type="kubernetes.io/service-account-token"), "secret"),
    ],
)
def test_an_object_of_nobody_in_the_stacks_namespace_is_named_and_how_to_delete_it(row, resource):
    lines, (command,) = reported(SERVICE, live(row, written("kubectl-create", {"f:spec": {}})))
    assert lines == [f"{row['kind']} all: is not of this stack, and was made by kubectl-create"]
    assert command == f"kubectl --context=prod --namespace=skillflaw delete {resource} all"


@pytest.mark.parametrize(
    "row",
    [
        declared("ServiceAccount", "default"),
        declared("Secret", "api-tls", type="kubernetes.io/tls"),
        live(declared("Pod", "x"), metadata={"ownerReferences": [{"kind": "ReplicaSet"}]}),
        live(declared("Job", "x", "batch/v1"), metadata={"generateName": "skillflaw-backup-take-"}),
    ],
    ids=["default account", "certificate", "owned", "operation"],
)
def test_what_belongs_to_another_object_or_to_kubernetes_is_not_foreign(row):
    backup = declared("CronJob", "skillflaw-backup", "batch/v1")
    assert compare([NAMESPACE, backup], [live(row)], KUBECTL) == Added()


def left(kind, manager, **labels):
    row = declared(kind, "postgresql")
    row["metadata"]["labels"] = {
        "app.kubernetes.io/part-of": "skillflaw",
        "app.kubernetes.io/managed-by": "pulumi",
    }
    row["metadata"]["labels"] |= labels
    return live(row, written(manager, {"f:spec": {}}))


@pytest.mark.parametrize("kind", ["StatefulSet", "Service", "ServiceAccount"])
def test_what_a_migration_left_in_the_namespace_is_not_foreign(kind):
    assert compare([NAMESPACE], [left(kind, PULUMI)], KUBECTL) == Added()
    assert compare([NAMESPACE], [left(kind, "kubectl-create")], KUBECTL).lines
    assert compare([NAMESPACE], [left(kind, PULUMI, **{"app.kubernetes.io/part-of": "x"})], KUBECTL).lines


@pytest.mark.parametrize("kind", ["NetworkPolicy", "Ingress", "Deployment"])
def test_what_no_migration_leaves_is_foreign_whoever_made_it(kind):
    assert compare([NAMESPACE], [left(kind, PULUMI)], KUBECTL).lines


def test_objects_of_a_namespace_that_the_stack_does_not_own_are_its_owners_business():
    assert compare([SERVICE], [declared("Service", "theirs")], KUBECTL) == Added()


# --- the report ---------------------------------------------------------------------------------

NOTHING = ROOT / "tests" / "fixtures" / "previews" / "nothing.json"
NEWER = ROOT / "tests" / "fixtures" / "previews" / "newer-frontend.json"


@pytest.fixture
def report(monkeypatch):
    """The command with what was added by hand, or the error of whoever was asked."""

    def run(added, *files):
        def answer(_):
            if isinstance(added, Exception):
                raise added
            return added

        monkeypatch.setattr(by_hand, "added", answer)
        return CliRunner().invoke(app, ["drift", *map(str, files), "--stack=acme/staging"])

    return run


FOUND = Added((("Service x", "is not of this stack, and was made by me"),), ("kubectl delete service x",))


def test_what_was_added_is_drift_even_if_what_is_declared_is_as_it_should_be(report):
    done = report(FOUND, NOTHING)
    assert done.exit_code == 3
    assert "no drift" not in done.output
    assert "- `Service x`: `is not of this stack, and was made by me`\n" in done.output
    assert "    kubectl delete service x\n" in done.output


def test_additions_and_changes_of_a_stack_are_in_one_report(report):
    done = report(FOUND, NEWER)
    assert done.exit_code == 3
    assert done.output.count("is not what the program says") == 1
    assert "- `Deployment skillflaw-frontend`" in done.output
    assert "- `Service x`" in done.output


def test_nothing_added_is_no_drift(report):
    done = report(Added(), NOTHING)
    assert (done.exit_code, done.output) == (0, "`staging`: no drift\n")
    assert report(Added()).output == "`staging`: no drift\n"


def test_a_cluster_that_says_no_is_not_called_clean(report):
    done = report(ProgramError("kubectl get: forbidden"), NOTHING)
    assert done.exit_code == 5
    assert "kubectl get: forbidden" in done.output


def test_drift_of_nothing_in_particular_is_a_wrong_command_line():
    assert CliRunner().invoke(app, ["drift"]).exit_code == 2


def test_what_an_operator_notes_on_its_cluster_is_no_hand_and_what_somebody_adds_is():
    noted = written("manager", {"f:status": {"f:phase": {}}}, subresource="status")
    row = live(
        CLUSTER, noted, status={"phase": "healthy"}, spec=CLUSTER["spec"] | {"enableSuperuserAccess": True}
    )
    assert reported(CLUSTER, row) == ([], ())
    somebody = written("kubectl-edit", {"f:spec": {"f:enableSuperuserAccess": {}}})
    row["metadata"]["managedFields"].append(somebody)
    lines, commands = reported(CLUSTER, row)
    assert lines == ["Cluster database: spec.enableSuperuserAccess was added by kubectl-edit: true"]
    assert commands


@pytest.mark.parametrize(
    "groups", [(), ("postgresql.cnpg.io",), ("gateway.networking.k8s.io", "postgresql.cnpg.io")]
)
def test_kinds_that_not_every_cluster_serves_are_looked_at_where_they_are(groups):
    asked = []

    class Served:
        namespace = "skillflaw"

        def serves(self, group):
            return group in groups

        def run(self, *words):
            asked.append(words[1])
            return '{"items": []}'

    by_hand.live(Served())
    kinds = set(asked[0].split(","))
    assert ("clusters.postgresql.cnpg.io" in kinds) == ("postgresql.cnpg.io" in groups)
    assert ("httproutes.gateway.networking.k8s.io" in kinds) == ("gateway.networking.k8s.io" in groups)
