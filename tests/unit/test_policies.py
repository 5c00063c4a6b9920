"""No committed stack breaks a policy it must keep, and each policy is broken by what it is about."""

import base64
import copy
import json
import os
import re
import string
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf import struct_pb2
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from policies.catalogue import POLICIES
from policies.docs import page
from policies.kinds import KINDS, known_kind
from policies.resources import Resource, Stack, parent
from tests.stack_files import filled_in, stack_file
from tests.unit.recorder import ROOT, plain, run

PRODUCTION = filled_in("prod")
IN_CLUSTER = stack_file("lab") | {
    "surfaces": {},
    "network": {},
    "backend": {"scale": {"replicas": 1}},
    "backup": {"schedule": "0 3 * * *"},
    "protection": {"enabled": True},
}
OPERATED = IN_CLUSTER | {
    "database": {"cloudNativePg": {"major": 15}},
    "network": {"apiServer": [{"cidr": "10.0.0.4/32", "ports": [6443]}]},
}
ARCHIVED = OPERATED | {
    "database": {
        "cloudNativePg": {
            "major": 15,
            "objectStore": {"endpoint": "https://s3.test", "bucket": "b01", "secretName": "s", "prefix": "p"},
            "recovery": {"generation": 2, "targetTime": "2026-01-02T03:04:05Z"},
        }
    }
}
BARMAN = "barman-cloud.cloudnative-pg.io"
WATCHED = PRODUCTION | {
    "monitoring": {"metrics": {}, "rules": {}, "dashboard": {}},
    "network": PRODUCTION["network"] | {"monitoring": [{"namespace": "monitoring"}]},
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


def violations(
    config: dict, resources: list[Resource], of: Resource | None = None
) -> list[tuple[str, str, str]]:
    """Every violation, or those of one resource, as policy, resource and words."""
    stack = replace(Stack.of(config), resources=resources)
    return [
        (policy.name, resource.name, words)
        for policy in POLICIES
        for resource in ([of] if of else resources)
        for words in policy.check(resource, stack)
    ]


@pytest.mark.parametrize(
    "config",
    [PRODUCTION, IN_CLUSTER, OPERATED, ARCHIVED, GATEWAY, AUTOSCALED, WATCHED],
    ids=["production", "in the cluster", "operated", "archived", "gateway", "autoscaled", "watched"],
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
        hosts=frozenset(),
        registries=("ghcr.io/cwinux", "docker.io/library", "docker.io/restic"),
        protected=True,
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


def pod(**fields):
    return lambda resource: spec(resource)["template"]["spec"].update(fields)


def security(**fields):
    """Changes the securityContext of the pod."""
    return lambda resource: spec(resource)["template"]["spec"]["securityContext"].update(fields)


def hardening(**fields):
    """Changes the securityContext of the first container."""
    return lambda resource: container(resource)["securityContext"].update(fields)


def having(**fields):
    return lambda resource: container(resource).update(fields)


def volume(**source):
    return lambda resource: spec(resource)["template"]["spec"]["volumes"].append({"name": "v", **source})


def pod_annotation(name, value):
    return lambda resource: spec(resource)["template"]["metadata"].update(annotations={name: value})


def annotation(name, value):
    return lambda resource: (
        resource.properties["metadata"].setdefault("annotations", {}).update({name: value})
    )


def opened(direction, **rule):
    return lambda resource: spec(resource)[direction].append(rule)


def everywhere(kind, name):
    """A container of each kind that is like the first one but privileged."""

    def change(resource):
        extra = copy.deepcopy(container(resource)) | {"name": name}
        extra["securityContext"]["privileged"] = True
        spec(resource)["template"]["spec"].setdefault(kind, []).append(extra)

    return change


BACKEND = (PRODUCTION, "Deployment", "backend")
CLOSED = (PRODUCTION, "NetworkPolicy", "network-backend")
WEB = [{"port": 80}, {"port": 443, "protocol": "TCP"}]
NOT_OUTSIDE = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
]
REFUSED_PODS = [
    (pod(hostNetwork=True), "the pod has hostNetwork"),
    (pod(hostPID=True), "the pod has hostPID"),
    (pod(hostIPC=True), "the pod has hostIPC"),
    (volume(hostPath={"path": "/"}), "the volume v is a hostPath"),
    (volume(nfs={"server": "a", "path": "/"}), "the volume v is a nfs"),
    (volume(gitRepo={"repository": "a"}), "the volume v is a gitRepo"),
    (volume(image={"reference": "ghcr.io/cwinux/a:1"}), "the volume v is a image"),
    (having(ports=[{"containerPort": 7860, "hostPort": 7860}]), "hostPort 7860"),
    (hardening(privileged=True), "backend has privileged true"),
    (everywhere("initContainers", "extra"), "extra has privileged true"),
    (everywhere("containers", "extra"), "extra has privileged true"),
    (everywhere("ephemeralContainers", "extra"), "extra has privileged true"),
    (hardening(allowPrivilegeEscalation=True), "no allowPrivilegeEscalation: false"),
    (lambda resource: container(resource)["securityContext"].pop("allowPrivilegeEscalation"), "no allowPriv"),
    (lambda resource: container(resource).pop("securityContext"), "capabilities that do not drop ALL"),
    (hardening(capabilities={"drop": ["NET_RAW"]}), "capabilities that do not drop ALL"),
    (hardening(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}), "the capability SYS_ADMIN"),
    (hardening(runAsNonRoot=False), "no runAsNonRoot: true"),
    (security(runAsNonRoot=False), "the pod has runAsNonRoot false"),
    (lambda resource: spec(resource)["template"]["spec"].pop("securityContext"), "and neither has its pod"),
    (
        lambda resource: spec(resource)["template"]["spec"]["securityContext"].pop("seccompProfile"),
        "no seccompProfile of type RuntimeDefault or Localhost, and neither has its pod",
    ),
    (security(runAsUser=0), "the pod has runAsUser 0"),
    (hardening(runAsUser=0), "backend has runAsUser 0"),
    (security(seccompProfile={"type": "Unconfined"}), "the pod has seccompProfile Unconfined"),
    (hardening(seccompProfile={"type": "Unconfined"}), "backend has seccompProfile Unconfined"),
    (hardening(procMount="Unmasked"), "procMount Unmasked"),
    (security(sysctls=[{"name": "kernel.msgmax", "value": "1"}]), "the sysctl kernel.msgmax"),
    (security(seLinuxOptions={"type": "spc_t"}), "seLinuxOptions.type spc_t"),
    (hardening(seLinuxOptions={"user": "root"}), "seLinuxOptions.user"),
    (hardening(seLinuxOptions={"role": "system_r"}), "seLinuxOptions.role"),
    (security(appArmorProfile={"type": "Unconfined"}), "appArmorProfile Unconfined"),
    (
        pod_annotation("container.apparmor.security.beta.kubernetes.io/backend", "unconfined"),
        "backend is unconfined",
    ),
    (security(windowsOptions={"hostProcess": True}), "windowsOptions.hostProcess"),
    (hardening(windowsOptions={"hostProcess": True}), "windowsOptions.hostProcess"),
    (
        having(lifecycle={"preStop": {"httpGet": {"host": "a.example", "port": 80}}}),
        "a httpGet of another host",
    ),
    (
        lambda resource: container(resource)["livenessProbe"].update(
            tcpSocket={"host": "10.0.0.1", "port": 1}
        ),
        "a tcpSocket of another host",
    ),
]
OPEN_RULES = [
    ("ingress", {}, "without `from` is open to everybody"),
    ("egress", {"ports": [{"port": 5432}]}, "without `to` is open to everybody"),
    ("ingress", {"from": []}, "without `from`"),
    ("egress", {"to": [{}]}, "open to everybody"),
    ("ingress", {"from": [{"podSelector": {}}]}, "every pod of the namespace"),
    ("ingress", {"from": [{"namespaceSelector": {}}]}, "every namespace"),
    (
        "ingress",
        {"from": [{"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}]},
        "every namespace",
    ),
    (
        "egress",
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": WEB},
        "169.254.0.0/16, which is not the",
    ),
    (
        "egress",
        {"to": [{"ipBlock": {"cidr": "128.0.0.0/1"}}], "ports": WEB},
        "192.168.0.0/16, which is not the",
    ),
    ("egress", {"to": [{"ipBlock": {"cidr": "::/0"}}], "ports": WEB}, "fc00::/7, which is not the internet"),
    (
        "egress",
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}], "ports": WEB},
        "169.254.0.0/16, which is not the internet",
    ),
    (
        "egress",
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": NOT_OUTSIDE}}]},
        "every port of the internet",
    ),
    (
        "egress",
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": NOT_OUTSIDE}}], "ports": [{"port": 25}]},
        "TCP 25 of the internet",
    ),
    (
        "egress",
        {
            "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": NOT_OUTSIDE}}],
            "ports": [{"port": 80, "endPort": 99}],
        },
        "TCP 80-99 of the internet",
    ),
    (
        "ingress",
        {"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": NOT_OUTSIDE}}], "ports": WEB},
        "open to the internet (0.0.0.0/0)",
    ),
    ("ingress", {"from": [{"ipBlock": {"cidr": "anywhere"}}]}, "the range anywhere, which is none"),
]
PLAIN_SECRETS = [
    (having(args=["--password", "s3same"]), "args[1] looks"),
    (having(args=["--redis-password=s3same"]), "args[0] looks"),
    (having(command=["sh", "-c", "DB_PASSWD=s3same exec server"]), "command[2] looks"),
    (having(command=["sh", "-c", "client --api-key s3same"]), "command[2] looks"),
    (having(command=["psql", "postgresql://a:s3same@db/a"]), "command[1] looks"),
    (variable("DSN", "host=db password=s3same"), "DSN looks"),
    (variable("MODEL", f"sk-proj-{'a1' * 12}"), "MODEL looks"),
    (annotation("example.com/api-token", "s3same"), "annotations.example.com/api-token looks"),
    (pod_annotation("example.com/url", "https://a:s3same@b.example"), "annotations.example.com/url looks"),
    (annotation(f"example.com/ghp_{'a1' * 12}", ""), None),
    (
        lambda resource: container(resource)["livenessProbe"]["httpGet"].update(
            httpHeaders=[{"name": "Authorization", "value": "Basic czNzYW1l"}]
        ),
        "httpHeaders[0] Authorization looks",
    ),
    (
        lambda resource: container(resource)["livenessProbe"].update(
            exec={"command": ["a", "--token=s3same"]}
        ),
        "exec.command[1] looks",
    ),
]


