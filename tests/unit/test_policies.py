"""No committed stack breaks a policy it must keep, and each policy is broken by what it is about."""

import copy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from policies.catalogue import POLICIES
from policies.docs import page
from policies.resources import Resource, Stack, parent
from tests.stack_files import filled_in, stack_file
from tests.unit.recorder import ROOT, plain, run

PRODUCTION = filled_in("prod")
IN_CLUSTER = stack_file("lab") | {
    "surfaces": {},
    "backend": {"scale": {"replicas": 1}},
    "protection": {"enabled": True},
}
GATEWAY = PRODUCTION | {"edge": {"gateway": {"name": "public", "namespace": "edge"}}}
AUTOSCALED = PRODUCTION | {
    "backend": {"scale": {"min": 2, "max": 4}},
    "database": PRODUCTION["database"] | {"maxConnections": 200},
}


def declared(config: dict) -> list[Resource]:
    """The program's resources, to be changed at will."""
    return [
        Resource(
            type=row.type,
            name=row.name,
            properties=copy.deepcopy(plain(row.inputs)),
            protect=row.request.protect,
            parent=parent(row.urn),
        )
        for row in run(config).resources.values()
    ]


def violations(config: dict, resources: list[Resource]) -> list[tuple[str, str, str]]:
    """Every violation as policy, resource and words."""
    stack = replace(Stack.of(config), resources=resources)
    return [
        (policy.name, resource.name, words)
        for policy in POLICIES
        for resource in resources
        for words in policy.check(resource, stack)
    ]


@pytest.mark.parametrize(
    "config",
    [PRODUCTION, IN_CLUSTER, GATEWAY, AUTOSCALED],
    ids=["production", "in the cluster", "gateway", "autoscaled"],
)
def test_a_protected_stack_breaks_no_policy(config):
    assert violations(config, declared(config)) == []


@pytest.mark.parametrize(
    ("name", "broken"),
    [("dev", {"fixed-image", "protected-state"}), ("lab", {"protected-state"}), ("prod", set())],
)
def test_a_committed_stack_breaks_what_its_file_gives_up_in_words_and_nothing_else(name, broken):
    config = filled_in(name)
    assert {policy for policy, _, _ in violations(config, declared(config))} == broken
    assert Stack.of(config).protected == (name == "prod")


def test_a_stack_file_that_says_nothing_is_protected_and_takes_the_default_registries():
    assert Stack.of({}) == Stack(
        hosts=frozenset(), registries=("ghcr.io/cwinux", "docker.io/library"), protected=True
    )


def spec(resource: Resource) -> dict:
    return resource.properties["spec"]


def container(resource: Resource) -> dict:
    return spec(resource)["template"]["spec"]["containers"][0]


def image(value):
    return lambda resource: container(resource).update(image=value)


def without(*path):
    def change(resource):
        holder = container(resource)
        for key in path[:-1]:
            holder = holder[key]
        del holder[path[-1]]

    return change


def variable(name, value):
    return lambda resource: container(resource).update(env=[{"name": name, "value": value}])


def entry(name, value):
    return lambda resource: resource.properties["data"].update({name: value})


def served(host):
    return lambda resource: spec(resource)["rules"][0].update(host=host)


def selected(labels):
    return lambda resource: spec(resource)["selector"].update(matchLabels=labels)


