"""Agreeing to one thing is agreeing to nothing else."""

import functools
import json
from typing import Any

import pytest

from operations.review.gate import as_json, unreviewed
from operations.review.preview import read
from operations.review.verdict import judge
from tests.stack_files import stack_file
from tests.unit import previews
from tests.unit.previews import GONE
from tests.unit.recorder import run

POSTGRES = "skillflaw.lab/postgres"
CONTAINER = "spec.template.spec.containers[0]"


@pytest.fixture(scope="module")
def lab():
    return run(stack_file("lab"))


@pytest.fixture
def step(lab):
    return functools.partial(previews.step, lab)


@pytest.fixture
def more(tmp_path):
    """Sentences about steps that were not agreed to with earlier ones."""

    def judged(steps):
        file = tmp_path / "prod.json"
        file.write_text(json.dumps({"steps": steps}))
        return judge(read(file))

    def compare(agreed: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
        file = tmp_path / "review.json"
        file.write_text(as_json([judged(agreed)]))
        return unreviewed([judged(now)], file)

    return compare


def created(token: str, name: str = "new", **inputs: Any) -> dict[str, Any]:
    inputs = {"metadata": {"name": name}} | inputs
    return {
        "op": "create",
        "urn": f"urn:pulumi:test::skillflaw::kubernetes:{token}::{name}",
        "newState": {"custom": True, "inputs": inputs},
    }


def route(host: str, path: str = "/health") -> dict[str, Any]:
    return {"rules": [{"host": host, "http": {"paths": [{"path": path}]}}]}


OTHERS = [
    ("Ingress", "edge-api", {"spec.rules[0].host": "a.test"}, {"spec.rules[0].host": "b.test"}),
    ("Ingress", "edge-api", {"spec.tls[0].hosts": []}, {"spec.tls": GONE}),
    ("Deployment", "backend", {f"{CONTAINER}.image": "x.test/a:1"}, {f"{CONTAINER}.image": "y.test/a:1"}),
    ("Deployment", "backend", {f"{CONTAINER}.command": ["x" * 500]}, {f"{CONTAINER}.command": ["x" * 499 + "y"]}),
    ("Deployment", "backend", {"spec.replicas": 1}, {"spec.replicas": 0}),
    ("StatefulSet", "database", {f"{CONTAINER}.image": f"{POSTGRES}:17"}, {f"{CONTAINER}.image": f"{POSTGRES}:18"}),
    (
        "NetworkPolicy",
        "network-backend",
        {"spec.ingress": [{"from": [{"podSelector": {}}]}]},
        {"spec.ingress": [{}]},
    ),
    ("Namespace", "namespace", {"metadata.labels.x": "restricted"}, {"metadata.labels.x": "privileged"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "agreed", "now"), OTHERS, ids=lambda value: str(value)[:60])
def test_the_same_property_with_another_value_was_not_agreed_to(step, more, kind, name, agreed, now):
    before, after = ([step(kind, name, edits)] for edits in (agreed, now))
    assert more(before, before) == []
    assert more(before, after)


def test_more_of_what_a_new_object_holds_was_not_agreed_to(more):
    for token, small, big in [
        ("networking.k8s.io/v1:Ingress", route("a.test"), route("a.test", "/")),
        ("networking.k8s.io/v1:NetworkPolicy", {"ingress": []}, {"ingress": [{}]}),
        ("rbac.authorization.k8s.io/v1:Role", {"rules": []}, {"rules": [{"verbs": ["*"]}]}),
    ]:
        agreed, now = created(token, spec=small), created(token, spec=big)
        assert more([agreed], [agreed]) == []
        assert more([agreed], [now])


def test_a_replaced_object_that_changes_more_was_not_agreed_to(step, more):
    moved = {"metadata.namespace": "elsewhere"}
    agreed = [step("Deployment", "backend", moved, "replace")]
    now = [step("Deployment", "backend", moved | {"spec.template.spec.hostNetwork": True}, "replace")]
    assert more(agreed, now) == [
        "test: Deployment skillflaw-backend: spec.template.spec.hostNetwork absent → true"
    ]


def test_a_claim_that_is_lost_for_another_reason_was_not_agreed_to(step, more):
    def forced(name):
        row = step("PersistentVolumeClaim", "storage-claim", {"spec.storageClassName": name}, "replace")
        return [row | {"detailedDiff": {"spec.storageClassName": {"kind": "update-replace"}}}]

    assert more(forced("fast"), forced("fast")) == []
    assert more(forced("fast"), forced("slow"))


def test_less_than_what_was_agreed_to_in_one_line_passes(more):
    agreed = [created("core/v1:Pod", "a"), created("core/v1:Pod", "b")]
    assert more(agreed, agreed[:1]) == []
    deleted = [{"op": "delete", "urn": row["urn"], "oldState": row["newState"]} for row in agreed]
    assert more(deleted, deleted[1:]) == []


def test_a_name_that_the_provider_invents_again_is_the_same_thing(step, more):
    def version(number):
        name = f"runtime-config-{number:08x}"
        edits = {"metadata.name": name, "data.SKILLFLAW_AUTO_LOGIN": "true"}
        reference = {f"{CONTAINER}.envFrom[0].configMapRef.name": name, f"{CONTAINER}.command": [name]}
        new = created("batch/v1:Job", spec={"configMap": name})
        return [
            step("ConfigMap", "runtime-config", edits, "replace"),
            step("Deployment", "backend", reference),
            new,
        ]

    assert more(version(1), version(2)) == []


def test_a_review_of_an_earlier_form_agrees_to_nothing(step, tmp_path):
    file = tmp_path / "prod.json"
    file.write_text(json.dumps({"steps": [step("Deployment", "backend", {"spec.replicas": 1})]}))
    (tmp_path / "review.json").write_text(json.dumps({"stacks": {}}))
    assert unreviewed([judge(read(file))], tmp_path / "review.json") == [
        "test: Deployment skillflaw-backend: spec.replicas 2 → 1"
    ]