def operated(*path, **values):
    """A change of an operator's object, in its spec at a path."""

    def change(resource):
        holder = spec(resource)
        for key in path:
            holder = holder[key]
        holder.update(values)

    return change


CLUSTER = (OPERATED, "Cluster", "database")
BROKEN = [
    *(
        ("operated-database", *CLUSTER, change, words)
        for change, words in (
            (operated(enableSuperuserAccess=True), "no enableSuperuserAccess: false"),
            (lambda resource: spec(resource).pop("enableSuperuserAccess"), "no enableSuperuserAccess: false"),
            (operated(superuserSecret={"name": "root"}), "sets superuserSecret"),
            (operated(env=[{"name": "A", "value": "b"}]), "sets env"),
            (operated(backup={"barmanObjectStore": {}}), "sets backup"),
            (
                operated("probes", liveness={"isolationCheck": {"enabled": False}}),
                "the Cluster sets probes.liveness",
            ),
            (operated("managed", "roles", 0, superuser=True), "the role skillflaw sets superuser"),
            (
                operated("managed", "roles", 0, inRoles=["pg_write_all_data"]),
                "the role skillflaw sets inRoles",
            ),
            (operated("bootstrap", "initdb", postInitSQL=["DROP TABLE a"]), "begins by initdb postInitSQL"),
            (operated("bootstrap", pg_basebackup={"source": "elsewhere"}), "begins by pg_basebackup"),
            (
                operated("bootstrap", recovery={"source": "database", "volumeSnapshots": {"storage": {}}}),
                "begins by recovery volumeSnapshots",
            ),
            (operated(plugins=[{"name": "another"}]), "has the plugin another"),
            (
                operated(plugins=[{"name": BARMAN, "parameters": {"endpointURL": "https://elsewhere"}}]),
                "sets the parameter endpointURL",
            ),
            (operated(plugins=[{"name": BARMAN, "args": ["--verbose"]}]), "sets args"),
            (
                operated(
                    externalClusters=[{"name": "elsewhere", "connectionParameters": {"host": "elsewhere"}}]
                ),
                "the external cluster elsewhere sets connectionParameters",
            ),
            (
                operated(externalClusters=[{"name": "elsewhere", "plugin": {"name": "another"}}]),
                "has the plugin another",
            ),
            (operated("postgresql", pg_hba=["host all all all trust"]), "without TLS or without a password"),
            (operated("postgresql", pg_hba=["hostssl all all all scram-sha-256"]), "without TLS"),
            (operated("postgresql", pg_hba=[]), "without TLS or without a password"),
            (
                operated("resources", limits={"cpu": "1", "memory": "1Gi"}),
                "no ephemeral-storage in its limits",
            ),
        )
    ),
    *(
        ("scraped-here", WATCHED, "PodMonitor", "monitoring-backend", change, words)
        for change, words in (
            (operated(namespaceSelector={"any": True}), "the PodMonitor sets namespaceSelector"),
            (operated(selector={}), "selects every pod of the namespace"),
            (
                operated("podMetricsEndpoints", 0, bearerTokenSecret={"name": "a", "key": "b"}),
                "an endpoint of the PodMonitor sets bearerTokenSecret",
            ),
            (
                operated("podMetricsEndpoints", 0, path="/api/v1/users"),
                "an endpoint of the PodMonitor sets path",
            ),
        )
    ),
    (
        "fixed-image",
        OPERATED,
        "ImageCatalog",
        "database-catalog",
        lambda resource: spec(resource)["images"][0].update(image="skillflaw.lab/postgres:16"),
        "skillflaw.lab/postgres:16 has no fixed version",
    ),
    (
        "known-registry",
        OPERATED,
        "ImageCatalog",
        "database-catalog",
        lambda resource: spec(resource)["images"][0].update(image=f"example.com/postgres{DIGEST}"),
        "is not from",
    ),
    *(("pod-security", *BACKEND, change, words) for change, words in REFUSED_PODS),
    ("pod-security", PRODUCTION, "Job", "bootstrap", pod(hostNetwork=True), "the pod has hostNetwork"),
    (
        "pod-security",
        IN_CLUSTER,
        "CronJob",
        "backup",
        lambda resource: spec(resource)["jobTemplate"]["spec"]["template"]["spec"].update(hostPID=True),
        "the pod has hostPID",
    ),
    ("no-account-token", *BACKEND, pod(automountServiceAccountToken=True), "no automountServiceAccountToken"),
    (
        "no-account-token",
        *BACKEND,
        lambda resource: spec(resource)["template"]["spec"].pop("automountServiceAccountToken"),
        "no automountServiceAccountToken",
    ),
    (
        "no-account-token",
        *BACKEND,
        volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}),
        "the volume v projects a serviceAccountToken",
    ),
    (
        "no-account-token",
        PRODUCTION,
        "Secret",
        "superuser-secret",
        lambda resource: resource.properties.update(type="kubernetes.io/service-account-token"),
        "never expires",
    ),
    *(
        (
            "restricted-namespace",
            PRODUCTION,
            "Namespace",
            "namespace",
            lambda resource, labels=labels: resource.properties["metadata"].update(labels=labels),
            words,
        )
        for labels, words in (
            ({}, "enforces nothing"),
            ({"pod-security.kubernetes.io/enforce": "baseline"}, "enforces baseline"),
            ({"pod-security.kubernetes.io/warn": "restricted"}, "enforces nothing"),
        )
    ),
    *(
        (
            "closed-service",
            PRODUCTION,
            "Service",
            "backend-service",
            lambda resource, fields=fields: spec(resource).update(fields),
            words,
        )
        for fields, words in (
            ({"externalIPs": ["203.0.113.7"]}, "has externalIPs"),
            ({"loadBalancerIP": "203.0.113.7"}, "has loadBalancerIP"),
            ({"externalName": "a.example"}, "has externalName"),
        )
    ),
    (
        "census",
        PRODUCTION,
        "Ingress",
        "edge-api",
        annotation("nginx.ingress.kubernetes.io/server-alias", "api.example.com, other.example.com"),
        "the host other.example.com is in no surface",
    ),
    *(
        (
            "census",
            PRODUCTION,
            "Ingress",
            "edge-app",
            annotation(name, "location /admin {}"),
            f"{name} opens what",
        )
        for name in (
            "nginx.ingress.kubernetes.io/configuration-snippet",
            "nginx.ingress.kubernetes.io/server-snippet",
            "nginx.org/location-snippets",
        )
    ),
    *(("named-peers", *CLOSED, opened(direction, **rule), words) for direction, rule, words in OPEN_RULES),
    *(("no-plain-secret", *BACKEND, change, words or "… looks") for change, words in PLAIN_SECRETS),
    (
        "no-plain-secret",
        PRODUCTION,
        "ConfigMap",
        "runtime-config",
        entry("settings.json", '{"user": "a", "password": "s3same"}'),
        "data.settings.json looks",
    ),
    (
        "no-plain-secret",
        PRODUCTION,
        "ConfigMap",
        "runtime-config",
        lambda resource: resource.properties.update(
            binaryData={"a": base64.b64encode(b"-----BEGIN PRIVATE KEY-----").decode()}
        ),
        "binaryData.a looks",
    ),
    (
        "no-plain-secret",
        PRODUCTION,
        "Secret",
        "superuser-secret",
        annotation("example.com/password", "s3same"),
        "annotations.example.com/password looks",
    ),
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
        "fixed-image",
        IN_CLUSTER,
        "StatefulSet",
        "database",
        image("skillflaw.lab/postgres:16"),
        "no fixed version",
    ),
    ("fixed-image", PRODUCTION, "Deployment", "backend", image("ghcr.io/cwinux/a:1.8"), "a:1.8 has no"),
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
        image("postgres:16.4"),
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
        lambda resource: spec(resource)["template"]["spec"]["initContainers"][1]["resources"].update(
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


def test_a_cluster_of_an_operator_that_is_not_protected_breaks_a_policy_and_its_password_does_not():
    resources = [
        replace(row, protect=row.protect and row.name not in ("database", "database-password"))
        for row in declared(OPERATED)
    ]
    assert violations(OPERATED, resources) == [
        ("protected-state", "database", "it holds state and is not protected")
    ]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Namespace", "namespace"),
        ("PersistentVolumeClaim", "storage-claim"),
        ("PersistentVolumeClaim", "database-claim"),
        ("StatefulSet", "database"),
        ("RandomBytes", "secret-key-bytes"),
        ("RandomPassword", "superuser-password"),
        ("RandomPassword", "database-password"),
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
        image("ghcr.io/cwinux/a:1.2.3"),
        image(f"ghcr.io/cwinux/a:latest{DIGEST}"),
        image(None),
        having(ports=[{"containerPort": 7860, "hostPort": 0}]),
        hardening(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
        hardening(seccompProfile={"type": "Localhost", "localhostProfile": "a.json"}),
        hardening(
            runAsUser=1000, privileged=False, procMount="Default", seLinuxOptions={"type": "container_t"}
        ),
        security(sysctls=[{"name": "net.ipv4.tcp_keepalive_time", "value": "60"}]),
        security(appArmorProfile={"type": "RuntimeDefault"}),
        pod_annotation("container.apparmor.security.beta.kubernetes.io/backend", "localhost/a"),
        pod(hostNetwork=False, hostPID=False),
        volume(),
        volume(configMap={"name": "a"}),
        volume(projected={"sources": [{"configMap": {"name": "a"}}]}),
        volume(ephemeral={"volumeClaimTemplate": {}}),
        having(args=["--password-file", "/run/secrets/a", "--token=$(TOKEN)"]),
        having(command=["sh", "-c", 'API_KEY="$KEY" exec server --secret-name a']),
        variable("SKILLFLAW_API_KEY_SOURCE", "db"),
        variable("TOKENIZERS_PARALLELISM", "off"),
        annotation("nginx.ingress.kubernetes.io/auth-secret", "basic-auth"),
    ],
)
def test_what_only_resembles_a_violation_is_none(change):
    resources = declared(PRODUCTION)
    [backend] = [row for row in resources if (row.kind, row.name) == ("Deployment", "backend")]
    change(backend)
    assert violations(PRODUCTION, resources) == []