DIGEST = f"@sha256:{'a' * 64}"
PAIR = {"app.kubernetes.io/name": "skillflaw", "app.kubernetes.io/component": "backend"}
BROKEN = [
    (
        "fixed-image",
        PRODUCTION,
        "Deployment",
        "backend",
        image("ghcr.io/cwinux/a"),
        "ghcr.io/cwinux/a has no",
    ),
    ("fixed-image", PRODUCTION, "Deployment", "backend", image("ghcr.io/cwinux/a:latest"), "a:latest has no"),
    ("fixed-image", IN_CLUSTER, "Job", "bootstrap", image("skillflaw.lab/a"), "has no fixed version"),
    (
        "known-registry",
        PRODUCTION,
        "Deployment",
        "backend",
        image(f"evil.example/a{DIGEST}"),
        "is not from ghcr",
    ),
    (
        "known-registry",
        PRODUCTION,
        "Deployment",
        "backend",
        image(f"ghcr.io/cwinux2/a{DIGEST}"),
        "is not from",
    ),
    ("known-registry", PRODUCTION, "Deployment", "backend", image(f"someone/a{DIGEST}"), "is not from"),
    (
        "known-registry",
        IN_CLUSTER,
        "StatefulSet",
        "database",
        image("postgres:16"),
        "is not from skillflaw.lab",
    ),
    ("probes", PRODUCTION, "Deployment", "backend", without("startupProbe"), "backend has no startup probe"),
    ("probes", PRODUCTION, "Deployment", "frontend", without("livenessProbe"), "frontend has no liveness"),
    ("probes", IN_CLUSTER, "StatefulSet", "database", without("readinessProbe"), "has no readiness probe"),
    (
        "bounded",
        PRODUCTION,
        "Deployment",
        "backend",
        without("resources", "limits", "memory"),
        "memory in its lim",
    ),
    (
        "bounded",
        PRODUCTION,
        "Job",
        "bootstrap",
        without("resources", "requests", "cpu"),
        "no cpu in its requests",
    ),
    (
        "bounded",
        PRODUCTION,
        "Job",
        "bootstrap",
        lambda resource: spec(resource)["template"]["spec"]["initContainers"][0]["resources"].update(
            limits={"cpu": "1", "memory": "1Gi"}
        ),
        "backend has no ephemeral-storage in its limits",
    ),
    *(
        (
            "closed-service",
            PRODUCTION,
            "Service",
            "backend-service",
            lambda resource, opened=opened: spec(resource).update(type=opened),
            f"is a {opened}",
        )
        for opened in ("NodePort", "LoadBalancer", "ExternalName")
    ),
    ("census", PRODUCTION, "Ingress", "edge-api", served("other.example.com"), "other.example.com is in no"),
    ("census", PRODUCTION, "Ingress", "edge-api", served(None), "answers for every host"),
    (
        "census",
        PRODUCTION,
        "Ingress",
        "edge-app",
        lambda resource: spec(resource).update(defaultBackend={"service": {"name": "skillflaw-backend"}}),
        "answers for every host",
    ),
    (
        "census",
        PRODUCTION,
        "Ingress",
        "edge-app",
        lambda resource: spec(resource)["tls"][0]["hosts"].append("*.example.com"),
        "the host *.example.com is in no surface",
    ),
    (
        "census",
        GATEWAY,
        "HTTPRoute",
        "edge-api",
        lambda resource: spec(resource).update(hostnames=["other.example.com"]),
        "other.example.com is in no surface",
    ),
    (
        "census",
        GATEWAY,
        "HTTPRoute",
        "edge-api",
        lambda resource: spec(resource).pop("hostnames"),
        "answers for every host",
    ),
    (
        "no-plain-secret",
        PRODUCTION,
        "Deployment",
        "backend",
        variable("API_KEY", "s3same"),
        "API_KEY looks like",
    ),
    (
        "no-plain-secret",
        PRODUCTION,
        "Deployment",
        "backend",
        variable("A", "redis://:pw@redis"),
        "A looks like",
    ),
    (
        "no-plain-secret",
        PRODUCTION,
        "ConfigMap",
        "runtime-config",
        entry("PASSWORD", "s3same"),
        "PASSWORD looks",
    ),
    (
        "no-plain-secret",
        PRODUCTION,
        "ConfigMap",
        "runtime-config",
        entry("a", "-----BEGIN RSA PRIVATE KEY-----"),
        "a looks like",
    ),
    (
        "no-plain-secret",
        PRODUCTION,
        "ConfigMap",
        "runtime-config",
        entry("a", f"sk-{'a1' * 12}"),
        "a looks like",
    ),
    (
        "shared-claim",
        PRODUCTION,
        "PersistentVolumeClaim",
        "storage-claim",
        lambda resource: spec(resource).update(accessModes=["ReadWriteOnce"]),
        "up to 2 replicas mount skillflaw-backend-data",
    ),
    (
        "shared-claim",
        AUTOSCALED,
        "PersistentVolumeClaim",
        "storage-claim",
        lambda resource: spec(resource).update(accessModes=["ReadWriteOnce"]),
        "up to 4 replicas mount skillflaw-backend-data",
    ),
    (
        "shared-claim",
        IN_CLUSTER,
        "StatefulSet",
        "database",
        lambda resource: spec(resource).update(replicas=2),
        "up to 2 replicas mount postgresql-data",
    ),
    (
        "frozen-selector",
        PRODUCTION,
        "Deployment",
        "backend",
        selected(PAIR | {"app": "a"}),
        "it selects by app,",
    ),
    ("frozen-selector", PRODUCTION, "Deployment", "backend", selected({}), "it selects by nothing"),
    (
        "frozen-selector",
        PRODUCTION,
        "PodDisruptionBudget",
        "backend-budget",
        selected(PAIR | {"app.kubernetes.io/name": "other"}),
        "it selects by app.kubernetes.io/component, app.kubernetes.io/name",
    ),
    (
        "frozen-selector",
        PRODUCTION,
        "Service",
        "backend-service",
        lambda resource: spec(resource).update(selector={"app": "skillflaw-backend"}),
        "it selects by app",
    ),
    (
        "frozen-selector",
        IN_CLUSTER,
        "StatefulSet",
        "database",
        lambda resource: spec(resource)["selector"].update(
            matchExpressions=[{"key": "a", "operator": "Exists"}]
        ),
        "it selects by",
    ),
]


