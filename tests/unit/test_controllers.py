"""What each ingress controller is given so that the longest flow passes whole, and what would cut it."""

from typing import Any, get_args

import pytest

from components.controllers import ANNOTATIONS
from settings.load import parse
from settings.problems import SettingsError
from settings.sections import CONTROLLERS, Controller
from settings.timeouts import TIMEOUTS
from tests.edits import edited
from tests.stack_files import stack_file
from tests.unit.recorder import run

FLOW = 300
NGINX = "nginx.ingress.kubernetes.io"
PLAIN = {"edge.annotations": None, "backend.longestFlowSeconds": FLOW}
BACKEND_CONFIG = {"cloud.google.com/backend-config": '{"default": "flows"}'}
GOOGLE = PLAIN | {"surfaces.api.serviceAnnotations": BACKEND_CONFIG}


def behind(controller: str, edits: dict[str, Any] | None = None) -> dict[str, Any]:
    """The lab's stack file behind another controller."""
    return edited(PLAIN | {"edge.ingress": {"className": "some", "controller": controller}} | (edits or {}))


def route(config: dict[str, Any], name: str = "edge-api") -> dict[str, Any]:
    return run(config).one("Ingress", name).inputs


def refused(config: dict[str, Any]) -> dict[str, Any]:
    """The problems of a stack file by their path."""
    with pytest.raises(SettingsError) as error:
        parse(config, set())
    return {problem.path: problem for problem in error.value.problems}


# --- what is written ----------------------------------------------------------------------------


def test_every_controller_of_a_stack_file_is_known_to_the_component():
    assert set(get_args(Controller)) == ANNOTATIONS.keys()
    assert set(CONTROLLERS.values()) < ANNOTATIONS.keys()


@pytest.mark.parametrize("controller", TIMEOUTS)
def test_what_is_written_is_longer_than_the_longest_flow_by_the_rules_own_reading(controller):
    annotations = route(behind(controller))["metadata"]["annotations"]
    assert {key: read(annotations[key]) for key, read in TIMEOUTS[controller].items()} == dict.fromkeys(
        TIMEOUTS[controller], FLOW + 15
    )


def test_nothing_is_written_for_a_controller_whose_timeouts_no_ingress_decides():
    for controller in ANNOTATIONS.keys() - TIMEOUTS.keys():
        assert not ANNOTATIONS[controller](FLOW), controller


@pytest.mark.parametrize("controller", ANNOTATIONS)
def test_no_controller_is_given_the_annotations_of_another(controller):
    theirs = {key for other in ANNOTATIONS.keys() - {controller} for key in ANNOTATIONS[other](FLOW)}
    assert not theirs & route(behind(controller, GOOGLE))["metadata"]["annotations"].keys()


@pytest.mark.parametrize(
    ("controller", "off"), [("nginx", f"{NGINX}/proxy-buffering"), ("f5-nginx", "nginx.org/proxy-buffering")]
)
def test_a_controller_that_buffers_is_asked_to_stream(controller, off):
    assert route(behind(controller))["metadata"]["annotations"][off] in ("off", "false")


def test_targets_of_an_aws_load_balancer_finish_their_requests_as_long_as_it_can_wait():
    key = "alb.ingress.kubernetes.io/target-group-attributes"
    for flow, delay in ((300, 315), (3600, 3600)):
        written = route(behind("alb", {"backend.longestFlowSeconds": flow}))["metadata"]["annotations"]
        assert written[key] == f"deregistration_delay.timeout_seconds={delay}"


def test_googles_controller_finds_its_routes_by_their_annotation():
    mine = route(behind("gce", GOOGLE))
    assert mine["metadata"]["annotations"]["kubernetes.io/ingress.class"] == "some"
    assert "ingressClassName" not in mine["spec"]
    assert route(behind("traefik"))["spec"]["ingressClassName"] == "some"


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_class_of_a_known_name_needs_no_controller(name):
    edge = {"edge.ingress": {"className": name}} | GOOGLE
    named = {"edge.ingress": {"className": name, "controller": CONTROLLERS[name]}} | GOOGLE
    assert route(edited(edge)) == route(edited(named))


