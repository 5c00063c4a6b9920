"""Public hosts are exactly those of the stack file's census."""

import itertools
import json
from typing import get_args

import pytest

from components.edge import API_PATHS
from settings.load import parse
from settings.problems import SettingsError
from settings.sections import PathGroup
from tests.stack_files import stack_file
from tests.unit.recorder import run

HOSTS = {"api": "api.skillflaw.test", "app": "app.skillflaw.test", "docs": "docs.skillflaw.test"}
WORKLOAD = {"app": "frontend", "docs": "docs"}
COMBINATIONS = [frozenset(chosen) for size in range(4) for chosen in itertools.combinations(HOSTS, size)]


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda chosen: "+".join(sorted(chosen)) or "none")
def exposed(request):
    config = stack_file("lab") | {"surfaces": {name: {"host": HOSTS[name]} for name in request.param}}
    if "app" in request.param and "api" not in request.param:
        config["frontend"] = config["frontend"] | {"backendUrl": "http://skillflaw-backend:7860"}
    if not request.param:
        config["network"] = {}
    return request.param, run(config)


def test_there_are_eight_combinations():
    assert len(COMBINATIONS) == 8


def test_a_closed_surface_leaves_no_trace(exposed):
    chosen, program = exposed
    everything = json.dumps([declared.inputs for declared in program.resources.values()])
    for name in HOSTS.keys() - chosen:
        assert HOSTS[name] not in everything
        assert HOSTS[name] not in json.dumps(program.outputs)
        if name in WORKLOAD:
            assert f"skillflaw-{WORKLOAD[name]}" not in everything
            assert f"{WORKLOAD[name]}Service" not in program.outputs


def test_an_open_surface_has_workload_route_and_output(exposed):
    chosen, program = exposed
    assert {ingress.name for ingress in program.of("Ingress")} == {f"edge-{name}" for name in chosen}
    assert program.outputs["surfaces"] == {name: f"https://{HOSTS[name]}" for name in chosen}
    for name in chosen & WORKLOAD.keys():
        assert program.one("Deployment", WORKLOAD[name])
        assert program.outputs[f"{WORKLOAD[name]}Service"] == f"skillflaw-{WORKLOAD[name]}"


def test_the_backend_always_runs(exposed):
    _, program = exposed
    assert program.one("Deployment", "backend")
    assert program.outputs["backendService"] == "skillflaw-backend"


def test_every_route_is_of_its_own_host_and_has_tls(exposed):
    chosen, program = exposed
    for name in chosen:
        spec = program.one("Ingress", f"edge-{name}").inputs["spec"]
        assert [rule["host"] for rule in spec["rules"]] == [HOSTS[name]]
        assert [tls["hosts"] for tls in spec["tls"]] == [[HOSTS[name]]]


# --- paths -------------------------------------------------------------------------------------


def api_routes(allow=None) -> set[tuple[str, str]]:
    row = {"host": HOSTS["api"]} | ({"allow": allow} if allow else {})
    program = run(stack_file("lab") | {"surfaces": {"api": row}})
    (rule,) = program.one("Ingress", "edge-api").inputs["spec"]["rules"]
    return {(path["pathType"], path["path"]) for path in rule["http"]["paths"]}


def test_the_api_opens_health_run_responses_and_mcp_by_default():
    assert api_routes() == {
        ("Exact", "/health"),
        ("Exact", "/health_check"),
        ("Prefix", "/api/v1/run"),
        ("Prefix", "/api/v1/responses"),
        ("Prefix", "/api/v1/mcp/streamable"),
    }


def test_a_group_that_is_left_out_has_no_route():
    assert api_routes(["run"]) == {("Prefix", "/api/v1/run")}


@pytest.mark.parametrize(
    ("group", "paths"),
    [
        ("webhook", {"/api/v1/webhook"}),
        ("files", {"/api/v1/files/upload", "/api/v2/files"}),
        ("mcp", {"/api/v1/mcp/streamable"}),
    ],
)
def test_programs_that_call_webhooks_or_upload_files_need_no_more_than_that(group, paths):
    assert api_routes([group]) == {("Prefix", path) for path in paths}


