"""Only what is known to be safe is judged safe; the rest is named by object and property."""

import copy
import functools
import json
from typing import Any

import pytest

from operations.review.preview import parts, read
from operations.review.verdict import Verdict, judge
from tests.edits import EDITS, VALUES, edited
from tests.stack_files import stack_file
from tests.unit import previews
from tests.unit.previews import GONE, Digest, digest
from tests.unit.recorder import run

SAFE = {
    "nothing",
    "another image of the backend",
    "another image of the frontend",
    "another image of redis",
    "another image of restic",
    "three replicas",
    "more memory for the backend",
    "a bigger pool",
    "more memory for the cache",
    "a bigger volume",
    "a bigger database",
    "longer flows",
    "bigger small containers",
    "a dashboard",
}
DESTRUCTIVE = {"no backups", "backups in a bucket", "a URL of its own for backups"}


@pytest.fixture(scope="module")
def lab():
    return run(stack_file("lab"))


@pytest.fixture
def judged(tmp_path):
    """The review of a preview in JSON."""

    def judge_(preview: Digest):
        file = tmp_path / "prod.json"
        file.write_text(json.dumps(preview))
        return judge(read(file))

    return judge_


@pytest.fixture
def step(lab):
    """A step that edits one object of the lab's stack."""
    return functools.partial(previews.step, lab)


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_of_the_stack_file_is_safe_only_if_it_is_known_to_be(lab, judged, name):
    edits, _ = EDITS[name]
    expected = (
        Verdict.SAFE if name in SAFE else Verdict.DESTRUCTIVE if name in DESTRUCTIVE else Verdict.ATTENTION
    )
    assert judged(digest(lab, run(edited(edits)))).verdict == expected


def test_paths_that_become_public_are_named_one_by_one(lab, judged):
    shown = judged(digest(lab, run(edited(EDITS["all of the API"][0])))).warnings
    assert "opens api.skillflaw.test/api (Prefix) to skillflaw-backend:7860 (Ingress skillflaw-api)" in shown
    assert (
        "closes api.skillflaw.test/api/v1/run (Prefix) to skillflaw-backend:7860 (Ingress skillflaw-api)"
        in shown
    )
    assert not any("spec.rules" in line for line in shown)


def test_one_change_of_many_objects_is_one_line(lab, judged):
    (line,) = judged(digest(lab, run(edited(EDITS["another issuer"][0])))).warnings
    assert line == (
        "Ingress skillflaw-api, Ingress skillflaw-app, Ingress skillflaw-docs: "
        'metadata.annotations["cert-manager.io/cluster-issuer"] lab → letsencrypt'
    )


POD = "spec.template.spec"
BACKEND = f"{POD}.containers[0]"
PATH = {
    "path": "/",
    "pathType": "Prefix",
    "backend": {"service": {"name": "skillflaw-backend", "port": {"number": 7860}}},
}
ANNOTATION = 'metadata.annotations["{}"]'.format
ANYWHERE = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}