def test_hardening_may_stand_on_every_container_instead_of_the_pod():
    def change(resource):
        pod = spec(resource)["template"]["spec"]
        moved = {key: pod["securityContext"].pop(key) for key in ("runAsNonRoot", "seccompProfile")}
        for row in (*pod.get("initContainers", ()), *pod["containers"]):
            row["securityContext"] |= moved

    resources = declared(PRODUCTION)
    change(next(row for row in resources if (row.kind, row.name) == ("Deployment", "backend")))
    assert violations(PRODUCTION, resources) == []


@pytest.mark.parametrize(
    ("direction", "rule"),
    [
        ("egress", {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": NOT_OUTSIDE}}], "ports": WEB}),
        (
            "egress",
            {"to": [{"ipBlock": {"cidr": "::/0", "except": ["fc00::/7", "fe80::/10"]}}], "ports": WEB},
        ),
        ("egress", {"to": [{"ipBlock": {"cidr": "2000::/3"}}], "ports": WEB}),
        ("egress", {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 5432}]}),
        ("egress", {"to": [{"ipBlock": {"cidr": "203.0.113.7/32"}}]}),
        ("ingress", {"from": [{"ipBlock": {"cidr": "fd00:20::/64"}}]}),
        (
            "ingress",
            {"from": [{"podSelector": {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}}}]},
        ),
        (
            "ingress",
            {
                "from": [
                    {
                        "namespaceSelector": {
                            "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]
                        },
                        "podSelector": {},
                    }
                ]
            },
        ),
    ],
)
def test_a_rule_for_peers_that_have_a_name_breaks_no_policy(direction, rule):
    resources = declared(PRODUCTION)
    opened(direction, **rule)(next(row for row in resources if row.name == "network-backend"))
    assert violations(PRODUCTION, resources) == []


