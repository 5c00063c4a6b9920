"""What a stack file refers to and a cluster lacks, by a kubectl and a pulumi that answer as recorded."""

import base64
import copy
import functools
import json
import os
import re

import pytest
from typer.testing import CliRunner

from operations.__main__ import app
from operations.preflight.plan import CHECKS
from operations.preflight.quantity import amount
from operations.preflight.selectors import query, selects
from tests.stack_files import filled_in
from tests.unit.previews import digest
from tests.unit.recorder import Program, run
from tests.unit.test_workflows import rights

KUBECTL = """#!/bin/sh
cd {folder}
echo "$*" >> asked
for word; do
  case "$word" in
    --raw=*) answer=${{word#--raw=}};;
    get | create | version | config) answer=/$word;;
  esac
done
case "$answer" in /get | /create) cat > "given-${{answer#/}}";; esac
if [ -e "answers$answer.refused" ]; then cat "answers$answer.refused" >&2; exit 1; fi
if [ -e "answers$answer.json" ]; then cat "answers$answer.json"; exit; fi
echo 'Error from server (NotFound): the server could not find the requested resource' >&2
exit 1
"""
PULUMI = """#!/bin/sh
# Without the option the steps of what stays are left out.
case "$*" in preview*--show-sames* | config*) cat {folder}/$1;; *) echo '{{"steps": []}}';; esac
exit $(cat {folder}/$1-exit)
"""
FORBIDDEN = 'Error from server (Forbidden): secrets is forbidden: User "job" cannot get resource "secrets"'
SECRETS = "/api/v1/namespaces/skillflaw/secrets"
CLAIMS = "/api/v1/namespaces/skillflaw/persistentvolumeclaims"
NAMESPACE = "/api/v1/namespaces/skillflaw"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
GATEWAY = "/apis/gateway.networking.k8s.io/v1/namespaces/edge/gateways/public"
DNS = "/api/v1/namespaces/kube-system"
EDGE_PODS = "/api/v1/namespaces/traefik/pods?limit=1"
SLICES = (
    "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    "?labelSelector=kubernetes.io%2Fservice-name%3Dkube-dns"
)

FOUND = {"namespace": {"create": False}}
"""The edit of a stack file whose namespace exists."""


def named(name, **parts):
    return {"metadata": {"name": name}} | parts


def items(*rows):
    return {"items": list(rows)}


def secret(**values):
    return {"type": "Opaque", "data": {key: encoded(value) for key, value in values.items()}}


def encoded(value):
    return base64.b64encode(value.encode()).decode()


def kinds(**names):
    return {
        "resources": [
            {"kind": kind, "name": plural, "namespaced": kind != "Namespace"}
            for kind, plural in names.items()
        ]
    }


WHOLE = {
    "/version": {"serverVersion": {"gitVersion": "v1.31.4-gke.1"}},
    "/config": {"contexts": [{"name": "skillflaw-prod"}]},
    "/get": None,
    "/create": {"spec": {"resourceAttributes": {}}, "status": {"allowed": True}},
    "/api/v1": kinds(
        Namespace="namespaces",
        Secret="secrets",  # noqa: S106  a plural
        ConfigMap="configmaps",
        Service="services",
        ServiceAccount="serviceaccounts",
        PersistentVolumeClaim="persistentvolumeclaims",
    ),
    "/apis/apps/v1": kinds(Deployment="deployments", StatefulSet="statefulsets"),
    "/apis/batch/v1": kinds(Job="jobs", CronJob="cronjobs"),
    "/apis/policy/v1": kinds(PodDisruptionBudget="poddisruptionbudgets"),
    "/apis/autoscaling/v2": kinds(HorizontalPodAutoscaler="horizontalpodautoscalers"),
    "/apis/networking.k8s.io/v1": kinds(Ingress="ingresses", NetworkPolicy="networkpolicies"),
    "/apis/gateway.networking.k8s.io/v1": kinds(HTTPRoute="httproutes"),
    "/apis/cert-manager.io/v1": kinds(ClusterIssuer="clusterissuers"),
    "/apis/cert-manager.io/v1/clusterissuers": items(
        named("letsencrypt", status={"conditions": [{"type": "Ready", "status": "True"}]})
    ),
    "/apis/networking.k8s.io/v1/ingressclasses": items(named("traefik")),
    "/apis/metrics.k8s.io/v1beta1": {"resources": []},
    CLASSES: items(
        {
            "metadata": {
                "name": "files",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "efs.csi.aws.com",
            "volumeBindingMode": "Immediate",
        },
        named("disks", provisioner="ebs.csi.aws.com", volumeBindingMode="WaitForFirstConsumer"),
    ),
    GATEWAY: {
        "spec": {
            "listeners": [
                {
                    "name": "https",
                    "hostname": "*.example.com",
                    "allowedRoutes": {"namespaces": {"from": "All"}},
                }
            ]
        }
    },
    f"{SECRETS}/skillflaw-database": secret(url="postgresql://app:hunter2@db.internal/app"),
    f"{SECRETS}/skillflaw-redis": secret(url="rediss://:hunter2@redis.internal:6379/0"),
    "/api/v1/namespaces": items(named("traefik"), named("kube-system")),
    "/api/v1/nodes": items(named("a", status={"nodeInfo": {"architecture": "arm64"}})),
    EDGE_PODS: items(named("controller")),
    f"{DNS}/services?labelSelector=k8s-app%3Dkube-dns": items(
        {
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"clusterIP": "10.0.0.10", "selector": {"k8s-app": "kube-dns"}},
        }
    ),
    f"{DNS}/pods?labelSelector=k8s-app%3Dkube-dns": items(
        {"metadata": {"name": "coredns-1", "labels": {"k8s-app": "kube-dns"}}, "spec": {}}
    ),
    SLICES: items(
        {
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                {"name": "metrics", "port": 9153, "protocol": "TCP"},
            ],
            "endpoints": [{"addresses": ["10.1.0.7"], "targetRef": {"name": "coredns-1"}}],
        }
    ),
}
"""Answers of a cluster that lacks nothing of what the committed production file asks for, by path."""