def test_the_controller_that_is_named_wins_over_what_the_class_is_known_for():
    edge = {"edge.ingress": {"className": "nginx", "controller": "f5-nginx"}} | PLAIN
    annotations = route(edited(edge))["metadata"]["annotations"]
    assert annotations["nginx.org/proxy-read-timeout"] == "315s"
    assert annotations["nginx.org/proxy-connect-timeout"] == "5s"
    assert not any(key.startswith(NGINX) for key in annotations)


@pytest.mark.parametrize("name", ["internal", "kong", "nginx-internal"])
def test_a_class_that_may_be_any_controllers_is_asked_about(name):
    problem = refused(edited({"edge.ingress": {"className": name}}))["edge.ingress.controller"]
    assert name in problem.found
    assert f"kubectl get ingressclass {name}" in problem.remedy


# --- what would cut a flow ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("controller", "key", "value"),
    [
        ("nginx", f"{NGINX}/proxy-read-timeout", "60"),
        ("nginx", f"{NGINX}/proxy-send-timeout", "299"),
        ("nginx", f"{NGINX}/proxy-read-timeout", "long"),
        ("f5-nginx", "nginx.org/proxy-read-timeout", "1m 30s"),
        ("f5-nginx", "nginx.org/proxy-send-timeout", "60s"),
        ("haproxy", "haproxy.org/timeout-server", "300"),
        ("haproxy", "haproxy.org/timeout-server", "50s"),
        ("openshift", "haproxy.router.openshift.io/timeout", "30s"),
        ("openshift", "haproxy.router.openshift.io/timeout", "4m"),
        ("alb", "alb.ingress.kubernetes.io/load-balancer-attributes", "access_logs.s3.enabled=true"),
        ("alb", "alb.ingress.kubernetes.io/load-balancer-attributes", "a=b,idle_timeout.timeout_seconds=60"),
    ],
)
@pytest.mark.parametrize(
    "where", ["edge.annotations", "surfaces.api.annotations", "surfaces.app.annotations"]
)
def test_an_annotation_that_would_cut_the_longest_flow_is_refused(controller, key, value, where):
    problem = refused(behind(controller, {where: {key: value}}))[f"{where}.{key}"]
    assert "300 s of backend.longestFlowSeconds" in problem.allowed
    assert "remove it" in problem.remedy


@pytest.mark.parametrize(
    ("controller", "key", "value"),
    [
        ("nginx", f"{NGINX}/proxy-read-timeout", "300"),
        ("f5-nginx", "nginx.org/proxy-read-timeout", "5m"),
        ("f5-nginx", "nginx.org/proxy-read-timeout", "1h 30m"),
        ("haproxy", "haproxy.org/timeout-server", "300000"),
        ("openshift", "haproxy.router.openshift.io/timeout", "1h"),
        (
            "alb",
            "alb.ingress.kubernetes.io/load-balancer-attributes",
            "access_logs.s3.enabled=true, idle_timeout.timeout_seconds=400",
        ),
        ("alb", f"{NGINX}/proxy-read-timeout", "60"),
        ("none", f"{NGINX}/proxy-read-timeout", "60"),
    ],
)
def test_an_annotation_that_carries_the_longest_flow_or_is_no_concern_of_the_controllers_is_taken(
    controller, key, value
):
    config = behind(controller, {"edge.annotations": {key: value}})
    assert route(config)["metadata"]["annotations"][key] == value


def test_documentation_has_no_flows_to_cut_and_a_hosts_own_annotation_counts_first():
    short, long = {f"{NGINX}/proxy-read-timeout": "30"}, {f"{NGINX}/proxy-read-timeout": "400"}
    parse(behind("nginx", {"surfaces.docs.annotations": short}), set())
    hosts = {f"surfaces.{name}.annotations": long for name in ("api", "app")}
    parse(behind("nginx", {"edge.annotations": short} | hosts), set())
    assert refused(behind("nginx", {"edge.annotations": short, "surfaces.api.annotations": long}))


def test_a_service_may_cut_a_flow_too():
    path = "surfaces.api.serviceAnnotations"
    assert refused(behind("haproxy", {path: {"haproxy.org/timeout-server": "30s"}})).keys() == {
        f"{path}.haproxy.org/timeout-server"
    }