@pytest.mark.parametrize(("policy", "config", "kind", "name", "change", "words"), BROKEN)
def test_a_policy_is_broken_by_what_it_is_about_and_no_other_is(policy, config, kind, name, change, words):
    resources = declared(config)
    [changed] = [row for row in resources if (row.kind, row.name) == (kind, name)]
    change(changed)
    found = violations(config, resources)
    assert {broken for broken, _, _ in found} == {policy}
    assert any(words in said for _, _, said in found), found


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Namespace", "namespace"),
        ("PersistentVolumeClaim", "storage-claim"),
        ("PersistentVolumeClaim", "database-claim"),
        ("StatefulSet", "database"),
        ("RandomBytes", "secret-key-bytes"),
    ],
)
def test_state_that_is_not_protected_breaks_a_policy(kind, name):
    resources = [
        replace(row, protect=row.protect and (row.kind, row.name) != (kind, name))
        for row in declared(IN_CLUSTER)
    ]
    assert violations(IN_CLUSTER, resources) == [
        ("protected-state", name, "it holds state and is not protected")
    ]


@pytest.mark.parametrize(
    "change",
    [
        variable("ACCESS_TOKEN_EXPIRE_SECONDS", "3600"),
        variable("SKILLFLAW_SECRET_KEY_FILE", "/run/secrets/skillflaw/skillflaw_secret_key"),
        variable("REFRESH_TOKEN_SECURE", "true"),
        variable("PASSWORD", None),
        image(f"docker.io/library/a{DIGEST}"),
        image(f"a{DIGEST}"),
        image("ghcr.io/cwinux/a:1.2"),
        image(f"ghcr.io/cwinux/a:latest{DIGEST}"),
        image(None),
    ],
)
def test_what_only_resembles_a_violation_is_none(change):
    resources = declared(PRODUCTION)
    [backend] = [row for row in resources if (row.kind, row.name) == ("Deployment", "backend")]
    change(backend)
    assert violations(PRODUCTION, resources) == []


def test_every_policy_has_been_seen_broken():
    assert {row[0] for row in BROKEN} | {"protected-state"} == {policy.name for policy in POLICIES}


def test_the_committed_page_of_policies_is_fresh():
    assert (ROOT / "docs" / "policies.md").read_text() == page(), (
        "run: python -m policies.docs > docs/policies.md"
    )


@pytest.mark.parametrize("folder", [ROOT / "policies", ROOT, Path("/")], ids=["pack", "project", "root"])
def test_the_pack_serves_from_any_working_directory(folder):
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(ROOT / "policies")]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as pack:
        try:
            port = pack.stdout.readline().strip()
        finally:
            pack.kill()
        assert port.isdecimal(), pack.stderr.read()