LOOKED_AT = [
    ("Ingress", "edge-api", {"spec.tls": GONE}),
    ("Ingress", "edge-api", {"spec.tls[0].hosts": []}),
    ("Ingress", "edge-api", {"spec.rules[0].http.paths[5]": PATH}),
    ("Ingress", "edge-api", {"spec.rules[0].http.paths[0].path": "/"}),
    ("Ingress", "edge-api", {"spec.rules[0].host": GONE}),
    ("Ingress", "edge-api", {"spec.defaultBackend": PATH["backend"]}),
    ("Ingress", "edge-api", {ANNOTATION("nginx.ingress.kubernetes.io/server-alias"): "x.test"}),
    ("Ingress", "edge-api", {ANNOTATION("nginx.ingress.kubernetes.io/configuration-snippet"): "return 200;"}),
    ("Ingress", "edge-api", {ANNOTATION("nginx.ingress.kubernetes.io/proxy-read-timeout"): "1"}),
    ("Ingress", "edge-api", {"metadata.labels.router": "public"}),
    ("NetworkPolicy", "network-backend", {"spec.egress[9]": ANYWHERE}),
    ("NetworkPolicy", "network-backend", {"spec.egress": [ANYWHERE]}),
    ("NetworkPolicy", "network-backend", {"spec.ingress": [{}]}),
    ("NetworkPolicy", "network-backend", {"spec.ingress[0].from": GONE}),
    ("NetworkPolicy", "network-backend", {"spec.policyTypes": ["Ingress"]}),
    ("NetworkPolicy", "network-backend", {"spec.podSelector": {}}),
    ("NetworkPolicy", "network-backend", {"metadata.labels.team": "x"}),
    ("Service", "backend-service", {"spec.type": "LoadBalancer"}),
    ("Service", "backend-service", {"spec.type": "NodePort"}),
    ("Service", "backend-service", {"spec.externalIPs": ["192.0.2.1"]}),
    ("Service", "backend-service", {"spec.selector": {}}),
    ("Deployment", "backend", {"spec.replicas": 0}),
    ("Deployment", "backend", {"spec.replicas": 1}),
    ("Deployment", "backend", {"spec.replicas": GONE}),
    ("Deployment", "backend", {"spec.paused": True}),
    ("Deployment", "backend", {f"{BACKEND}.image": "docker.io/backend:2"}),
    ("Deployment", "backend", {f"{BACKEND}.image": "skillflaw.lab/other:2"}),
    ("Deployment", "backend", {f"{BACKEND}.image": "skillflaw.lab/backend:latest"}),
    ("Deployment", "backend", {f"{BACKEND}.image": "skillflaw.lab/backend"}),
    ("Deployment", "backend", {f"{BACKEND}.image": "skillflaw.lab:1/backend:2"}),
    ("Deployment", "backend", {f"{BACKEND}.imagePullPolicy": "Always"}),
    ("Deployment", "backend", {f"{BACKEND}.securityContext.privileged": True}),
    ("Deployment", "backend", {f"{BACKEND}.securityContext.capabilities": {"add": ["SYS_ADMIN"]}}),
    ("Deployment", "backend", {f"{BACKEND}.securityContext": GONE}),
    ("Deployment", "backend", {f"{BACKEND}.command": ["sh"]}),
    ("Deployment", "backend", {f"{BACKEND}.ports[0].hostPort": 80}),
    ("Deployment", "backend", {f"{BACKEND}.resources.limits.memory": "1Gi"}),
    ("Deployment", "backend", {f"{BACKEND}.resources.limits.memory": GONE}),
    ("Deployment", "backend", {f"{BACKEND}.resources.limits.memory": "more"}),
    ("Deployment", "backend", {f"{BACKEND}.livenessProbe.failureThreshold": 1}),
    ("Deployment", "backend", {f"{BACKEND}.env[3]": {"name": "LD_PRELOAD", "value": "/x.so"}}),
    ("Deployment", "backend", {f"{BACKEND}.env[2].valueFrom.secretKeyRef.name": "other"}),
    ("Deployment", "backend", {f"{BACKEND}.envFrom[0].configMapRef.name": "other"}),
    ("Deployment", "backend", {f"{BACKEND}.volumeMounts[0].subPath": "other"}),
    ("Deployment", "backend", {f"{POD}.containers[1]": {"name": "x", "image": "skillflaw.lab/backend:1"}}),
    ("Deployment", "backend", {f"{POD}.hostNetwork": True}),
    ("Deployment", "backend", {f"{POD}.hostAliases": [{"ip": "192.0.2.1", "hostnames": ["postgresql"]}]}),
    ("Deployment", "backend", {f"{POD}.securityContext.runAsUser": 0}),
    ("Deployment", "backend", {f"{POD}.securityContext.seccompProfile": GONE}),
    ("Deployment", "backend", {f"{POD}.serviceAccountName": "admin"}),
    ("Deployment", "backend", {f"{POD}.automountServiceAccountToken": True}),
    ("Deployment", "backend", {f"{POD}.volumes[3]": {"name": "host", "hostPath": {"path": "/"}}}),
    ("Deployment", "backend", {f"{POD}.affinity": {"nodeAffinity": {"requiredDuringScheduling": {}}}}),
    ("Deployment", "backend", {f"{POD}.nodeSelector": {"a": "b"}}),
    ("Deployment", "backend", {"spec.template.metadata.labels.x": "y"}),
    ("Deployment", "backend", {ANNOTATION("pulumi.com/skipAwait"): "true"}),
    ("Deployment", "backend", {"spec.template.metadata.labels.app": GONE}),
    ("Namespace", "namespace", {'metadata.labels["pod-security.kubernetes.io/enforce"]': "privileged"}),
    ("Namespace", "namespace", {'metadata.labels["pod-security.kubernetes.io/enforce"]': GONE}),
    ("ServiceAccount", "backend-account", {"automountServiceAccountToken": True}),
    ("ServiceAccount", "backend-account", {"metadata.annotations": {"eks.amazonaws.com/role-arn": "arn"}}),
    ("PodDisruptionBudget", "backend-budget", {"spec.maxUnavailable": "100%"}),
    ("CronJob", "backup", {"spec.suspend": True}),
    ("CronJob", "backup", {"spec.jobTemplate.spec.template.spec.hostPID": True}),
    ("PersistentVolumeClaim", "storage-claim", {"spec.resources.requests.storage": "1Mi"}),
    ("PersistentVolumeClaim", "storage-claim", {"metadata.labels.x": "y"}),
]


