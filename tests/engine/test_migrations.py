"""Each migration of docs/operating.md ends well under protection: the next run changes nothing, and nothing was deleted."""

import json

import pytest

from settings.frozen import CHOICES, MIGRATIONS
from tests.engine.stack import Stack
from tests.stack_files import stack_file
from tests.thorough import further

NEW_CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "second"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "local",
        "resources": {"requests": {"storage": "1Gi"}},
    },
}
IN_CLUSTER = stack_file("lab")["database"]["inCluster"]

WAYS = {
    "storage.existingClaim": {"storage": {"existingClaim": "second", "accessMode": "ReadWriteOnce"}},
    "database": {"database": {"external": {"secretName": "elsewhere", "key": "url"}}},
    "database.inCluster.existingClaim": {"database": {"inCluster": IN_CLUSTER | {"existingClaim": "second"}}},
    "database.inCluster.uid": {"database": {"inCluster": IN_CLUSTER | {"uid": 20003}}},
    "backend.uid": {"backend": {"scale": {"replicas": 1}, "uid": 20002}},
    "superuser.password": {"superuser": {"password": {"secretName": "admin", "key": "word"}}},
}
"""The edit of the stack file by the choice that is named in `protection.migrating`."""


@pytest.fixture
def protected(small: Stack):
    """A protected stack with everything of its own, up, and what the ways lead to."""
    small.sections |= {
        "protection": {"enabled": True},
        "backend": {"scale": {"replicas": 1}},
        "backup": {"schedule": "0 3 * * *", "to": {"claim": {"size": "1Gi", "className": "local"}}},
    }
    small.up()
    small.kubectl("create", "--filename=-", f"--namespace={small.name}", stdin=json.dumps(NEW_CLAIM))
    return small


def kept(stack: Stack) -> set[str]:
    """Identity of what holds data, and of what serves it."""
    kinds = "persistentvolumeclaims,secrets,statefulsets,services,serviceaccounts"
    listed = json.loads(stack.kubectl("get", kinds, f"--namespace={stack.name}", "--output=json"))["items"]
    return {f"{it['kind']}/{it['metadata']['name']} {it['metadata']['uid']}" for it in listed} | {
        stack.kubectl("get", "namespace", stack.name, "--output=jsonpath={.metadata.uid}")
    }


def test_every_migration_is_seen():
    # A Cluster is restored by an operator: tests/drill/test_point_in_time.py.
    assert set(WAYS) | {"database.cloudNativePg.recovery.generation"} == set(MIGRATIONS)


@pytest.mark.parametrize("path", further(*WAYS))
def test_a_migration_ends_well_and_deletes_nothing(protected, path):
    before = kept(protected)
    protected.sections |= WAYS[path]
    protected.sections["protection"] = {"enabled": True, "migrating": [path]}
    if CHOICES[path].gives_up:
        part = path.partition(".")[0]
        assert f"operations release --stack {protected.name} {part}" in protected.refusal()
        done = protected.operations("release", part)
        assert done.returncode == 0, done.stdout + done.stderr
    protected.up()
    assert before <= kept(protected)
    protected.sections["protection"] = {"enabled": True}
    protected.up("--expect-no-changes")
    assert protected.preview() == {}


def test_a_release_that_nothing_follows_is_taken_back_by_an_up(protected):
    before = kept(protected)
    protected.operations("release", "storage", "database", "superuser")
    protected.up()
    assert kept(protected) == before
    refused = protected.pulumi("destroy", "--yes", "--skip-preview", check=False)
    assert "protect" in refused.stdout + refused.stderr
    protected.sections |= WAYS["storage.existingClaim"]
    protected.sections["protection"]["migrating"] = ["storage.existingClaim"]
    assert "operations release" in protected.refusal()


@pytest.mark.thorough
def test_a_migration_goes_back_to_what_was_released(protected):
    before = kept(protected)
    protected.operations("release", "database")
    protected.sections |= WAYS["database.inCluster.existingClaim"]
    protected.sections["protection"]["migrating"] = ["database.inCluster.existingClaim"]
    protected.up()
    protected.sections["database"]["inCluster"]["existingClaim"] = "postgresql-data"
    protected.up()
    protected.sections["protection"]["migrating"] = []
    protected.up("--expect-no-changes")
    assert before <= kept(protected)


@pytest.mark.thorough
def test_an_unprotected_stack_keeps_what_was_released_too(small):
    small.up()
    before = kept(small)
    small.operations("release", "database")
    small.sections |= WAYS["database"]
    small.sections["protection"]["migrating"] = ["database"]
    small.up()
    assert before <= kept(small)


@pytest.mark.parametrize("path", further("namespace.name", "namespace.create"))
def test_another_namespace_is_another_stack_and_the_first_one_stays(small, environment, program, path):
    small.sections["protection"] = {"enabled": False}
    small.up()
    before = kept(small)
    name = f"{small.name}-second"
    edit = {"name": name} if path == "namespace.name" else {"name": name, "create": False}
    with Stack(program, name, environment) as second:
        if path == "namespace.create":
            small.kubectl("create", "namespace", name)
        second.sections = small.sections | {"namespace": edit}
        second.up()
        second.up("--expect-no-changes")
    assert kept(small) == before
    small.up("--expect-no-changes")