def test_a_password_of_a_cache_or_of_a_version_locks_nothing_up_and_that_of_another_component_does():
    password = Resource(type="random:index/randomPassword:RandomPassword", name="p", properties={})
    cache = replace(password, parent="skillflaw:app:InClusterCache")
    version = replace(password, parent="skillflaw:app:VersionedPassword")
    backend = replace(password, parent="skillflaw:app:Backend")
    rows = (password, cache, version, backend)
    assert [violations(PRODUCTION, [row]) != [] for row in rows] == [True, False, False, True]


@pytest.mark.parametrize(
    ("urn", "component"),
    [
        (
            "urn:pulumi:prod::skillflaw::a:b:Outer$a:b:Inner$random:index/randomBytes:RandomBytes::n",
            "a:b:Inner",
        ),
        ("urn:pulumi:prod::skillflaw::a:b:Outer$kubernetes:core/v1:Secret::n", "a:b:Outer"),
        ("urn:pulumi:prod::skillflaw::kubernetes:core/v1:Secret::n", ""),
    ],
)
def test_the_component_of_a_resource_is_read_from_its_urn(urn, component):
    assert parent(urn) == component


UNKNOWN_KINDS = [
    "kubernetes:rbac.authorization.k8s.io/v1:Role",
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
    "kubernetes:gateway.networking.k8s.io/v1:Gateway",
    "kubernetes:gateway.networking.k8s.io/v1:GRPCRoute",
    "kubernetes:gateway.networking.k8s.io/v1alpha2:TCPRoute",
    "kubernetes:gateway.networking.k8s.io/v1alpha2:TLSRoute",
    "kubernetes:gateway.networking.k8s.io/v1alpha2:UDPRoute",
    "kubernetes:traefik.io/v1alpha1:IngressRoute",
    "kubernetes:traefik.io/v1alpha1:IngressRouteTCP",
    "kubernetes:traefik.io/v1alpha1:Middleware",
    "kubernetes:networking.istio.io/v1:Gateway",
    "kubernetes:networking.istio.io/v1:VirtualService",
    "kubernetes:route.openshift.io/v1:Route",
    "kubernetes:projectcontour.io/v1:HTTPProxy",
    "kubernetes:configuration.konghq.com/v1:KongIngress",
    "kubernetes:getambassador.io/v3alpha1:Mapping",
    "kubernetes:extensions/v1beta1:Ingress",
    "kubernetes:serving.knative.dev/v1:Service",
    "kubernetes:discovery.k8s.io/v1:EndpointSlice",
    "kubernetes:core/v1:Endpoints",
    "kubernetes:core/v1:Pod",
    "kubernetes:core/v1:PodTemplate",
    "kubernetes:core/v1:ReplicationController",
    "kubernetes:core/v1:PersistentVolume",
    "kubernetes:core/v1:ServicePatch",
    "kubernetes:apps/v1:DaemonSet",
    "kubernetes:apps/v1:ReplicaSet",
    "kubernetes:apps/v1:DeploymentList",
    "kubernetes:admissionregistration.k8s.io/v1:MutatingWebhookConfiguration",
    "kubernetes:helm.sh/v3:Release",
    "kubernetes:yaml/v2:ConfigGroup",
    "kubernetes:kustomize/v2:Directory",
    "kubernetes:example.com/v1:ConfigMap",
    "command:local:Command",
    "pulumi-nodejs:dynamic:Resource",
]