@pytest.mark.parametrize(("kind", "name", "edits"), LOOKED_AT, ids=lambda value: str(value)[:90])
def test_what_no_rule_knows_is_looked_at_by_object_and_property(step, judged, kind, name, edits):
    changed = judged({"steps": [step(kind, name, edits)]})
    assert changed.verdict == Verdict.ATTENTION
    (path,) = edits
    assert any(kind in line for line in changed.warnings)
    assert any(str(parts(path)[:2][-1]) in line or "opens" in line for line in changed.warnings)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SKILLFLAW_AUTO_LOGIN", "true"),
        ("SKILLFLAW_CORS_ORIGINS", "*"),
        ("LANGFLOW_AUTO_LOGIN", "true"),
        ("skillflaw_webhook_auth_enable", "false"),
        ("SKILLFLAW_SSRF_PROTECTION_ENABLED", "false"),
        ("SKILLFLAW_REFRESH_HTTPONLY", "false"),
        ("SKILLFLAW_SUPERUSER", "mallory"),
        ("FORWARDED_ALLOW_IPS", "192.0.2.1"),
        ("HTTPS_PROXY", "http://proxy.test:3128"),
        ("SSL_CERT_FILE", "/etc/ca.pem"),
        ("SKILLFLAW_LOG_LEVEL", "DEBUG; rm"),
        ("SKILLFLAW_DB_CONNECTION_SETTINGS", '{"pool_size": 1}'),
    ],
)
def test_a_setting_that_is_not_known_to_be_harmless_is_looked_at(step, judged, key, value):
    changed = judged({"steps": [step("ConfigMap", "runtime-config", {f"data.{key}": value}, "replace")]})
    assert changed.verdict == Verdict.ATTENTION
    assert changed.warnings[0].startswith(f"ConfigMap runtime-config: data.{key} ")