@functools.cache
def preview_of(edits):
    config = filled_in("prod")
    for path, value in json.loads(edits).items():
        *sections, last = path.split(".")
        holder = functools.reduce(lambda inner, key: inner.setdefault(key, {}), sections, config)
        holder[last] = value
        if value is None:
            del holder[last]
    return json.dumps(digest(Program(), run(config)))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    for name, text in (("kubectl", KUBECTL), ("pulumi", PULUMI)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text.format(folder=tmp_path))
        program.chmod(0o755)
    cluster = json.dumps({"context": "skillflaw-prod"})
    (tmp_path / "config").write_text(json.dumps({"skillflaw:cluster": {"value": cluster}}))
    (tmp_path / "config-exit").write_text("0")
    (tmp_path / "preview-exit").write_text("0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def look(machine):
    """Runs preflight: the stack file has some edits, the cluster's answers some changes.

    None takes an answer away, and a text is a refusal.
    """

    def runs(changes=None, edits=None, steps=None, command="preflight"):
        preview = json.loads(preview_of(json.dumps(edits or {})))
        for step in steps or ():
            step(preview)
        (machine / "preview").write_text(json.dumps(preview))
        for path, answer in (WHOLE | (changes or {})).items():
            kind = "refused" if isinstance(answer, str) else "json"
            file = machine / f"answers{path}.{kind}"
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(answer, str):
                file.write_text(answer)
            elif answer is not None:
                file.write_text(json.dumps(answer))
            elif path == "/get":
                file.write_text("")
        done = CliRunner().invoke(app, [command, "--stack=prod"])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return runs


def lacking(done):
    """What lacks: (thing, found, remedy) of each problem."""
    assert done.exit_code == 1, done.output
    blocks = done.output.split("\n\n✗ ")[1:]
    rows = [block.split("\n\n")[0].rstrip().split("\n") for block in blocks]
    return [
        (what, found.removeprefix("  found:  "), remedy.removeprefix("  remedy: "))
        for what, found, remedy in rows
    ]


def test_a_cluster_that_has_everything_lacks_nothing_and_each_check_says_what_it_looked_at(look, machine):
    done = look()
    assert done.exit_code == 0, done.output
    assert "✗" not in done.output
    assert "context skillflaw-prod, Kubernetes v1.31.4-gke.1" in done.output
    assert done.output.count("\n✓ ") == len(CHECKS)
    assert "2 images" in done.output
    assert "nodes are arm64" in done.output


def test_nothing_is_asked_of_the_cluster_but_to_read_and_what_is_permitted(look, machine):
    look()
    words = [
        line.split("--namespace=")[1].split()[1] for line in (machine / "asked").read_text().splitlines()
    ]
    assert set(words) == {"get", "create", "version", "config"}
    assert words.count("create") == 1
    assert all(
        line.startswith("--context=skillflaw-prod ") for line in (machine / "asked").read_text().splitlines()
    )


def test_an_empty_cluster_lacks_everything_in_one_list(look):
    every = {path: None for path in WHOLE if path.startswith("/api") and path.count("/") > 2}
    things = "\n".join(what for what, *_ in lacking(look(every | {"/apis/apps/v1": WHOLE["/apis/apps/v1"]})))
    for thing in (
        "kind Job of batch/v1",
        "Secret skillflaw-database",
        "Secret skillflaw-redis",
        "a default StorageClass",
        "IngressClass traefik",
        "ClusterIssuer letsencrypt",
        "who answers names",
        "pods behind namespace kubernetes.io/metadata.name=traefik",
    ):
        assert thing in things


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("v1.30.0", True),
        ("v1.29.9-eks-1", False),
        ("v1.9.1", False),
        ("v2.0.0", True),
        ("v1.100.1+k3s1", True),
    ],
)
def test_the_api_server_is_of_a_version_that_knows_what_pods_use(look, version, enough):
    done = look({"/version": {"serverVersion": {"gitVersion": version}}})
    assert done.exit_code == (0 if enough else 1)
    if not enough:
        assert lacking(done) == [
            ("Kubernetes 1.30 or newer", version, "upgrade the cluster, or use another one")
        ]


def live_namespace(**labels):
    return {"metadata": {"name": "skillflaw", "labels": labels}, "status": {"phase": "Active"}}


def marked(stack):
    return {"metadata": {"name": "skillflaw", "annotations": {"skillflaw.com/stack": stack}}}


OWN_LABELS = {"app.kubernetes.io/part-of": "skillflaw", "app.kubernetes.io/managed-by": "pulumi"}


@pytest.mark.parametrize(
    ("edits", "changes", "said"),
    [
        ({}, {NAMESPACE: live_namespace()}, ("it exists", "namespace.create: false")),
        ({}, {NAMESPACE: live_namespace(**OWN_LABELS)}, ("made by a stack", "operations adopt")),
        ({}, {NAMESPACE: marked("shop")}, ("belongs to the stack shop", "namespace.name")),
        (FOUND, {}, ("no such namespace", "kubectl create namespace skillflaw")),
        (FOUND, {NAMESPACE: marked("shop")}, ("belongs to the stack shop", "namespace.name")),
        (
            FOUND,
            {
                NAMESPACE: live_namespace(),
                f"{NAMESPACE}/configmaps": items(
                    {"metadata": {"name": "skillflaw-stack", "annotations": {"skillflaw.com/stack": "shop"}}}
                ),
            },
            ("belongs to the stack shop", "namespace.name"),
        ),
        (
            FOUND,
            {NAMESPACE: live_namespace() | {"status": {"phase": "Terminating"}}},
            ("being deleted", "wait"),
        ),
    ],
)
def test_the_namespace_is_free_or_there_as_the_stack_file_says_and_of_no_other_stack(
    look, edits, changes, said
):
    ((what, found, remedy),) = lacking(look(changes, edits))
    assert "Namespace skillflaw" in what
    assert said[0] in found
    assert said[1] in remedy


def test_a_namespace_that_is_found_says_its_pod_security(look):
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    done = look({NAMESPACE: live_namespace(**level)}, FOUND)
    assert "✓ Namespace skillflaw: exists, Pod Security restricted" in done.output


def of_deployment(change):
    """A step that changes the backend's pods in the preview."""

    def step(preview):
        (found,) = [each for each in preview["steps"] if each["urn"].endswith("apps/v1:Deployment::backend")]
        change(found["newState"]["inputs"]["spec"]["template"]["spec"])

    return step


