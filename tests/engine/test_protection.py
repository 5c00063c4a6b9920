"""Protection: what it keeps, and how it is taken off on purpose."""

import json

import pytest

from tests.edits import PROTECTED


@pytest.fixture
def protected(fresh):
    """A protected stack with its database in the cluster, up."""
    fresh.sections |= {
        "protection": {"enabled": True},
        "backup": fresh.sections["backup"] | {"schedule": "0 3 * * *"},
        "backend": {"scale": {"replicas": 1}},
        "surfaces": {"api": {"host": "api.skillflaw.test"}},
        "edge": {"ingress": {"className": "traefik"}, "issuer": "lab"},
    }
    fresh.up()
    yield fresh
    fresh.pulumi("state", "unprotect", "--all", "--yes", check=False)


def everything(stack) -> set[str]:
    """Identity of every object of the namespace; another object under the same name is another."""
    kinds = "all,secrets,configmaps,persistentvolumeclaims,ingresses,networkpolicies,serviceaccounts"
    listed = json.loads(stack.kubectl("get", kinds, f"--namespace={stack.name}", "--output=json"))["items"]
    return {f"{it['kind']}/{it['metadata']['name']} {it['metadata']['uid']}" for it in listed}


def test_a_destroy_is_refused_before_it_touches_anything_and_data_outlives_a_deliberate_one(protected):
    before = everything(protected)
    refused = protected.pulumi("destroy", "--yes", "--skip-preview", check=False)
    assert refused.returncode != 0
    assert "protect" in refused.stdout + refused.stderr
    assert everything(protected) == before

    for name in sorted(PROTECTED):
        replaced = protected.pulumi(
            "up", "--yes", "--skip-preview", f"--replace={urn(protected, name)}", check=False
        )
        assert replaced.returncode != 0, name
    assert everything(protected) == before

    protected.pulumi("state", "unprotect", "--all", "--yes")
    protected.pulumi("destroy", "--yes", "--skip-preview")
    kept = {line.split()[0] for line in everything(protected)}
    assert {"PersistentVolumeClaim/skillflaw-backend-data", "PersistentVolumeClaim/postgresql-data"} <= kept
    assert "StatefulSet/postgresql" in kept
    assert any(name.startswith("Secret/secret-key-secret") for name in kept)
    assert "Deployment/skillflaw-backend" not in kept


def urn(stack, name: str) -> str:
    state = json.loads(stack.pulumi("stack", "export", f"--stack={stack.name}").stdout)
    (found,) = [
        row["urn"]
        for row in state["deployment"]["resources"]
        if row["urn"].endswith(f"::{name}") and not row["type"].startswith("skillflaw:")
    ]
    return found