@pytest.mark.parametrize("flow", [31, 300, 3600])
def test_flows_longer_than_googles_load_balancer_waits_are_refused_without_a_backend_config(flow):
    problem = refused(behind("gce", {"backend.longestFlowSeconds": flow}))["backend.longestFlowSeconds"]
    assert f"timeoutSec: {flow + 15}" in problem.remedy
    assert "surfaces.api.serviceAnnotations" in problem.remedy


@pytest.mark.parametrize(
    "edits",
    [
        {"backend.longestFlowSeconds": 30},
        {"surfaces.api.serviceAnnotations": {"beta.cloud.google.com/backend-config": '{"default": "flows"}'}},
        {"surfaces.api": None, "surfaces.app": None},
    ],
)
def test_flows_that_googles_load_balancer_carries_are_taken(edits):
    parse(behind("gce", edits), set())


def test_the_remedy_names_the_host_that_decides_for_the_backends_service():
    alone = {"surfaces.api": None, "frontend.backendUrl": "http://skillflaw-backend:7860"}
    assert (
        "surfaces.app.serviceAnnotations"
        in refused(behind("gce", alone))["backend.longestFlowSeconds"].remedy
    )
    parse(behind("gce", alone | {"surfaces.app.serviceAnnotations": BACKEND_CONFIG}), set())


# --- Services -----------------------------------------------------------------------------------


def services(edits: dict[str, Any]) -> dict[str, str | None]:
    """What `some/note` says on each Service of the lab's stack."""
    return {
        it.name.removesuffix("-service"): it.inputs["metadata"]["annotations"].get("some/note")
        for it in run(edited(edits)).of("Service")
    }


def test_annotations_of_a_service_reach_the_service_behind_the_host_and_no_other():
    noted = {f"surfaces.{name}.serviceAnnotations": {"some/note": name} for name in ("api", "app", "docs")}
    assert services(noted) == {
        "backend": "api",
        "frontend": "app",
        "docs": "docs",
        "database": None,
        "cache": None,
    }


def test_without_a_host_of_the_api_the_web_uis_decides_for_the_backend_too():
    noted = {
        "surfaces.api": None,
        "frontend.backendUrl": "http://skillflaw-backend:7860",
        "surfaces.app.serviceAnnotations": {"some/note": "app"},
    }
    assert (services(noted)["backend"], services(noted)["frontend"]) == ("app", "app")
    assert services({"surfaces.app.serviceAnnotations": {"some/note": "app"}})["backend"] is None


@pytest.mark.parametrize(
    "key",
    ["pulumi.com/skipAwait", "meta.helm.sh/release-name", "kubectl.kubernetes.io/last-applied-configuration"],
)
def test_annotations_of_a_service_are_held_against_the_same_rules(key):
    path = "surfaces.app.serviceAnnotations"
    assert refused(edited({path: {key: "true"}})).keys() == {f"{path}.{key}"}


@pytest.mark.parametrize(
    ("key", "value", "safe"),
    [
        ("cloud.google.com/backend-config", '{"default": "flows"}', True),
        ("cloud.google.com/neg", '{"ingress": true}', True),
        ("konghq.com/read-timeout", "315000", True),
        ("konghq.com/plugins", "anything", False),
        ("konghq.com/path", "/api/v1/login", False),
        ("some.example.com/route", "/", False),
    ],
)
def test_under_protection_a_service_takes_what_is_known_to_be_harmless(key, value, safe):
    config = stack_file("prod")
    config["images"] = {name: f"ghcr.io/cwinux/{name}@sha256:{'a' * 64}" for name in ("backend", "frontend")}
    config["surfaces"]["api"]["serviceAnnotations"] = {key: value}
    if safe:
        parse(config, set())
    else:
        assert refused(config).keys() == {f"surfaces.api.serviceAnnotations.{key}"}


# --- address families ---------------------------------------------------------------------------


def test_every_service_has_an_address_of_each_family_that_the_cluster_has():
    policies = {it.name: it.inputs["spec"]["ipFamilyPolicy"] for it in run(stack_file("lab")).of("Service")}
    assert set(policies.values()) == {"PreferDualStack"}
    assert len(policies) == 5