@pytest.mark.parametrize(
    ("level", "change", "why"),
    [
        ("restricted", lambda spec: spec["containers"][0].pop("securityContext"), "allowPrivilegeEscalation"),
        ("baseline", lambda spec: spec.update(hostNetwork=True), "hostNetwork"),
        (
            "baseline",
            lambda spec: spec["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
            "hostPath volume host",
        ),
    ],
)
def test_pods_that_the_namespaces_pod_security_refuses_are_named(look, level, change, why):
    changes = {NAMESPACE: live_namespace(**{"pod-security.kubernetes.io/enforce": level})}
    assert look(changes, FOUND).exit_code == 0
    ((what, found, _),) = lacking(look(changes, FOUND, [of_deployment(change)]))
    assert "Deployment skillflaw-backend" in what
    assert why in found


def test_an_object_that_stands_where_the_stack_would_make_one_is_named(look):
    there = {"kind": "Service", "metadata": {"name": "skillflaw-backend", "namespace": "skillflaw"}}
    ((what, found, remedy),) = lacking(look({"/get": {"items": [there]}}))
    assert (what, found) == ("Service skillflaw-backend, which the stack would make", "it exists")
    assert "operations adopt" in remedy


def test_a_secret_that_pods_read_and_nobody_made_comes_with_the_command_that_makes_it(look):
    found = lacking(look({f"{SECRETS}/skillflaw-database": None, NAMESPACE: live_namespace()}, FOUND))
    assert found == [
        (
            f"Secret skillflaw-database, for Deployment skillflaw-backend, {jobs(FOUND)}",
            "none in namespace skillflaw",
            "kubectl create secret generic skillflaw-database --namespace=skillflaw --from-literal=url=…",
        )
    ]


def jobs(edits):
    """The Jobs of the bootstrap, whose names change with their content."""
    steps = json.loads(preview_of(json.dumps(edits)))["steps"]
    made = [each for each in steps if "batch/v1:Job::bootstrap" in each["urn"]]
    return ", ".join(sorted(f"Job {step['newState']['inputs']['metadata']['name']}" for step in made))


def test_where_the_stack_would_make_the_namespace_the_remedy_makes_it_before_the_secret(look):
    ((*_, remedy),) = lacking(look({f"{SECRETS}/skillflaw-database": None}))
    assert remedy.startswith(
        "namespace.create: false, kubectl create namespace skillflaw, then kubectl create secret generic"
    )


def test_a_secret_without_the_key_that_is_read_shows_the_keys_that_it_has(look):
    ((what, found, _),) = lacking(
        look({f"{SECRETS}/skillflaw-redis": secret(uri="rediss://:x@redis", port="1")})
    )
    assert what.startswith("url in Secret skillflaw-redis")
    assert found == "its keys are port, uri"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "hunter2",
        "db.internal:5432/app?hunter2",
        "mysql://app:hunter2@db.internal/app",
        "rediss://:hunter2@redis.internal",
        "postgresql://app:hunter2@db.internal/app\n",
        "postgresql://app:hunter2/@db.internal/app",
        "postgresql://app:hunter2#@db.internal:5432/app",
        "postgresql:///hunter2",
        "postgresql://app:hunter2@[db/app",
        '"postgresql://app:hunter2@db.internal/app"',
    ],
)
def test_a_value_that_is_no_url_of_a_database_is_found_and_never_shown(look, value):
    done = look({f"{SECRETS}/skillflaw-database": secret(url=value)})
    ((what, found, _),) = lacking(done)
    assert what.startswith("url in Secret skillflaw-database")
    assert what.endswith("as SKILLFLAW_DATABASE_URL")
    assert found.startswith("its value ")
    assert "hunter2" not in done.output
    assert "mysql" not in done.output


@pytest.mark.parametrize(
    "value",
    [
        "postgres://app:p%2Fw@db.internal/app",
        "postgresql+psycopg://app:p@db.internal:5432/app?sslmode=require",
        "postgresql://app:p@[fd00::1]:5432/app",
    ],
)
def test_a_url_of_a_database_passes(look, value):
    assert look({f"{SECRETS}/skillflaw-database": secret(url=value)}).exit_code == 0


def refers(**spec):
    return of_deployment(lambda found: found.update(copy.deepcopy(spec)))


@pytest.mark.parametrize(
    ("spec", "path", "answer", "thing"),
    [
        (
            {"imagePullSecrets": [{"name": "registry"}]},
            f"{SECRETS}/registry",
            {"type": "kubernetes.io/dockerconfigjson", "data": {}},
            "Secret registry",
        ),
        (
            {"volumes": [{"name": "ca", "configMap": {"name": "authority", "items": [{"key": "ca.crt"}]}}]},
            f"{NAMESPACE}/configmaps/authority",
            {"data": {"ca.crt": "…"}},
            "ConfigMap authority",
        ),
        (
            {
                "volumes": [
                    {
                        "name": "all",
                        "projected": {"sources": [{"secret": {"name": "tls", "items": [{"key": "a"}]}}]},
                    }
                ]
            },
            f"{SECRETS}/tls",
            {"data": {"a": "…"}},
            "Secret tls",
        ),
        (
            {"priorityClassName": "high"},
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            items(named("high")),
            "PriorityClass high",
        ),
        (
            {"runtimeClassName": "gvisor"},
            "/apis/node.k8s.io/v1/runtimeclasses",
            items(named("gvisor")),
            "RuntimeClass gvisor",
        ),
        (
            {"serviceAccountName": "theirs"},
            f"{NAMESPACE}/serviceaccounts/theirs",
            named("theirs"),
            "ServiceAccount theirs",
        ),
        (
            {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "old"}}]},
            f"{CLAIMS}/old",
            named("old", spec={}, status={"phase": "Bound"}),
            "PersistentVolumeClaim old",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_what_a_pods_spec_names_exists_or_is_named(look, spec, path, answer, thing):
    assert look({path: answer}, steps=[refers(**spec)]).exit_code == 0
    os.remove(f"answers{path}.json")
    ((what, *_),) = lacking(look(steps=[refers(**spec)]))
    assert what.startswith(f"{thing}, for Deployment skillflaw-backend")


def test_what_is_optional_may_lack(look):
    spec = {"volumes": [{"name": "ca", "secret": {"secretName": "authority", "optional": True}}]}
    assert look(steps=[refers(**spec)]).exit_code == 0


def test_a_pull_secret_has_the_type_that_nodes_read(look):
    changes = {f"{SECRETS}/registry": secret(url="x")}
    ((_, found, remedy),) = lacking(look(changes, steps=[refers(imagePullSecrets=[{"name": "registry"}])]))
    assert found == "its type is Opaque, not kubernetes.io/dockerconfigjson"
    assert "docker-registry" in remedy


@pytest.mark.parametrize(
    ("phase", "of_class", "usable"),
    [
        ("Bound", "gone", True),
        ("Pending", "disks", True),
        ("Pending", "files", False),
        ("Pending", "gone", False),
        ("Lost", "disks", False),
    ],
)
def test_a_claim_that_is_named_is_bound_or_waits_for_its_first_pod(look, phase, of_class, usable):
    spec = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "old"}}]}
    claim = named("old", spec={"storageClassName": of_class}, status={"phase": phase})
    done = look({f"{CLAIMS}/old": claim}, steps=[refers(**spec)])
    assert done.exit_code == (0 if usable else 1)
    assert usable or lacking(done)[0][1] == f"it is {phase}"


@pytest.mark.parametrize(
    ("edits", "changes", "what"),
    [
        ({"storage.className": "fast"}, {}, "StorageClass fast"),
        ({"storage.className": "disks"}, {}, "ReadWriteMany of PersistentVolumeClaim skillflaw-backend-data"),
        ({}, {CLASSES: items(named("files", provisioner="nfs"))}, "a default StorageClass"),
        (
            {"storage.className": "here"},
            {CLASSES: items(named("here", provisioner="rancher.io/local-path"))},
            "ReadWriteMany of",
        ),
        (
            {"storage.className": "old"},
            {CLASSES: items(named("old", provisioner="kubernetes.io/gce-pd"))},
            "ReadWriteMany of",
        ),
    ],
)
def test_the_class_of_a_claim_exists_and_knows_its_access_mode(look, edits, changes, what):
    ((found, *_),) = lacking(look(changes, edits))
    assert found.startswith(what)


