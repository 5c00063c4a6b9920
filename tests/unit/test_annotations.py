"""Annotations that a route may have, and those it may not."""

import pytest

from settings.annotations import annotation_problems
from settings.load import parse
from settings.problems import SettingsError
from tests.stack_files import filled_in, stack_file


def refused(key: str, value: str = "x", *, protected: bool = True) -> bool:
    found = list(annotation_problems("edge.annotations", {key: value}, protected=protected))
    assert all(problem.path == f"edge.annotations.{key}" for problem in found)
    assert all(problem.found and problem.allowed and problem.remedy for problem in found)
    return bool(found)


NGINX = "nginx.ingress.kubernetes.io"

TAKEN = [
    "pulumi.com/skipAwait",
    "pulumi.com/patchForce",
    "kubernetes.io/ingress.class",
    "cert-manager.io/cluster-issuer",
    "cert-manager.io/issuer",
    "cert-manager.io/issuer-kind",
    "kubectl.kubernetes.io/last-applied-configuration",
]

UNSAFE = [
    f"{NGINX}/configuration-snippet",
    f"{NGINX}/server-snippet",
    f"{NGINX}/auth-snippet",
    "nginx.org/location-snippets",
    "nginx.org/server-snippets",
    f"{NGINX}/server-alias",
    f"{NGINX}/auth-url",
    f"{NGINX}/auth-signin",
    f"{NGINX}/permanent-redirect",
    f"{NGINX}/rewrite-target",
    f"{NGINX}/app-root",
    f"{NGINX}/upstream-vhost",
    f"{NGINX}/canary",
    f"{NGINX}/canary-by-header",
    f"{NGINX}/enable-cors",
    f"{NGINX}/mirror-target",
    f"{NGINX}/proxy-ssl-verify",
    f"{NGINX}/default-backend",
    "alb.ingress.kubernetes.io/actions.forward",
    "alb.ingress.kubernetes.io/conditions.forward",
    "haproxy.org/backend-config-snippet",
    "haproxy-ingress.github.io/config-backend",
    "unknown.example.com/anything",
]

SAFE = [
    ("traefik.ingress.kubernetes.io/router.entrypoints", "websecure"),
    ("traefik.ingress.kubernetes.io/router.tls", "true"),
    ("traefik.ingress.kubernetes.io/router.middlewares", "edge-limits@kubernetescrd"),
    ("traefik.ingress.kubernetes.io/service.serverstransport", "edge-quick@kubernetescrd"),
    (f"{NGINX}/proxy-read-timeout", "3600"),
    (f"{NGINX}/proxy-body-size", "1g"),
    (f"{NGINX}/limit-rps", "20"),
    (f"{NGINX}/whitelist-source-range", "10.0.0.0/8,192.168.0.0/16"),
    (f"{NGINX}/ssl-redirect", "true"),
    ("alb.ingress.kubernetes.io/target-type", "ip"),
    ("alb.ingress.kubernetes.io/listen-ports", '[{"HTTPS": 443}]'),
    ("alb.ingress.kubernetes.io/certificate-arn", "arn:aws:acm:eu-west-1:1:certificate/a"),
    ("external-dns.alpha.kubernetes.io/ttl", "60"),
    ("haproxy.router.openshift.io/timeout", "3600s"),
    ("kubernetes.io/ingress.global-static-ip-name", "skillflaw"),
    ("cert-manager.io/duration", "2160h"),
    ("team", "platform"),
]


@pytest.mark.parametrize("key", TAKEN)
def test_what_another_key_says_or_another_tool_writes_is_refused_always(key):
    assert refused(key)
    assert refused(key, protected=False)


@pytest.mark.parametrize("key", UNSAFE)
def test_protection_refuses_what_is_not_known_to_be_harmless(key):
    assert refused(key)
    assert not refused(key, protected=False)


@pytest.mark.parametrize(("key", "value"), SAFE)
def test_timeouts_limits_addresses_and_certificates_pass(key, value):
    assert not refused(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (f"{NGINX}/ssl-redirect", "false"),
        (f"{NGINX}/force-ssl-redirect", "0"),
        ("haproxy.org/ssl-redirect", "false"),
        ("kubernetes.io/ingress.allow-http", "true"),
        (f"{NGINX}/proxy-read-timeout", "60; return 200"),
        (f"{NGINX}/proxy-body-size", "1g\nlocation / { }"),
        (f"{NGINX}/limit-rps", "1}"),
    ],
)
def test_protection_refuses_values_that_undo_tls_or_leave_their_directive(key, value):
    assert refused(key, value)
    assert not refused(key, value, protected=False)


@pytest.mark.parametrize(
    "key", ["", "a b", "UPPER.example.com/a", "a/b/c", "/a", "a/", "-a", "a" * 64, f"{'a' * 254}/b"]
)
def test_a_key_that_kubernetes_does_not_know_is_refused(key):
    with pytest.raises(SettingsError, match=r"edge\.annotations"):
        parse(stack_file("lab") | {"edge": {"ingress": {"className": "x"}, "annotations": {key: "x"}}}, set())


@pytest.mark.parametrize("value", [True, None, [], {}])
def test_a_value_that_is_no_text_is_refused(value):
    with pytest.raises(SettingsError, match=r"edge\.annotations\.team"):
        parse(
            stack_file("lab") | {"edge": {"ingress": {"className": "x"}, "annotations": {"team": value}}},
            set(),
        )


def test_a_number_is_the_text_that_is_meant():
    edge = filled_in("prod")["edge"] | {"annotations": {f"{NGINX}/proxy-read-timeout": 3600}}
    settings = parse(filled_in("prod") | {"edge": edge}, set())
    assert settings.edge.annotations == {f"{NGINX}/proxy-read-timeout": "3600"}