@pytest.mark.parametrize(
    ("kind", "name", "edits", "op"),
    [
        ("ConfigMap", "runtime-config", {"data.SKILLFLAW_LOG_LEVEL": "DEBUG"}, "replace"),
        ("ConfigMap", "runtime-config", {"data.UVICORN_TIMEOUT_KEEP_ALIVE": "90"}, "replace"),
        ("Deployment", "backend", {"spec.replicas": 5}, "update"),
        ("Deployment", "backend", {f"{BACKEND}.image": f"skillflaw.lab/backend@sha256:{'1' * 64}"}, "update"),
        ("Deployment", "backend", {f"{BACKEND}.resources.requests.cpu": "2"}, "update"),
        ("Deployment", "backend", {f"{BACKEND}.readinessProbe.failureThreshold": 9}, "update"),
        ("Deployment", "backend", {"metadata.labels.team": "flows"}, "update"),
        ("PersistentVolumeClaim", "database-claim", {"spec.resources.requests.storage": "1Ti"}, "update"),
        ("CronJob", "backup", {"metadata.labels.team": "flows"}, "update"),
    ],
)
def test_what_makes_an_object_no_less_safe_is_safe(step, judged, kind, name, edits, op):
    changed = judged({"steps": [step(kind, name, edits, op)]})
    assert (changed.verdict, changed.warnings) == (Verdict.SAFE, ())


LONGER = [
    ("nginx", {"nginx.ingress.kubernetes.io/proxy-read-timeout": "9"}),
    ("f5-nginx", {"nginx.org/proxy-read-timeout": "9s"}),
    ("haproxy", {"haproxy.org/timeout-server": "9s"}),
    ("openshift", {"haproxy.router.openshift.io/timeout": "9s"}),
    ("alb", {"alb.ingress.kubernetes.io/load-balancer-attributes": "idle_timeout.timeout_seconds=9"}),
]


@pytest.mark.parametrize(("controller", "shorter"), LONGER, ids=[row[0] for row in LONGER])
def test_a_controller_may_wait_longer_and_not_shorter(step, judged, controller, shorter):
    ingress = {"className": "some", "controller": controller}
    programs = [run(edited({"edge.ingress": ingress, "backend.longestFlowSeconds": it})) for it in (60, 90)]
    grown = [row for row in digest(*programs)["steps"] if "Ingress" in row["urn"]]
    assert grown
    assert judged({"steps": grown}).verdict == Verdict.SAFE
    [back] = [row for row in digest(*reversed(programs))["steps"] if row["urn"].endswith("::edge-api")]
    assert judged({"steps": [back]}).verdict == Verdict.ATTENTION
    for key, value in shorter.items():
        row = copy.deepcopy(grown[0])
        row["newState"]["inputs"]["metadata"]["annotations"][key] = value
        assert judged({"steps": [row]}).verdict == Verdict.ATTENTION
        row["newState"]["inputs"]["metadata"]["annotations"][key] = f"99999{value}"
        assert judged({"steps": [row]}).verdict == (Verdict.ATTENTION if "=" in value else Verdict.SAFE)


def test_a_service_may_get_addresses_of_a_second_family_and_no_other_policy(step, judged):
    def changed(policy):
        row = step("Service", "backend-service", {"spec.ipFamilyPolicy": policy})
        row["oldState"]["inputs"]["spec"].pop("ipFamilyPolicy", None)
        return judged({"steps": [row]}).verdict

    assert changed("PreferDualStack") == Verdict.SAFE
    assert {changed(policy) for policy in ("RequireDualStack", "SingleStack", "x")} == {Verdict.ATTENTION}


@pytest.fixture(scope="module")
def operated():
    """A stack whose database CloudNativePG runs."""
    return run(stack_file("lab") | VALUES["a database that an operator runs"])


CLUSTER, CATALOG = ("Cluster", "database"), ("ImageCatalog", "database-catalog")


@pytest.mark.parametrize(
    ("what", "edits"),
    [
        (CLUSTER, {"spec.instances": 48}),
        (CLUSTER, {"spec.storage.size": "1Pi"}),
        (CLUSTER, {"spec.walStorage.size": "1Pi"}),
        (CLUSTER, {"spec.resources.limits.memory": "1Ti"}),
        (CLUSTER, {"spec.postgresql.parameters.max_connections": "9999"}),
        (CATALOG, {"spec.images[0].image": f"skillflaw.lab/postgres@sha256:{'1' * 64}"}),
    ],
    ids=str,
)
def test_a_database_of_an_operator_may_grow_and_get_a_patch_release(operated, judged, what, edits):
    changed = judged({"steps": [previews.step(operated, *what, edits)]})
    assert (changed.verdict, changed.warnings) == (Verdict.SAFE, ())