@pytest.mark.parametrize("type_", UNKNOWN_KINDS)
def test_a_kind_that_the_program_does_not_declare_is_refused(type_):
    stack = Stack.of(PRODUCTION)
    [said] = known_kind.check(Resource(type=type_, name="extra", properties={}), stack)
    assert f"{type_.rpartition(':')[2]} (" in said
    assert "is none of Cluster, ConfigMap" in said


@pytest.mark.parametrize(
    "type_",
    [
        "kubernetes:v1:ConfigMap",
        "kubernetes:autoscaling/v1:HorizontalPodAutoscaler",
        "pulumi:pulumi:Stack",
        "pulumi:providers:kubernetes",
        "skillflaw:app:Backend",
    ],
)
def test_other_versions_of_a_known_kind_and_what_is_no_object_are_not(type_):
    assert [*known_kind.check(Resource(type=type_, name="extra", properties={}), Stack.of(PRODUCTION))] == []


def test_the_known_kinds_are_what_the_program_declares():
    stacks = [PRODUCTION, IN_CLUSTER, OPERATED, ARCHIVED, GATEWAY, AUTOSCALED, WATCHED, filled_in("dev")]
    stacks.append(stack_file("lab"))
    declared_kinds = {(row.group, row.kind) for config in stacks for row in declared(config) if row.kind}
    assert declared_kinds == {(group, kind) for group, kinds in KINDS.items() for kind in kinds}