def test_a_class_of_one_node_at_a_time_is_enough_for_one_node(look):
    edits = {
        "storage.className": "disks",
        "storage.accessMode": "ReadWriteOnce",
        "backend.scale.replicas": 1,
        "protection.enabled": False,
    }
    assert look({}, edits).exit_code == 0


def test_a_class_that_no_controller_has_is_named_with_those_that_exist(look):
    found = lacking(look({}, {"edge.ingress.className": "nginx"}))
    assert [(what.partition(",")[0], remedy) for what, _, remedy in found] == [
        ("IngressClass nginx", "name one of traefik")
    ] * 2


@pytest.mark.parametrize(
    ("edge", "controller", "remedy"),
    [
        ({"className": "nginx"}, "nginx.org/ingress-controller", "edge.ingress.controller: f5-nginx"),
        ({"className": "alb"}, "k8s.io/ingress-nginx", "edge.ingress.controller: nginx"),
        (
            {"className": "public", "controller": "haproxy"},
            "openshift.io/ingress-to-route",
            "edge.ingress.controller: openshift",
        ),
        ({"className": "public", "controller": "nginx"}, "traefik.io/ingress-controller", "traefik"),
        ({"className": "nginx"}, "k8s.io/ingress-nginx", None),
        ({"className": "public", "controller": "f5-nginx"}, "nginx.org/ingress-controller", None),
        ({"className": "public", "controller": "none"}, "k8s.io/ingress-nginx", None),
        ({"className": "nginx"}, "example.com/unknown", None),
    ],
)
def test_a_controller_that_would_not_read_the_annotations_is_named(look, edge, controller, remedy):
    classes = items(named(edge["className"], spec={"controller": controller}))
    looked = look({"/apis/networking.k8s.io/v1/ingressclasses": classes}, {"edge.ingress": edge})
    if remedy is None:
        assert looked.exit_code == 0
        return
    problems = lacking(looked)
    assert [what.rpartition(" ")[2] for what, _, _ in problems] == ["skillflaw-api", "skillflaw-app"]
    for _, said, do in problems:
        assert controller in said
        assert remedy in do


def test_googles_controller_needs_no_class(look):
    edits = {
        "edge.ingress": {"className": "gce"},
        "surfaces.api.serviceAnnotations": {"cloud.google.com/backend-config": '{"default": "flows"}'},
    }
    looked = look({"/apis/networking.k8s.io/v1/ingressclasses": items()}, edits)
    assert looked.exit_code == 0
    assert "IngressClasses: gce" in looked.output


@pytest.mark.parametrize(
    ("issuers", "found"),
    [
        (items(), "none of that name"),
        (items(named("letsencrypt-prod")), "none of that name"),
        (items(named("letsencrypt")), "not Ready: no condition yet"),
        (
            items(
                named(
                    "letsencrypt",
                    status={
                        "conditions": [
                            {"type": "Ready", "status": "False", "reason": "ErrRegisterACMEAccount"}
                        ]
                    },
                )
            ),
            "not Ready: ErrRegisterACMEAccount",
        ),
    ],
)
def test_the_issuer_of_certificates_exists_and_is_ready(look, issuers, found):
    problems = lacking(look({"/apis/cert-manager.io/v1/clusterissuers": issuers}))
    assert {said for _, said, _ in problems} == {found}
    assert len(problems) == 2


OWN_CERTIFICATE = {
    "edge.issuer": None,
    "surfaces.api.tls": {"secretName": "api"},
    "surfaces.app.tls": {"secretName": "app"},
}


def test_without_an_issuer_each_hosts_certificate_is_a_secret_of_its_type(look):
    tls = {"type": "kubernetes.io/tls", "data": {}}
    changes = {f"{SECRETS}/api": tls, f"{SECRETS}/app": tls}
    assert look(changes, OWN_CERTIFICATE).exit_code == 0
    ((what, found, _),) = lacking(look(changes | {f"{SECRETS}/app": secret(crt="x")}, OWN_CERTIFICATE))
    assert what == "Secret app with a certificate, for Ingress skillflaw-app"
    assert found == "its type is Opaque, not kubernetes.io/tls"


ROUTED = {
    "edge": {"gateway": {"name": "public", "namespace": "edge"}},
    "network.edge": [{"namespace": "traefik"}],
}


def gateway(**changes):
    return {"spec": {"listeners": [WHOLE[GATEWAY]["spec"]["listeners"][0] | changes]}}


def test_a_gateway_whose_listener_takes_the_routes_passes(look):
    assert look({}, ROUTED).exit_code == 0
    labelled = {"selector": {"matchLabels": {"app.kubernetes.io/part-of": "skillflaw"}}}
    chosen = gateway(allowedRoutes={"namespaces": {"from": "Selector"} | labelled})
    assert look({GATEWAY: chosen}, ROUTED).exit_code == 0


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (None, "Gateway edge/public"),
        (gateway(name="web"), "listener https of Gateway"),
        (gateway(allowedRoutes={"namespaces": {"from": "Same"}}), "allowedRoutes of Gateway"),
        (gateway(allowedRoutes=None), "allowedRoutes of Gateway"),
        (
            gateway(
                allowedRoutes={
                    "namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "shop"}}}
                }
            ),
            "allowedRoutes of Gateway",
        ),
        (
            gateway(allowedRoutes={"namespaces": {"from": "All"}, "kinds": [{"kind": "TLSRoute"}]}),
            "allowedRoutes of Gateway",
        ),
        (gateway(hostname="*.shop.example"), "a listener for"),
    ],
)
def test_a_gateway_exists_with_a_listener_that_takes_the_routes(look, answer, what):
    problems = lacking(look({GATEWAY: answer}, ROUTED))
    assert {found[: len(what)] for found, *_ in problems} == {what}
    assert "HTTPRoute skillflaw-api" in problems[0][0]


def test_a_kind_that_the_api_server_does_not_know_is_named_once(look):
    problems = lacking(look({"/apis/gateway.networking.k8s.io/v1": None}, ROUTED))
    assert [what.partition(",")[0] for what, *_ in problems] == [
        "kind HTTPRoute of gateway.networking.k8s.io/v1"
    ]


def slices(**changes):
    row = copy.deepcopy(WHOLE[SLICES]["items"][0])
    return items(row | changes)