@pytest.mark.parametrize(
    ("what", "edits"),
    [
        (CLUSTER, {"spec.instances": 1}),
        (CLUSTER, {"spec.storage.size": "1Gi"}),
        (CLUSTER, {"spec.enableSuperuserAccess": True}),
        (CLUSTER, {"spec.postgresql.pg_hba": ["host all all all trust"]}),
        (CLUSTER, {"spec.postgresql.synchronous": GONE}),
        (CLUSTER, {"spec.postgresql.parameters.fsync": "off"}),
        (CLUSTER, {"spec.imageCatalogRef.major": 88}),
        (CLUSTER, {"spec.managed.roles[0].superuser": True}),
        (CLUSTER, {"spec.backup": {}}),
        (CATALOG, {"spec.images[0].image": "elsewhere.example/postgres:16.4"}),
        (CATALOG, {"spec.images[0].major": 88}),
    ],
    ids=str,
)
def test_whatever_else_changes_of_a_database_of_an_operator_is_looked_at(operated, judged, what, edits):
    assert judged({"steps": [previews.step(operated, *what, edits)]}).verdict == Verdict.ATTENTION


@pytest.fixture(scope="module")
def archived():
    """A stack whose database is archived."""
    return run(stack_file("lab") | VALUES["a database whose changes are archived"])


STORE, BASE_BACKUPS = ("ObjectStore", "database-archive"), ("ScheduledBackup", "database-base-backups")


@pytest.mark.parametrize(
    ("what", "edits", "op"),
    [
        (STORE, {"spec.configuration.destinationPath": "s3://elsewhere/lab"}, "update"),
        (STORE, {"spec.configuration.endpointURL": "https://elsewhere.test"}, "update"),
        (STORE, {"spec.configuration.s3Credentials.accessKeyId.name": "elsewhere"}, "update"),
        (STORE, {"spec.retentionPolicy": "1d"}, "update"),
        (STORE, {"spec.instanceSidecarConfiguration.env[0].name": "HTTPS_PROXY"}, "update"),
        (STORE, {}, "create"),
        (STORE, {}, "delete"),
        (BASE_BACKUPS, {"spec.schedule": "0 0 0 1 1 *"}, "update"),
        (BASE_BACKUPS, {"spec.suspend": True}, "update"),
        (BASE_BACKUPS, {}, "delete"),
        (("Cluster", "database-g2"), {"spec.plugins": GONE}, "update"),
        (("Cluster", "database-g2"), {"spec.plugins[0].parameters.serverName": "database"}, "update"),
    ],
    ids=str,
)
def test_whoever_sends_an_archive_elsewhere_or_ends_it_is_looked_at(archived, judged, what, edits, op):
    assert judged({"steps": [previews.step(archived, *what, edits, op)]}).verdict == Verdict.ATTENTION


@pytest.mark.parametrize("op", ["delete", "replace"])
def test_a_cluster_that_goes_is_a_loss_and_its_password_alone_is_none(operated, judged, op):
    assert judged({"steps": [previews.step(operated, *CLUSTER, {}, op)]}).verdict == Verdict.DESTRUCTIVE
    password = previews.step(operated, "RandomPassword", "database-password", {}, op)
    assert judged({"steps": [password]}).verdict == Verdict.ATTENTION


def test_a_range_of_replicas_may_grow_and_not_shrink(judged):
    small, big = (run(edited({"backend.scale": {"min": 2, "max": most}})) for most in (2, 3))
    assert judged(digest(small, big)).verdict == Verdict.SAFE
    assert judged(digest(big, small)).warnings == (
        "HorizontalPodAutoscaler skillflaw-backend: spec.maxReplicas 3 → 2",
    )