@pytest.mark.parametrize(
    ("type_", "path"),
    [
        ("kubernetes:core/v1:Pod", ["spec"]),
        ("kubernetes:core/v1:PodTemplate", ["template", "spec"]),
        ("kubernetes:core/v1:ReplicationController", ["spec", "template", "spec"]),
        ("kubernetes:apps/v1:DaemonSet", ["spec", "template", "spec"]),
        ("kubernetes:serving.knative.dev/v1:Service", ["spec", "template", "spec"]),
        ("kubernetes:batch/v1:CronJob", ["spec", "jobTemplate", "spec", "template", "spec"]),
    ],
)
def test_pods_are_judged_whatever_makes_them(type_, path):
    properties = {"containers": [{"name": "a", "image": "evil.example/a"}], "hostNetwork": True}
    for key in reversed(path):
        properties = {key: properties}
    found = violations(PRODUCTION, [Resource(type=type_, name="extra", properties=properties)])
    assert {"pod-security", "no-account-token", "fixed-image", "known-registry", "bounded"} <= {
        policy for policy, _, _ in found
    }


def test_no_violation_shows_a_secret():
    for policy, config, kind, name, change, _ in BROKEN:
        if policy == "no-plain-secret":
            resources = declared(config)
            change(next(row for row in resources if (row.kind, row.name) == (kind, name)))
            said = str([words for _, _, words in violations(config, resources)])
            assert not re.search(r"s3same|czNzYW1l|(a1){12}", said)