def cache_at(*words):
    containers = [{"name": "node-cache", "args": list(words)}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


CACHE = "/apis/apps/v1/namespaces/kube-system/daemonsets/node-local-dns"
DNS_PODS_ALONE = {"network.dns": [{"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}]}
"""A stack file that leaves out the cache on the node, which is open by default."""
DNS_PODS = f"{DNS}/pods?labelSelector=k8s-app%3Dkube-dns"


@pytest.mark.parametrize(
    ("changes", "what", "remedy"),
    [
        ({CACHE: cache_at("-localip", "169.254.20.10,10.0.0.10")}, "NodeLocal DNSCache", "169.254.20.10/32"),
        ({CACHE: cache_at("--localip=fd00::10")}, "NodeLocal DNSCache", "fd00::10/128"),
        ({CACHE: cache_at()}, "NodeLocal DNSCache", "10.0.0.10/32"),
        (
            {
                DNS_PODS: items(
                    {
                        "metadata": {"name": "coredns-1", "labels": {"k8s-app": "kube-dns"}},
                        "spec": {"hostNetwork": True},
                    }
                )
            },
            "Service kube-system/kube-dns on 10.1.0.7",
            "10.1.0.7/32",
        ),
        (
            {SLICES: slices(ports=[{"name": "dns", "port": 8053, "protocol": "UDP"}])},
            "Service kube-system/kube-dns",
            "network.dns",
        ),
    ],
    ids=["link-local", "IPv6", "the Service's address", "on the host's network", "another port"],
)
def test_who_answers_names_is_open_to_the_pods_or_named(look, changes, what, remedy):
    ((found, said, help_),) = lacking(look(changes, DNS_PODS_ALONE))
    assert found == f"{what}, which answers names"
    assert "UDP" in said
    assert "NetworkPolicy skillflaw-backend" in said
    assert remedy in help_


def opened(cidr):
    """A step that opens the port of names to a range in every policy that opens it to pods."""

    def step(preview):
        for each in preview["steps"]:
            if each["urn"].split("::")[2].endswith("NetworkPolicy"):
                for rule in each["newState"]["inputs"]["spec"]["egress"]:
                    if any(port["port"] == 53 for port in rule.get("ports", ())):
                        rule["to"].append({"ipBlock": {"cidr": cidr}})

    return step


@pytest.mark.parametrize("cidr", ["169.254.20.10/32", "10.0.0.0/8"])
def test_a_cache_of_names_on_the_node_is_open_by_its_address_or_the_services(look, cidr):
    changes = {CACHE: cache_at("-localip", "169.254.20.10,10.0.0.10")}
    assert look(changes, DNS_PODS_ALONE, steps=[opened(cidr)]).exit_code == 0
    assert look(changes, DNS_PODS_ALONE, steps=[opened("169.254.20.11/32")]).exit_code == 1
    assert look(changes).exit_code == 0


def test_without_policies_anyone_may_be_asked(look):
    changes = {SLICES: None, DNS_PODS: None}
    assert look(changes, {"network": {"policies": False}, "protection.enabled": False}).exit_code == 0


def test_an_edge_without_a_pod_behind_it_is_named(look):
    ((what, found, _),) = lacking(look({EDGE_PODS: items()}))
    assert what.startswith("pods behind namespace kubernetes.io/metadata.name=traefik")
    assert "NetworkPolicy skillflaw-backend" in what
    assert "no pod" in found


AUTOSCALED = {"backend.scale": {"min": 2, "max": 3, "cpuPercent": 70}}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (None, "not installed"),
        (
            "Error from server (ServiceUnavailable): the server is currently unable",
            "installed, and does not answer",
        ),
    ],
)
def test_an_autoscaler_finds_the_metrics_api(look, answer, found):
    assert look({}, AUTOSCALED).exit_code == 0
    os.remove("answers/apis/metrics.k8s.io/v1beta1.json")
    changes = {"/apis/metrics.k8s.io/v1beta1": answer}
    assert look(changes).exit_code == 0
    problems = lacking(look(changes, AUTOSCALED))
    assert [row[1] for row in problems] == [found]


def limit_range(**row):
    return {f"{NAMESPACE}/limitranges": items(named("limits", spec={"limits": [row]}))}


@pytest.mark.parametrize(
    ("row", "what", "found"),
    [
        (
            {"type": "Container", "min": {"memory": "64Mi"}},
            "container key-guard",
            "requests 32Mi memory, at least 64Mi",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "10"}},
            "container key-guard",
            "limit 0.5 to request 0.01 of cpu, at most 10 to 1",
        ),
        (
            {"type": "Container", "max": {"cpu": "1500m"}},
            "container backend",
            "limit of 2 cpu, at most 1500m",
        ),
        ({"type": "Pod", "max": {"memory": "4224Mi"}}, "", None),
        (
            {"type": "Pod", "max": {"memory": "4200Mi"}},
            "pods of Job bootstrap",
            "limit of 4224Mi memory, at most 4200Mi",
        ),
        (
            {"type": "PersistentVolumeClaim", "max": {"storage": "10Gi"}},
            "claim of PersistentVolumeClaim skillflaw-backend-data",
            "limit of 51200Mi storage, at most 10Gi",
        ),
        ({"type": "Container", "max": {"example.com/gpu": "1"}}, "container", "limit of no example.com/gpu"),
    ],
)
def test_what_a_limit_range_forbids_is_named(look, row, what, found):
    done = look(limit_range(**row))
    if found is None:
        assert done.exit_code == 0, done.output
        return
    said = lacking(done)
    assert any(thing.startswith(what) and text.startswith(found) for thing, text, _ in said), said


def test_what_a_container_does_not_state_a_limit_range_completes(look):
    less = of_deployment(lambda spec: spec["containers"][0].pop("resources"))
    row = {"type": "Container", "max": {"cpu": "4"}, "min": {"memory": "16Mi"}}
    assert look(limit_range(**row), steps=[less]).exit_code == 1
    complete = row | {
        "default": {"cpu": "1", "memory": "1Gi"},
        "defaultRequest": {"cpu": "1", "memory": "1Gi"},
    }
    assert look(limit_range(**complete), steps=[less]).exit_code == 0