# --- what comes into being ----------------------------------------------------------------------


def made(token: str, **inputs: Any) -> dict[str, Any]:
    inputs = {"metadata": {"name": "new", "namespace": "skillflaw"}} | inputs
    return {
        "op": "create",
        "urn": f"urn:pulumi:test::skillflaw::{token}::new",
        "newState": {"custom": True, "inputs": inputs},
    }


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("kubernetes:core/v1:Pod", {}),
        ("kubernetes:apps/v1:Deployment", {}),
        ("kubernetes:apps/v1:DaemonSet", {}),
        ("kubernetes:batch/v1:Job", {}),
        ("kubernetes:rbac.authorization.k8s.io/v1:Role", {}),
        ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", {}),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", {"spec": {"podSelector": {}, "ingress": [{}]}}),
        ("kubernetes:networking.k8s.io/v1:Ingress", {"spec": {"rules": [{"http": {}}]}}),
        ("kubernetes:serving.knative.dev/v1:Service", {"spec": {}}),
        (
            "kubernetes:monitoring.coreos.com/v1:PodMonitor",
            {"spec": {"namespaceSelector": {"any": True}, "podMetricsEndpoints": [{"port": "http"}]}},
        ),
        (
            "kubernetes:monitoring.coreos.com/v1:PodMonitor",
            {"spec": {"podMetricsEndpoints": [{"port": "http", "bearerTokenSecret": {"name": "a"}}]}},
        ),
        ("kubernetes:monitoring.coreos.com/v1:PodMonitor", {}),
        (
            "kubernetes:monitoring.coreos.com/v1:PrometheusRule",
            {"spec": {"groups": [{"rules": [{"record": "up", "expr": "1"}]}]}},
        ),
        ("kubernetes:monitoring.coreos.com/v1:PrometheusRule", {"spec": {"groups": "(known later)"}}),
        ("kubernetes:core/v1:Service", {"spec": {"type": "LoadBalancer"}}),
        ("kubernetes:core/v1:Service", {"spec": {"externalIPs": ["192.0.2.1"]}}),
        ("kubernetes:core/v1:Service", {"spec": {"type": "ExternalName", "externalName": "x.test"}}),
        ("kubernetes:core/v1:Secret", {"type": "kubernetes.io/service-account-token"}),
        (
            "kubernetes:core/v1:ServiceAccount",
            {"metadata": {"name": "new", "annotations": {"iam.gke.io/gcp-service-account": "a"}}},
        ),
        ("aws:iam/role:Role", {}),
    ],
)
def test_a_new_object_that_opens_runs_or_grants_is_looked_at(judged, token, inputs):
    created = judged({"steps": [made(token, **inputs)]})
    assert created.verdict == Verdict.ATTENTION
    assert f"creates {token.rpartition(':')[2]} new" in created.warnings


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("kubernetes:core/v1:ConfigMap", {"data": {"a": "b"}}),
        ("kubernetes:core/v1:ServiceAccount", {"automountServiceAccountToken": False}),
        ("kubernetes:core/v1:Service", {"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}),
        ("kubernetes:policy/v1:PodDisruptionBudget", {"spec": {"maxUnavailable": 1}}),
        (
            "kubernetes:monitoring.coreos.com/v1:PodMonitor",
            {"spec": {"selector": {}, "podMetricsEndpoints": [{"port": "metrics", "interval": "30s"}]}},
        ),
        (
            "kubernetes:monitoring.coreos.com/v1:PrometheusRule",
            {"spec": {"groups": [{"name": "a", "rules": [{"alert": "A", "expr": "up == 0"}]}]}},
        ),
        ("kubernetes:core/v1:PersistentVolumeClaim", {"spec": {}}),
        ("random:index/randomPassword:RandomPassword", {"length": 32}),
    ],
)
def test_a_new_object_that_can_do_nothing_by_itself_is_safe(judged, token, inputs):
    assert judged({"steps": [made(token, **inputs)]}).verdict == Verdict.SAFE


