"""A stack whose state is gone goes on over what is in the cluster, and no byte of what holds data is changed."""

import json
import subprocess

import pytest

from tests.engine.stack import Stack


def adopt(stack: Stack, *options: str) -> subprocess.CompletedProcess[str]:
    return stack.operations("adopt", *options)


def forget(stack: Stack) -> None:
    """Loses the state; the stack file stays."""
    stack.pulumi("stack", "rm", stack.name, "--yes", "--force", "--preserve-config")
    stack.pulumi("stack", "init", stack.name, "--no-select", "--secrets-provider=passphrase")


def secret(stack: Stack, start: str) -> str:
    listed = stack.kubectl("get", "secrets", f"--namespace={stack.name}", "--output=name")
    [name] = [name for name in listed.replace("secret/", "").split() if name.startswith(start)]
    return name


def refer_to_what_is_there(stack: Stack) -> None:
    """Edits the stack file as the refusal says: each claim and Secret by its name."""
    stack.sections["storage"] = {"existingClaim": "skillflaw-backend-data", "accessMode": "ReadWriteMany"}
    stack.sections["database"] = {"external": {"secretName": secret(stack, "database-secret"), "key": "url"}}
    stack.sections["secretKey"] = {
        "existing": {
            "secretName": secret(stack, "secret-key-secret"),
            "key": "skillflaw_secret_key",
            "version": "1",
        }
    }
    stack.sections["superuser"] = {
        "password": {"secretName": secret(stack, "superuser-secret"), "key": "password"}
    }


def keepsakes(stack: Stack) -> dict[str, str]:
    """Content of every Secret and spec of every claim, by identity."""
    listed = stack.kubectl(
        "get", "secrets,persistentvolumeclaims", f"--namespace={stack.name}", "--output=json"
    )
    return {
        it["metadata"]["uid"]: json.dumps([it.get("data"), it.get("spec")], sort_keys=True)
        for it in json.loads(listed)["items"]
    }


def objects(stack: Stack) -> set[str]:
    kinds = "secrets,configmaps,persistentvolumeclaims,deployments,statefulsets,services,jobs,serviceaccounts"
    listed = json.loads(stack.kubectl("get", kinds, f"--namespace={stack.name}", "--output=json"))
    return {f"{it['kind']}/{it['metadata']['name']}" for it in listed["items"]}


@pytest.mark.thorough
def test_an_up_without_the_state_makes_nothing_and_an_adoption_refuses_until_state_is_referred_to(small):
    small.up()
    kept, before = keepsakes(small), objects(small)
    forget(small)
    assert small.up(check=False).returncode != 0
    assert objects(small) == before
    assert keepsakes(small) == kept

    refused = adopt(small, "--yes")
    assert refused.returncode == 2
    for name in (
        "PersistentVolumeClaim skillflaw-backend-data",
        "PersistentVolumeClaim postgresql-data",
        "StatefulSet postgresql",
        f"Secret {secret(small, 'database-secret')}",
        f"Secret {secret(small, 'secret-key-secret')}",
        f"Secret {secret(small, 'superuser-secret')}",
    ):
        assert name in refused.stderr
    assert objects(small) == before


def test_an_adoption_takes_over_what_is_named_and_changes_no_byte_of_state(small):
    small.up()
    kept = keepsakes(small)
    forget(small)
    refer_to_what_is_there(small)
    done = adopt(small, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Deployment skillflaw-backend" in done.stdout
    assert kept.items() <= keepsakes(small).items()
    assert small.preview() == {}


def test_an_adoption_asks_before_it_changes_anything(small):
    small.up()
    forget(small)
    refer_to_what_is_there(small)
    before = objects(small)
    asked = adopt(small)
    assert asked.returncode != 0
    assert "Take them over?" in asked.stdout
    assert objects(small) == before


def test_an_adoption_refuses_what_is_not_skillflaws(small):
    small.kubectl("create", "namespace", small.name)
    small.kubectl(
        "create", "deployment", "redis", "--image=skillflaw.lab/redis:1", f"--namespace={small.name}"
    )
    refused = adopt(small, "--yes")
    assert refused.returncode == 2
    assert "Deployment redis is not SkillFlaw's" in refused.stderr
    assert f"Namespace {small.name} is not SkillFlaw's" in refused.stderr
    assert objects(small) == {"Deployment/redis", "ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}


@pytest.mark.thorough
def test_skillflaw_runs_again_on_what_a_deliberate_destroy_left(small):
    small.sections["protection"] = {"enabled": True}
    small.sections["backup"] = {
        "schedule": "0 3 * * *",
        "to": {"claim": {"size": "1Gi", "className": "local"}},
    }
    small.up()
    kept = keepsakes(small)
    small.pulumi("state", "unprotect", "--all", "--yes")
    small.pulumi("destroy", "--yes", "--skip-preview")
    small.sections["protection"] = {"enabled": False}
    small.sections["backup"] = {}
    stayed = {identity: content for identity, content in keepsakes(small).items() if identity in kept}
    assert len(stayed) >= 5
    small.sections["superuser"] = {}
    small.sections["storage"] = {"existingClaim": "skillflaw-backend-data", "accessMode": "ReadWriteMany"}
    small.sections["database"] = {"external": {"secretName": secret(small, "database-secret"), "key": "url"}}
    small.sections["secretKey"] = {
        "existing": {
            "secretName": secret(small, "secret-key-secret"),
            "key": "skillflaw_secret_key",
            "version": "1",
        }
    }
    done = adopt(small, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert stayed.items() <= keepsakes(small).items()