letters = st.text(string.printable, max_size=8)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | letters
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["api", "host", "registries", "enabled"]) | letters, inner, max_size=3
        )
    ),
)


@settings(deadline=None)
@given(anything, anything, anything)
@example(None, None, None)
@example("text", ["text"], "text")
@example({"app": None}, {"registries": "text"}, {"enabled": "no"})
@example({"app": {"host": ["a"]}}, {"registries": [1]}, {"enabled": None})
@example({"app": {"host": "a"}}, {"registries": []}, {"enabled": 0})
def test_a_section_that_cannot_be_read_counts_as_absent_and_the_stack_as_protected(
    surfaces, images, protection
):
    read, absent = Stack.of({"surfaces": surfaces, "images": images, "protection": protection}), Stack.of({})
    said_off = isinstance(protection, dict) and protection.get("enabled") is False
    assert read.protected is not said_off
    assert all(isinstance(host, str) for host in read.hosts)
    assert read.registries == absent.registries or list(read.registries) == images["registries"]


def test_what_can_be_read_of_a_stack_file_is():
    sections = {
        "surfaces": {"api": {"host": "a.example.com"}, "app": None, "docs": "text"},
        "images": {"registries": ["a.example"], "backend": 1},
        "protection": {"enabled": False, "migrating": 1},
    }
    assert Stack.of(sections) == Stack(
        hosts=frozenset({"a.example.com"}), registries=("a.example",), protected=False
    )