def test_every_group_of_a_stack_file_has_paths():
    assert set(get_args(PathGroup)) == API_PATHS.keys()


def test_management_opens_all_of_the_api():
    assert api_routes(["management"]) == {("Prefix", "/api")}


def test_the_ui_reaches_the_api_without_a_second_proxy():
    program = run(stack_file("lab"))
    (rule,) = program.one("Ingress", "edge-app").inputs["spec"]["rules"]
    routes = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert routes == {"/api": "skillflaw-backend", "/": "skillflaw-frontend"}


def test_the_ui_learns_the_api_from_the_census():
    (container,) = run(stack_file("lab")).pods["frontend"]["containers"]
    env = {variable["name"]: variable["value"] for variable in container["env"]}
    assert env == {"BACKEND_URL": f"https://{HOSTS['api']}/", "FRONTEND_PORT": "8080"}


# --- certificates ------------------------------------------------------------------------------


def api_ingress(surface=None, edge=None) -> dict:
    config = stack_file("lab")
    config["surfaces"] = {"api": {"host": HOSTS["api"]} | (surface or {})}
    config["edge"] = config["edge"] | (edge or {})
    return run(config).one("Ingress", "edge-api").inputs


def test_without_issuer_or_secret_the_controllers_default_certificate_serves():
    assert "secretName" not in api_ingress(edge={"issuer": None})["spec"]["tls"][0]


def test_an_issuer_is_asked_for_a_certificate():
    ingress = api_ingress(edge={"issuer": "letsencrypt"})
    assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"
    assert ingress["spec"]["tls"][0]["secretName"] == "skillflaw-api-tls"


def test_a_hosts_own_certificate_wins_over_the_issuer():
    ingress = api_ingress({"tls": {"secretName": "mine"}}, {"issuer": "letsencrypt"})
    assert "cert-manager.io/cluster-issuer" not in ingress["metadata"]["annotations"]
    assert ingress["spec"]["tls"][0]["secretName"] == "mine"


def test_a_load_balancer_with_the_certificate_leaves_the_cluster_none_to_make():
    ingress = api_ingress({"tls": {"atEdge": True}}, {"issuer": "letsencrypt"})
    assert "cert-manager.io/cluster-issuer" not in ingress["metadata"]["annotations"]
    assert "tls" not in ingress["spec"]


@pytest.mark.parametrize("tls", [{}, {"atEdge": False}, {"atEdge": True, "secretName": "mine"}])
def test_a_certificate_is_in_one_place(tls):
    config = stack_file("lab")
    config["surfaces"]["api"]["tls"] = tls
    with pytest.raises(SettingsError, match=r"surfaces\.api\.tls"):
        parse(config, set())


def test_annotations_of_a_host_win_and_are_of_no_other_host():
    config = stack_file("lab")
    config["edge"]["annotations"] = {"some/annotation": "of all"}
    config["surfaces"]["app"]["annotations"] = {"some/annotation": "of the web UI"}
    program = run(config)
    said = {it.name: it.inputs["metadata"]["annotations"]["some/annotation"] for it in program.of("Ingress")}
    assert said == {"edge-api": "of all", "edge-app": "of the web UI", "edge-docs": "of all"}


def test_annotations_of_a_host_are_held_against_the_same_rules():
    config = stack_file("lab")
    config["surfaces"]["app"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    with pytest.raises(SettingsError, match=r"surfaces\.app\.annotations"):
        parse(config, set())


def test_an_address_is_awaited_only_when_asked():
    skip = "pulumi.com/skipAwait"
    assert api_ingress()["metadata"]["annotations"][skip] == "true"
    assert skip not in api_ingress(edge={"awaitAddress": True})["metadata"]["annotations"]