@pytest.mark.parametrize("op", ["import", "read-replacement", "something new"])
def test_an_operation_that_nobody_knows_is_looked_at(judged, op):
    row = made("kubernetes:core/v1:ConfigMap") | {"op": op}
    assert judged({"steps": [row]}).verdict >= Verdict.ATTENTION


# --- what is given up ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "edits", "said"),
    [
        (
            "Deployment",
            "backend",
            {f"{BACKEND}.env[0].valueFrom.secretKeyRef.name": "theirs"},
            "uses another database: SKILLFLAW_DATABASE_URL, url of Secret database-secret",
        ),
        (
            "Deployment",
            "backend",
            {f"{BACKEND}.env[0].valueFrom.secretKeyRef.key": "other"},
            "uses another database: SKILLFLAW_DATABASE_URL, url of Secret database-secret",
        ),
        (
            "Deployment",
            "backend",
            {f"{BACKEND}.env[0]": {"name": "SKILLFLAW_DATABASE_URL", "value": "postgresql://u:hunter2@db/x"}},
            "→ postgresql://u:[secret]@db/x",
        ),
        (
            "Deployment",
            "backend",
            {f"{BACKEND}.env[0]": {"name": "SKILLFLAW_DATABASE_URL", "value": "postgresql://db.test:5432/x"}},
            "→ postgresql://db.test:5432/x",
        ),
        (
            "Deployment",
            "backend",
            {f"{BACKEND}.env[0]": {"name": "PGHOST", "value": "db.test"}},
            "→ nothing (Deployment skillflaw-backend)",
        ),
        (
            "Deployment",
            "backend",
            {f"{BACKEND}.env[0]": GONE},
            "uses another database: SKILLFLAW_DATABASE_URL, url of Secret database-secret",
        ),
        (
            "Deployment",
            "backend",
            {f"{POD}.volumes[1].secret.secretName": "theirs"},
            "uses another secret key: volume secret-key",
        ),
        (
            "Deployment",
            "backend",
            {f"{POD}.volumes[1].secret.items[0].key": "other"},
            "uses another secret key: volume secret-key",
        ),
        (
            "Deployment",
            "backend",
            {f"{POD}.volumes[0].persistentVolumeClaim.claimName": "theirs"},
            "uses another claim: volume data, skillflaw-backend-data → theirs",
        ),
        (
            "Deployment",
            "backend",
            {f"{POD}.volumes[0]": {"name": "data", "emptyDir": {}}},
            "uses another claim: volume data, skillflaw-backend-data → nothing",
        ),
        (
            "CronJob",
            "backup",
            {"spec.jobTemplate.spec.template.spec.volumes[5].persistentVolumeClaim.claimName": "theirs"},
            "uses another claim: volume backups, skillflaw-backups → theirs",
        ),
        (
            "Job",
            "bootstrap-key",
            {f"{BACKEND}.command[6]": "0123456789abcdef"},
            "gives up what the key 0123456789abcdef encrypts",
        ),
    ],
)
def test_state_that_pods_no_longer_use_is_a_loss(step, judged, kind, name, edits, said):
    changed = judged({"steps": [step(kind, name, edits, "replace" if kind == "Job" else "update")]})
    assert changed.verdict == Verdict.DESTRUCTIVE
    assert any(said in sentence for sentence in changed.gives_up), changed.gives_up


def test_a_database_that_a_config_map_names_is_not_exchanged_unseen(step, judged):
    edits = {"data.SKILLFLAW_DATABASE_HOST": "other.test"}
    row = step("ConfigMap", "runtime-config", edits, "replace")
    row["oldState"]["inputs"]["data"]["SKILLFLAW_DATABASE_HOST"] = "db.test"
    assert judged({"steps": [row]}).gives_up == (
        "uses another database: SKILLFLAW_DATABASE_HOST, db.test → other.test (ConfigMap runtime-config)",
    )


