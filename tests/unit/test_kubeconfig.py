"""The kubeconfig that a stack carries; in the place of one that names no cluster, a provider takes the ambient one."""

import json

import pytest

from settings.kubeconfig import kubeconfig_problems

WHOLE = {
    "current-context": "prod",
    "contexts": [
        {"name": "prod", "context": {"cluster": "eu", "user": "me"}},
        {"name": "adrift", "context": {"cluster": "nowhere", "user": "me"}},
    ],
    "clusters": [{"name": "eu", "cluster": {"server": "https://eu.example"}}],
    "users": [{"name": "me", "user": {"token": "s3ntinel"}}],
}


def found(text: str, context: str | None = None) -> list[str]:
    problems = list(kubeconfig_problems(text, context))
    assert all("s3ntinel" not in str(problem) for problem in problems)
    assert {problem.path for problem in problems} <= {"kubeconfig"}
    return [problem.found for problem in problems]


def without(key: str) -> str:
    return json.dumps({name: value for name, value in WHOLE.items() if name != key})


@pytest.mark.parametrize("context", [None, "prod"])
def test_a_whole_one_passes_in_json_and_in_yaml(context):
    assert found(json.dumps(WHOLE), context) == []
    yaml = "\n".join(f"{key}: {json.dumps(value)}" for key, value in WHOLE.items())
    assert found(yaml, context) == []


@pytest.mark.parametrize("text", ["", "  ", "\n", "null", "---"])
def test_an_empty_one_is_refused(text):
    assert found(text) == ["a secret that is empty"]


@pytest.mark.parametrize(
    "text",
    ["s3ntinel", "/root/.kube/config", "~/.kube/config", "a.yaml:b.yaml", "[1]", "{s3ntinel: [", "\tx: y"],
)
def test_what_is_no_kubeconfig_is_refused_and_not_shown(text):
    assert found(text) == ["a secret that is no kubeconfig"]


def test_one_without_a_current_context_needs_a_named_one():
    assert found(without("current-context")) == [
        "a kubeconfig without a current-context, and no cluster.context"
    ]
    assert found(without("current-context"), "prod") == []


@pytest.mark.parametrize(
    ("text", "context", "wrong"),
    [
        (json.dumps(WHOLE), "staging", "a kubeconfig without the context of cluster.context"),
        (
            json.dumps(WHOLE | {"current-context": "gone"}),
            None,
            "a kubeconfig without its own current-context",
        ),
        (without("contexts"), "prod", "a kubeconfig without the context of cluster.context"),
        (
            json.dumps(WHOLE | {"contexts": "s3ntinel"}),
            "prod",
            "a kubeconfig without the context of cluster.context",
        ),
        (json.dumps(WHOLE), "adrift", "a kubeconfig whose context leads to no server"),
        (without("clusters"), None, "a kubeconfig whose context leads to no server"),
        (
            json.dumps(WHOLE | {"clusters": [{"name": "eu", "cluster": {}}]}),
            None,
            "a kubeconfig whose context leads to no server",
        ),
    ],
)
def test_one_whose_context_leads_to_no_cluster_is_refused(text, context, wrong):
    assert found(text, context) == [wrong]
