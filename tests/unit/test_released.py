"""A component that is released is marked in the state, with everything below it and nothing else."""

import json

import pytest
from typer.testing import CliRunner

from operations import release as releases
from operations.__main__ import app

URN = "urn:pulumi:prod::skillflaw::"


def row(type_: str, name: str, parent: str | None = None, **more) -> dict:
    return {"type": type_, "urn": f"{URN}{type_}::{name}", "protect": True, **more} | (
        {"parent": parent} if parent else {}
    )


def made(kind: str, name: str, parent: str, **more) -> dict:
    metadata = {"name": name, "namespace": "skillflaw"}
    inputs = {"kind": kind, "apiVersion": "v1"}
    return row(f"kubernetes:{kind}", name, parent, inputs=inputs, outputs={"metadata": metadata}, **more)


@pytest.fixture
def state(monkeypatch):
    """What the engine holds; a command that imports replaces it."""
    stack = row("pulumi:pulumi:Stack", "skillflaw-prod", outputs={"frozen": {"database": "inCluster"}})
    database = row("skillflaw:app:InClusterDatabase", "database", stack["urn"])
    storage = row("skillflaw:app:Storage", "storage", stack["urn"])
    backup = row("skillflaw:app:Backup", "backup", stack["urn"])
    held = {
        "deployment": {
            "resources": [
                stack,
                database,
                storage,
                row("random:index/randomPassword:RandomPassword", "database-password", database["urn"]),
                made("PersistentVolumeClaim", "postgresql-data", database["urn"]),
                made("Service", "postgresql", database["urn"], protect=False),
                made("StatefulSet", "former", database["urn"], delete=True),
                made("PersistentVolumeClaim", "skillflaw-backend-data", storage["urn"]),
                backup,
                made("PersistentVolumeClaim", "skillflaw-backups", backup["urn"]),
                made("CronJob", "skillflaw-backup", backup["urn"], protect=False),
            ]
        }
    }

    def pulumi(*words: str, stdin: str | None = None) -> str:
        if words[2] == "export":
            return json.dumps(held)
        held.clear()
        held.update(json.loads(stdin))
        return ""

    monkeypatch.setattr(releases, "output_of", pulumi)
    return held


def released(state: dict) -> set[str]:
    return {
        row["urn"].rpartition("::")[2]
        for row in state["deployment"]["resources"]
        if row.get("retainOnDelete")
    }


def run(*components: str):
    return CliRunner().invoke(app, ["release", "--stack=prod", *components])


def test_everything_of_a_component_is_retained_and_no_longer_protected(state):
    done = run("database")
    assert done.exit_code == 0, done.output
    assert released(state) == {"database-password", "postgresql-data", "postgresql"}
    for each in state["deployment"]["resources"]:
        assert not (each.get("protect") and each.get("retainOnDelete"))
    assert state["deployment"]["resources"][0]["outputs"]["released"] == ["database"]


def test_what_stays_and_how_to_delete_it_is_said(state):
    said = run("database").output
    assert "PersistentVolumeClaim postgresql-data" in said
    assert "kubectl --namespace=skillflaw delete persistentvolumeclaim postgresql-data" in said
    assert "former" not in said
    assert "skillflaw-backend-data" not in said


def test_a_claim_of_backups_is_released_without_the_job_that_fills_it(state):
    run("backup")
    assert released(state) == {"skillflaw-backups"}


def test_components_can_be_released_together_and_one_after_the_other(state):
    run("database", "storage")
    both = released(state)
    assert state["deployment"]["resources"][0]["outputs"]["released"] == ["database", "storage"]
    run("storage")
    assert state["deployment"]["resources"][0]["outputs"]["released"] == ["database", "storage"]
    assert released(state) == both


@pytest.mark.parametrize("component", ["superuser", "namespace", "postgresql"])
def test_what_the_stack_does_not_hold_or_must_keep_is_refused_and_nothing_is_marked(state, component):
    before = json.dumps(state)
    refused = run("storage", component)
    assert refused.exit_code == 2
    assert component in refused.output
    assert json.dumps(state) == before


def test_a_stack_whose_up_was_killed_is_recovered_first(state):
    state["deployment"]["pending_operations"] = [{}]
    refused = run("storage")
    assert refused.exit_code == 2
    assert "operations recover --stack prod" in refused.output
    assert released(state) == set()