@pytest.mark.parametrize(
    ("url", "lost"),
    [
        ("postgresql://db.test:5432/x?sslmode=verify-full", False),
        ("postgresql://db.test:5432/x", False),
        ("postgresql://other.test:5432/x?sslmode=require", True),
        ("postgresql://db.test:5433/x?sslmode=require", True),
        ("postgresql://db.test:5432/y?sslmode=require", True),
        ("postgresql://db.test:5432/x?sslmode=require&host=other.test", True),
        ("postgresql://db.test:5432/x?host=other.test&sslmode=require", True),
    ],
)
def test_a_database_by_its_address_is_another_one_elsewhere_and_not_by_another_encryption(
    step, judged, url, lost
):
    row = step(
        "Deployment", "backend", {f"{BACKEND}.env[0]": {"name": "SKILLFLAW_DATABASE_URL", "value": url}}
    )
    before = row["oldState"]["inputs"]["spec"]["template"]["spec"]["containers"][0]["env"]
    before[0] = {"name": "SKILLFLAW_DATABASE_URL", "value": "postgresql://db.test:5432/x?sslmode=require"}
    changed = judged({"steps": [row]})
    assert bool(changed.gives_up) == lost
    # How a connection is encrypted is for a reviewer to look at.
    assert changed.verdict == (Verdict.DESTRUCTIVE if lost else Verdict.ATTENTION)


@pytest.mark.parametrize("name", ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE"])
def test_libpqs_own_variables_say_which_database_is_used(step, judged, name):
    row = step("Deployment", "backend", {f"{BACKEND}.env[0]": {"name": name, "value": "new.test"}})
    before = row["oldState"]["inputs"]["spec"]["template"]["spec"]["containers"][0]["env"]
    before[0] = {"name": name, "value": "old.test"}
    assert any(f"another database: {name}" in sentence for sentence in judged({"steps": [row]}).gives_up)


def test_a_new_version_of_the_stacks_own_secret_is_the_same_database(step, judged):
    path = f"{BACKEND}.env[0].valueFrom.secretKeyRef.name"
    secret = step("Secret", "database-secret", {"metadata.name": "database-secret-2"}, "replace")
    pods = step("Deployment", "backend", {path: "database-secret-2"})
    assert judged({"steps": [secret, pods]}).gives_up == ()
    assert judged({"steps": [secret, step("Deployment", "backend", {path: "other"})]}).gives_up


# --- the connection to the cluster --------------------------------------------------------------


def provider(op: str, **inputs: str) -> dict[str, Any]:
    return {
        "op": op,
        "urn": "urn:pulumi:test::skillflaw::pulumi:providers:kubernetes::cluster",
        "oldState": {"custom": True, "inputs": {"context": "prod", "kubeconfig": "/a"}},
        "newState": {"custom": True, "inputs": {"context": "prod", "kubeconfig": "/a"} | inputs},
    }


@pytest.mark.parametrize(
    "inputs", [{"context": "other"}, {"kubeconfig": "/b"}, {"clusterIdentifier": "b"}, {}]
)
def test_a_connection_that_changes_is_never_safe(judged, inputs):
    changed = judged({"steps": [provider("update", **inputs)]})
    assert changed.verdict == Verdict.ATTENTION
    assert changed.warnings[0].startswith(
        "updates the connection to the cluster (provider kubernetes cluster)"
    )


def test_a_connection_that_is_replaced_is_a_loss_and_so_are_objects_replaced_with_it(step, judged):
    assert judged({"steps": [provider("replace", context="other")]}).verdict == Verdict.DESTRUCTIVE
    moved = step("Service", "backend-service", {"metadata.namespace": "x"}, "replace")
    assert judged({"steps": [moved]}).verdict == Verdict.ATTENTION
    assert judged({"steps": [moved, provider("update", context="other")]}).verdict == Verdict.DESTRUCTIVE