def places(value):
    """Every holder and key in nested inputs."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from places(value[key])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_policy_fails_on_what_it_cannot_read(data):
    _, config, kind, name, change, _ = data.draw(st.sampled_from(BROKEN))
    resources = declared(config)
    [changed] = [row for row in resources if (row.kind, row.name) == (kind, name)]
    change(changed)
    odd = replace(changed, properties=copy.deepcopy(changed.properties))
    found = list(places(odd.properties))
    holder, key = found[data.draw(st.integers(0, len(found) - 1))]
    holder[key] = data.draw(anything)
    assert all(words for _, _, words in violations(config, resources, of=odd))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_policy_says_what_is_safe_in_one_sentence(policy):
    assert re.fullmatch(r"[A-Z][^\n]*[^.]\.", policy.what)
    assert not re.search(r"\. [A-Z]", policy.what)


def test_every_policy_has_been_seen_broken():
    assert {row[0] for row in BROKEN} | {"protected-state", "known-kind"} == {
        policy.name for policy in POLICIES
    }


def test_the_committed_page_of_policies_is_fresh():
    assert (ROOT / "docs" / "policies.md").read_text() == page(), (
        "run: python -m policies.docs > docs/policies.md"
    )


@contextmanager
def served_pack(folder, **sections):
    """The pack as the engine starts it for a stack file's sections, and its port."""
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(ROOT / "policies")]
    config = {f"skillflaw:{key}": text for key, text in sections.items()}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PULUMI_CONFIG": json.dumps(config)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as pack:
        try:
            yield pack.stdout.readline().strip()
        finally:
            pack.kill()


@pytest.mark.parametrize("folder", [ROOT / "policies", ROOT, Path("/")], ids=["pack", "project", "root"])
def test_the_pack_serves_from_any_working_directory(folder):
    with served_pack(folder) as port:
        assert port.isdecimal()


@pytest.mark.parametrize(
    ("sections", "level"),
    [
        ({"surfaces": "", "images": "null", "docs": ""}, "MANDATORY"),
        ({"surfaces": '{"app": null}', "images": "text", "protection": "[]"}, "MANDATORY"),
        ({"protection": '{"enabled": "false"}'}, "MANDATORY"),
        ({"surfaces": "{", "protection": '{"enabled": false}'}, "ADVISORY"),
    ],
)
def test_the_engine_hears_of_a_violation_whatever_the_stack_file_leaves_blank(sections, level):
    properties = struct_pb2.Struct()
    properties.update({"spec": {"type": "NodePort", "clusterIP": UNKNOWN_STRING_VALUE}})
    urn = "urn:pulumi:prod::skillflaw::kubernetes:core/v1:Service::extra"
    request = analyzer_pb2.AnalyzeRequest(
        type="kubernetes:core/v1:Service", name="extra", urn=urn, properties=properties
    )
    with (
        served_pack(ROOT / "policies", **sections) as port,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        said = analyzer_pb2_grpc.AnalyzerStub(channel).Analyze(request, timeout=60).diagnostics
    assert {row.policyName for row in said} == {"closed-service", "frozen-selector"}
    assert {row.enforcementLevel for row in said} == {analyzer_pb2.EnforcementLevel.Value(level)}
    assert "the Service is a NodePort. Keep the Service `ClusterIP`" in said[0].message