def quota(hard, used=None, **spec):
    status = {"hard": hard, "used": used or {}}
    return {f"{NAMESPACE}/resourcequotas": items(named("team", spec={"hard": hard} | spec, status=status))}


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (quota({"requests.cpu": "1"}), "requests.cpu"),
        (quota({"memory": "10Gi"}, {"memory": "9Gi"}), "memory"),
        (quota({"limits.memory": "8Gi"}), "limits.memory"),
        (quota({"pods": "3"}), "pods"),
        (quota({"requests.storage": "20Gi"}), "requests.storage"),
        (quota({"count/deployments.apps": "1"}), "count/deployments.apps"),
        (quota({"services": "5"}, {"services": "4"}), "services"),
        (quota({"requests.cpu": "1"}, scopes=["NotTerminating"]), "requests.cpu"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_left_of_a_quota_is_compared_with_what_the_stack_asks_for(look, answer, key):
    ((what, found, _),) = lacking(look(answer))
    assert what == f"{key} of ResourceQuota team"
    assert "is left" in found


@pytest.mark.parametrize(
    "answer",
    [
        quota({"requests.cpu": "20", "limits.memory": "100Gi", "pods": "20", "count/deployments.apps": "5"}),
        quota({"requests.cpu": "0"}, scopes=["BestEffort"]),
        quota(
            {"pods": "0"},
            scopeSelector={
                "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]
            },
        ),
    ],
    ids=["enough", "of the best effort", "of another priority"],
)
def test_a_quota_that_is_enough_or_means_other_pods_passes(look, answer):
    assert look(answer).exit_code == 0


def test_pods_that_run_already_are_in_what_a_quota_counts_as_used(look):
    assert (
        look(quota({"pods": "6"}, {"pods": "6"}) | {NAMESPACE: live_namespace()}, steps=[running]).exit_code
        == 0
    )


def test_a_quota_of_what_a_container_does_not_state_is_named(look):
    less = of_deployment(lambda spec: spec["containers"][0]["resources"]["limits"].pop("cpu"))
    ((what, found, _),) = lacking(look(quota({"limits.cpu": "100"}), steps=[less]))
    assert what == "limits of cpu in every container, for ResourceQuota team"
    assert found == "not stated by Deployment skillflaw-backend"


def test_what_this_identity_may_not_do_is_named_by_resource(look, machine):
    row = {"verb": "create", "group": "apps", "resource": "deployments", "namespace": "skillflaw"}
    answer = {"spec": {"resourceAttributes": row}, "status": {"allowed": False}}
    ((what, *_),) = lacking(look({"/create": answer}))
    assert what == "permission to create deployments.apps"
    given = json.loads((machine / "given-create").read_text())["items"]
    asked = [each["spec"]["resourceAttributes"] for each in given]
    assert row in asked
    assert {"verb": "delete", "group": "", "resource": "namespaces"} in asked


def running(preview):
    """A step that has everything in the preview exist already."""
    for each in preview["steps"]:
        if "newState" in each:
            each["op"], each["oldState"] = "same", each["newState"]
            if each["urn"].split("::")[2].endswith(":Secret"):
                # As the engine masks what it does not compare.
                each["newState"]["inputs"]["data"] = "[secret]"


def test_a_stack_that_runs_needs_no_right_to_make_its_namespace(look, machine):
    assert look({NAMESPACE: live_namespace()}, steps=[running]).exit_code == 0
    given = json.loads((machine / "given-create").read_text())["items"]
    asked = [each["spec"]["resourceAttributes"] for each in given]
    assert {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "skillflaw"} in asked
    assert "namespaces" not in {each["resource"] for each in asked}


NODES = "/api/v1/nodes"
OPERATORS = "/api/v1/pods?labelSelector=app.kubernetes.io%2Fname%3Dcloudnative-pg"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/clusters.postgresql.cnpg.io"
KUBERNETES = (
    "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    "?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes"
)


def operated(**own):
    """The edits of a stack file whose database CloudNativePG runs."""
    return {
        "database": {"cloudNativePg": {"major": 16} | own},
        "images.postgres": f"postgres@sha256:{'a' * 64}",
        "images.restic": f"restic/restic@sha256:{'a' * 64}",
        "backup.schedule": "0 3 * * *",
        "network.apiServer": [{"cidr": "10.0.0.4/32", "ports": [6443]}],
    }


def schema(**fields):
    """A CustomResourceDefinition that knows everything of a Cluster but these fields of `spec`, by whether it knows them."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    known = {key: anything for key in (*CLUSTER, *fields) if fields.get(key, True)} | {
        key: {"properties": dict.fromkeys(inside, anything)}
        for key, inside in fields.items()
        if isinstance(inside, tuple)
    }
    spec = {"openAPIV3Schema": {"properties": {"spec": {"properties": known}}}}
    return {"spec": {"versions": [{"name": "v1", "schema": spec}]}}


def runs_on(*nodes, ready=True):
    """Pods of the operator on these nodes."""
    return items(
        *(
            named(
                f"operator-{number}",
                metadata={"name": f"operator-{number}", "namespace": "cnpg-system"},
                spec={
                    "nodeName": node,
                    "containers": [{"image": "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0"}],
                },
                status={"conditions": [{"type": "Ready", "status": str(ready)}]},
            )
            for number, node in enumerate(nodes)
        )
    )


CLUSTER = (
    run(
        filled_in("prod")
        | {
            "database": {"cloudNativePg": {"major": 16}},
            "images": filled_in("prod")["images"]
            | {"postgres": f"postgres@sha256:{'a' * 64}", "restic": f"restic/restic@sha256:{'a' * 64}"},
            "backup": {"schedule": "0 3 * * *"},
            "network": filled_in("prod")["network"]
            | {"apiServer": [{"cidr": "10.0.0.4/32", "ports": [6443]}]},
        }
    )
    .one("Cluster", "database")
    .inputs["spec"]
)
OPERATED = {
    "/apis/postgresql.cnpg.io/v1": kinds(Cluster="clusters", ImageCatalog="imagecatalogs"),
    DEFINITION: schema(),
    OPERATORS: runs_on("a", "b"),
    "/api/v1/namespaces": items(named("traefik"), named("kube-system"), named("cnpg-system")),
    "/api/v1/namespaces/cnpg-system/pods?limit=1&labelSelector=app.kubernetes.io%2Fname%3Dcloudnative-pg": items(
        named("operator-0")
    ),
    NODES: items(named("a"), named("b")),
    KUBERNETES: items({"ports": [{"port": 6443}], "endpoints": [{"addresses": ["10.0.0.4"]}]}),
}
"""Answers of a cluster that lacks nothing of what a database of CloudNativePG asks for."""


def test_an_operator_that_knows_everything_and_outlives_a_node_is_all_that_a_cluster_needs(look):
    done = look(OPERATED, operated())
    assert done.exit_code == 0, done.output
    assert "✓ CloudNativePG: 2 pods of version 1.30.0" in done.output
    assert "✓ API server's own addresses: 10.0.0.4 port 6443" in done.output
    # The authority that clients verify the server by is the operator's to make.
    assert "database-ca" not in done.output


def test_a_mirror_needs_the_image_of_a_cluster_too(look):
    edits = operated() | {"backup.schedule": None, "protection.enabled": False}
    assert f"postgres@sha256:{'a' * 64}" in look(OPERATED, edits, command="images").output


def test_where_nobody_asks_for_a_cluster_no_operator_is_missed(look):
    assert "✓ CloudNativePG: no Cluster is asked for" in look().output


STORE = {"endpoint": "https://s3.test", "bucket": "copies", "secretName": "store", "prefix": "prod"}
PLUGINS = "/api/v1/services?labelSelector=cnpg.io%2FpluginName%3Dbarman-cloud.cloudnative-pg.io"
BEHIND = (
    "/apis/discovery.k8s.io/v1/namespaces/cnpg-system/endpointslices"
    "?labelSelector=kubernetes.io%2Fservice-name%3Dbarman-cloud"
)
PLUGIN = {"metadata": {"name": "barman-cloud", "namespace": "cnpg-system"}}
WRITER = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
ARCHIVED = OPERATED | {
    "/apis/postgresql.cnpg.io/v1": kinds(
        Cluster="clusters", ImageCatalog="imagecatalogs", ScheduledBackup="scheduledbackups"
    ),
    "/apis/barmancloud.cnpg.io/v1": kinds(ObjectStore="objectstores"),
    DEFINITION: schema(plugins=True, externalClusters=True),
    PLUGINS: items(PLUGIN),
    BEHIND: items({"endpoints": [{"conditions": {"ready": True}}]}),
    "/api/v1/namespaces/skillflaw/secrets/store": named("store", data=WRITER),
}
"""Answers of a cluster that lacks nothing of what an archived database asks for."""


def test_a_plugin_that_answers_and_a_writers_secret_are_all_that_an_archive_needs(look):
    done = look(ARCHIVED, operated(objectStore=STORE, recovery={"generation": 2}))
    assert done.exit_code == 0, done.output
    assert "✓ Barman Cloud: plugin barman-cloud.cloudnative-pg.io" in done.output
    assert "database-g2-ca" not in done.output


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({PLUGINS: items()}, ("plugin barman-cloud", "no Service with the label", "operator's namespace")),
        (
            {PLUGINS: items({"metadata": {"name": "barman-cloud", "namespace": "elsewhere"}})},
            ("plugin barman-cloud", "next to the operator", "install the plugin"),
        ),
        ({BEHIND: items()}, ("plugin barman-cloud", "no pod behind the Service", "get pods")),
        (
            {BEHIND: items({"endpoints": [{"conditions": {"ready": False}}]})},
            ("plugin barman-cloud", "no pod behind the Service", "two certificates"),
        ),
        (
            {"/apis/barmancloud.cnpg.io/v1": None},
            ("kind ObjectStore of barmancloud.cnpg.io/v1", "does not know it", "CustomResourceDefinition"),
        ),
        (
            {"/api/v1/namespaces/skillflaw/secrets/store": None},
            ("Secret store, for ObjectStore database", "none in namespace", "AWS_SECRET_ACCESS_KEY"),
        ),
        (
            {"/api/v1/namespaces/skillflaw/secrets/store": named("store", data={"AWS_ACCESS_KEY_ID": "a"})},
            ("AWS_SECRET_ACCESS_KEY in Secret store", "its keys are AWS_ACCESS_KEY_ID", "add the key"),
        ),
    ],
)
def test_what_an_archive_lacks_is_named_with_what_to_do(look, changes, said):
    done = look(ARCHIVED | changes, operated(objectStore=STORE))
    assert done.exit_code == 1, done.output
    for words in said:
        assert words in " ".join(done.output.split())


def test_instances_of_two_generations_reach_the_api_server_by_one_policy(look):
    edits = operated(objectStore=STORE, recovery={"generation": 2}) | {
        "network.apiServer": [{"cidr": "10.0.0.9/32", "ports": [6443]}]
    }
    done = look(ARCHIVED, edits)
    assert done.exit_code == 1, done.output
    assert "API server at 10.0.0.4 port 6443" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("changes", "own", "said"),
    [
        ({OPERATORS: items()}, {}, ("CloudNativePG's operator", "no pod with the label", "two replicas")),
        ({OPERATORS: runs_on("a", ready=False)}, {}, ("CloudNativePG's operator", "is ready", "install it")),
        (
            {OPERATORS: runs_on("a", "a")},
            {},
            ("a second node", "all of it is on node a", "topologySpreadConstraint"),
        ),
        ({OPERATORS: runs_on("b")}, {}, ("a second node", "all of it is on node b", "podAntiAffinity")),
        ({NODES: items(named("a"))}, {}, ("2 nodes", "1 that may be scheduled", "more nodes")),
        (
            {},
            {"instances": 3},
            ("3 nodes", "2 that may be scheduled", "fewer database.cloudNativePg.instances"),
        ),
        (
            {NODES: items(named("a"), named("b", spec={"unschedulable": True}))},
            {},
            ("2 nodes", "1 that may be scheduled", "more nodes"),
        ),
        (
            {DEFINITION: schema(stopDelay=False)},
            {},
            ("spec.stopDelay", "no such field", "upgrade CloudNativePG"),
        ),
        (
            {DEFINITION: schema(postgresql=("parameters", "pg_hba"))},
            {},
            ("spec.postgresql.synchronous", "no such field", "upgrade CloudNativePG"),
        ),
        (
            {"/apis/postgresql.cnpg.io/v1": None, DEFINITION: None},
            {},
            ("kind Cluster of postgresql.cnpg.io/v1", "does not know it", "CustomResourceDefinition"),
        ),
        (
            {KUBERNETES: items({"ports": [{"port": 443}], "endpoints": [{"addresses": ["10.0.0.4"]}]})},
            {},
            ("API server at 10.0.0.4 port 443", "no rule", "{cidr: 10.0.0.4/32, ports: [443]}"),
        ),
        (
            {
                KUBERNETES: items(
                    {
                        "ports": [{"port": 6443}],
                        "endpoints": [{"addresses": ["10.0.0.4"]}, {"addresses": ["10.0.0.5"]}],
                    }
                )
            },
            {},
            ("API server at 10.0.0.5 port 6443", "no rule", "{cidr: 10.0.0.5/32, ports: [6443]}"),
        ),
        (
            {KUBERNETES: items({"ports": [{"port": 6443}], "endpoints": [{"addresses": ["fd00::4"]}]})},
            {},
            ("API server at fd00::4 port 6443", "no rule", "{cidr: fd00::4/128, ports: [6443]}"),
        ),
    ],
)
def test_what_a_cluster_of_an_operator_lacks_is_said(look, changes, own, said):
    rows = lacking(look(OPERATED | changes, operated(**own)))
    assert any(all(word in text for word, text in zip(said, row, strict=True)) for row in rows), rows


def test_a_single_instance_needs_no_operator_that_outlives_a_node(look):
    edits = operated(instances=1) | {"backend": {"scale": {"replicas": 1}}}
    assert look(OPERATED | {OPERATORS: runs_on("a"), NODES: items(named("a"))}, edits).exit_code == 0


WATCHED = {
    "monitoring": {"metrics": {"labels": {"release": "main"}}, "rules": {"labels": {"release": "main"}}},
    "network.monitoring": [{"namespace": "monitoring"}],
}
"""Edits of a stack file that asks for what Prometheus reads."""
COREOS = "/apis/monitoring.coreos.com"
WATCHING = {
    f"{COREOS}/v1": kinds(PodMonitor="podmonitors", PrometheusRule="prometheusrules"),
    "/api/v1/namespaces": items(named("traefik"), named("kube-system"), named("monitoring")),
    "/api/v1/namespaces/monitoring/pods?limit=1": items(named("prometheus-0")),
}
"""Answers of a cluster that has the Prometheus operator, and no Prometheus yet."""


def prometheus(namespace="monitoring", **selectors):
    """A Prometheus with these selectors of objects and their namespaces."""
    return items({"metadata": {"name": "main", "namespace": namespace}, "spec": selectors})


ALL, OURS = {}, {"matchLabels": {"release": "main"}}
OPEN = {"podMonitorNamespaceSelector": ALL, "ruleNamespaceSelector": ALL}


@pytest.mark.parametrize(
    "selectors",
    [
        OPEN | {"podMonitorSelector": ALL, "ruleSelector": ALL},
        OPEN | {"podMonitorSelector": OURS, "ruleSelector": OURS},
        {
            "podMonitorNamespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "skillflaw"}},
            "podMonitorSelector": OURS,
            "ruleNamespaceSelector": ALL,
            "ruleSelector": {"matchExpressions": [{"key": "release", "operator": "Exists"}]},
        },
    ],
)
def test_a_prometheus_that_selects_the_stacks_objects_is_all_that_they_need(look, selectors):
    done = look(WATCHING | {f"{COREOS}/v1/prometheuses": prometheus(**selectors)}, WATCHED)
    assert done.exit_code == 0, done.output
    assert "✓ Prometheus: 2 objects that one is to select" in done.output


@pytest.mark.parametrize(
    ("selectors", "kinds_missed"),
    [
        (
            OPEN | {"podMonitorSelector": {"matchLabels": {"release": "other"}}, "ruleSelector": ALL},
            {"PodMonitor"},
        ),
        (OPEN | {"podMonitorSelector": ALL}, {"PrometheusRule"}),
        ({"podMonitorSelector": ALL, "ruleSelector": ALL}, {"PodMonitor", "PrometheusRule"}),
    ],
    ids=["other labels", "no selector", "its own namespace"],
)
def test_an_object_that_no_prometheus_selects_is_named_with_the_selectors_that_there_are(
    look, selectors, kinds_missed
):
    rows = lacking(look(WATCHING | {f"{COREOS}/v1/prometheuses": prometheus(**selectors)}, WATCHED))
    assert {row[0].split()[4] for row in rows} == kinds_missed
    for _, instead, remedy in rows:
        assert "monitoring/main selects" in instead
        assert "labels in the stack file" in remedy


def test_an_agent_may_scrape_and_another_ruler_evaluate(look):
    there = {
        f"{COREOS}/v1alpha1/prometheusagents": prometheus(
            podMonitorSelector=ALL, podMonitorNamespaceSelector=ALL
        ),
        f"{COREOS}/v1/thanosrulers": prometheus(ruleSelector=OURS, ruleNamespaceSelector=ALL),
    }
    assert look(WATCHING | there, WATCHED).exit_code == 0


def test_without_the_operators_definitions_the_kinds_are_unknown(look):
    rows = lacking(look(WATCHING | {f"{COREOS}/v1": None}, WATCHED))
    assert {row[0].split()[1] for row in rows} == {"PodMonitor", "PrometheusRule"}
    assert all("CustomResourceDefinition" in row[2] for row in rows)


def test_where_readers_have_no_objects_of_their_own_nothing_is_missed(look):
    done = look(WATCHING, WATCHED)
    assert done.exit_code == 0, done.output
    assert "no object of monitoring.coreos.com says who reads PodMonitor skillflaw-backend" in done.output


def test_where_nothing_is_asked_of_prometheus_none_is_missed(look):
    assert "✓ Prometheus: nothing is asked of one" in look().output


def test_the_documented_roles_reach_what_preflight_reads(look, machine):
    look(OPERATED, operated())
    look(WATCHING, WATCHED)
    names = dict.fromkeys(("priorityClassName", "runtimeClassName", "serviceAccountName"), "theirs")
    look({f"{NAMESPACE}/serviceaccounts/theirs": named("theirs")}, steps=[refers(**names)])
    look({}, ROUTED)
    read = set()
    for path in re.findall(r"--raw=(\S+)", (machine / "asked").read_text()):
        place = re.sub(r"/namespaces/[^/?]+(?=/)", "", path.partition("?")[0])
        if found := re.fullmatch(r"/(?:api|apis/([^/]+))/[^/]+/([^/]+)(/.+)?", place):
            read.add((found[1] or "", found[2], "get" if found[3] else "list"))
    assert {("", "nodes", "list"), ("gateway.networking.k8s.io", "gateways", "get")} <= read
    roles = ("skillflaw-preflight", "skillflaw-read", "skillflaw-read-secrets")
    assert read <= set().union(*(rights(role) for role in roles))


def test_a_check_that_may_not_look_says_so_and_what_else_lacks_is_still_found(look):
    done = look({f"{SECRETS}/skillflaw-database": FORBIDDEN})
    assert done.exit_code == 2
    assert f"? kubectl --context=skillflaw-prod --namespace=skillflaw …: {FORBIDDEN}" in done.output
    assert "not seen: 1;" in done.output
    both = look({f"{SECRETS}/skillflaw-database": FORBIDDEN, EDGE_PODS: items()})
    assert len(lacking(both)) == 1


def test_a_cluster_that_does_not_answer_is_said_before_any_preview(look, machine):
    refused = "The connection to the server 10.0.0.1:6443 was refused"
    (machine / "preview-exit").write_text("1")
    done = look({"/version": refused})
    assert done.exit_code == 2
    assert refused in done.output
    assert "preview" not in done.output


def test_a_preview_that_fails_says_why(look, machine):
    def refuse(preview):
        preview["steps"] = []
        preview["diagnostics"] = [{"severity": "error", "message": "the stack file has 2 problems"}]

    (machine / "preview-exit").write_text("255")
    for command in ("preflight", "images"):
        done = look(steps=[refuse], command=command)
        assert done.exit_code == 2
        assert "its preview failed\n  the stack file has 2 problems" in done.output


def test_the_images_of_a_stack_are_listed_once_each_and_sorted(look):
    done = look(
        {},
        {
            "database": {"inCluster": {"size": "1Gi"}},
            "images.postgres": "postgres:16.9",
            "protection.enabled": False,
        },
        command="images",
    )
    assert done.exit_code == 0
    listed = done.output.splitlines()
    assert listed == sorted(set(listed))
    assert [line.split("/")[-1].split("@")[0].split(":")[0] for line in listed[:2]] == [
        "skillflaw_backend",
        "skillflaw_frontend",
    ]
    assert any("postgres" in line for line in listed)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100m", "0.1"),
        ("2", "2"),
        ("1Gi", 1024**3),
        ("1.5G", 1_500_000_000),
        ("1e3", 1000),
        ("2E", 2 * 10**18),
        (3, 3),
    ],
)
def test_an_amount_is_read_as_kubernetes_writes_it(text, value):
    assert amount(text) == amount(str(value))


@pytest.mark.parametrize(
    ("selector", "selected", "asked"),
    [
        ({}, True, ""),
        ({"matchLabels": {"a": "1"}}, True, "a=1"),
        ({"matchLabels": {"a": "2"}}, False, "a=2"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True, "a in (1,2)"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False, "a notin (1)"),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True, "b notin (1)"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True, "a"),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False, "!a"),
    ],
)
def test_a_selector_selects_as_the_api_server_does(selector, selected, asked):
    assert selects(selector, {"a": "1"}) is selected
    assert query(selector) == asked
