"""Edits of the stack file: what each moves, and that it can be taken back."""

import json

import pytest

from tests.engine.test_up import WORKLOADS


def test_a_surface_that_is_not_configured_does_not_exist_in_the_cluster(whole):
    whole.sections["surfaces"] = {}
    whole.sections["network"] = {}
    whole.up()
    assert whole.objects(f"{WORKLOADS},poddisruptionbudgets,serviceaccounts") == {
        "deployment.apps/skillflaw-backend",
        "deployment.apps/redis",
        "statefulset.apps/postgresql",
        "service/skillflaw-backend",
        "service/redis",
        "service/postgresql",
        "persistentvolumeclaim/skillflaw-backend-data",
        "persistentvolumeclaim/postgresql-data",
        "persistentvolumeclaim/skillflaw-backups",
        "poddisruptionbudget.policy/skillflaw-backend",
        "serviceaccount/default",
        "serviceaccount/skillflaw-backend",
        "serviceaccount/skillflaw-backup",
        "serviceaccount/skillflaw-bootstrap",
        "serviceaccount/skillflaw-redis",
        "serviceaccount/skillflaw-postgresql",
    }


def test_taking_the_docs_away_deletes_only_what_is_theirs(whole):
    del whole.sections["surfaces"]["docs"]
    assert whole.preview() == {
        "delete": {"docs", "docs-service", "docs-account", "edge-docs", "network-docs"}
    }


def test_more_replicas_of_the_frontend_move_the_frontend_alone(whole):
    whole.sections["frontend"]["replicas"] = 3
    assert whole.preview() == {"update": {"frontend"}}


@pytest.mark.thorough
def test_fewer_groups_of_paths_move_the_route_of_the_api_alone(whole):
    whole.sections["surfaces"]["api"]["allow"] = ["health"]
    assert whole.preview() == {"update": {"edge-api"}}


def test_a_changed_config_map_rolls_exactly_the_pods_that_read_it(whole):
    before = whole.objects("pods")
    whole.sections["backend"]["env"] = {"SKILLFLAW_LOG_LEVEL": "DEBUG"}
    assert whole.preview() == {"replace": {"runtime-config", "bootstrap"}, "update": {"backend"}}
    whole.up()
    after = whole.objects("pods")
    readers = ("pod/skillflaw-backend-", "pod/bootstrap-")
    assert {pod for pod in before ^ after if not pod.startswith(readers)} == set()
    assert len({pod for pod in after - before if pod.startswith("pod/skillflaw-backend-")}) == 2


@pytest.mark.thorough
def test_an_autoscaler_owns_the_number_of_replicas_until_it_is_taken_away(whole):
    whole.sections["backend"]["scale"] = {"min": 2, "max": 3, "cpuPercent": 70}
    whole.up()
    assert whole.objects("horizontalpodautoscalers")
    whole.kubectl("scale", "deployment/skillflaw-backend", "--replicas=3", f"--namespace={whole.name}")
    whole.up("--expect-no-changes")
    assert replicas(whole) == 3

    whole.sections["backend"]["scale"] = {"replicas": 2}
    whole.up()
    assert whole.objects("horizontalpodautoscalers") == set()
    assert replicas(whole) == 2


def test_a_gateway_takes_the_place_of_the_ingress_host_by_host(whole):
    hosts = {(surface["host"],) for surface in whole.sections["surfaces"].values()}
    whole.sections["edge"] = {"gateway": {"name": "traefik", "namespace": "traefik"}}
    routes = {"edge-api", "edge-app", "edge-docs"}
    # A Gateway's certificates are its listener's, so no solver of an issuer is heard any more.
    assert whole.preview() == {"create": routes, "delete": routes | {"network-acme-http01-solver"}}
    whole.up()
    assert whole.objects("ingresses") == set()
    listed = json.loads(whole.kubectl("get", "httproutes", f"--namespace={whole.name}", "--output=json"))
    assert {tuple(route["spec"]["hostnames"]) for route in listed["items"]} == hosts
    whole.up("--expect-no-changes")


def replicas(stack) -> int:
    return int(
        stack.kubectl(
            "get",
            "deployment/skillflaw-backend",
            f"--namespace={stack.name}",
            "--output=jsonpath={.spec.replicas}",
        )
    )
