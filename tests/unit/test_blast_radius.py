"""Every edit of a stack file changes exactly what it must."""

import copy

import pytest
from force_new import FORCE_NEW, identity
from recorder import Program, run, stack_file

CONFIG = {"runtime-config", "bootstrap", "backend"}
"""What an edit of the backend's environment touches: the ConfigMap and the pods that read it."""

UI = {"frontend", "frontend-service", "frontend-account", "frontend-budget", "network-frontend", "edge-app"}
DOCS = {"docs", "docs-service", "docs-account", "network-docs", "edge-docs"}

EDITS = {
    "nothing": ({}, set()),
    "another image of the backend": (
        {"images.backend": "skillflaw.lab/backend:111111111111"},
        {"bootstrap", "backend", "backup"},
    ),
    "another image of the frontend": (
        {"images.frontend": "skillflaw.lab/frontend:111111111111"},
        {"frontend"},
    ),
    "another image of redis": ({"images.redis": "skillflaw.lab/redis:111111111111"}, {"cache"}),
    "another image of postgres": (
        {"images.postgres": "skillflaw.lab/postgres:111111111111"},
        {"database", "backup"},
    ),
    "three replicas": ({"backend.scale.replicas": 3}, {"backend"}),
    "one replica": ({"backend.scale.replicas": 1}, {"backend", "backend-budget"}),
    "autoscaling": (
        {"backend.scale": {"min": 2, "max": 3}},
        {"backend", "backend-autoscaler"},
    ),
    "an environment variable": ({"backend.env": {"MY_SETTING": "on"}}, CONFIG),
    "more memory for the backend": ({"backend.resources.limits.memory": "5Gi"}, {"bootstrap", "backend"}),
    "another probe path": ({"backend.probes": {"readiness": "/health"}}, {"backend"}),
    "no documentation": ({"surfaces.docs": None}, DOCS),
    "no web UI": ({"surfaces.app": None}, UI | CONFIG),
    "another host for the documentation": (
        {"surfaces.docs.host": "manual.skillflaw.test"},
        {"edge-docs"},
    ),
    "another host for the API": (
        {"surfaces.api.host": "programs.skillflaw.test"},
        {"edge-api", "frontend"},
    ),
    "another host for the web UI": ({"surfaces.app.host": "ui.skillflaw.test"}, {"edge-app"} | CONFIG),
    "all of the API": ({"surfaces.api.allow": ["health", "management"]}, {"edge-api"}),
    "a certificate": ({"surfaces.api.tls": {"secretName": "api-tls"}}, {"edge-api"}),
    "an issuer": ({"edge.issuer": "letsencrypt"}, {"edge-api", "edge-app", "edge-docs"}),
    "a bigger pool": ({"database.poolSize": 6}, CONFIG),
    "more connections": ({"database.maxConnections": 200}, {"database"}),
    "more memory for the cache": (
        {"cache.inCluster.memory": "256Mi"},
        {"cache", "cache-secret", "bootstrap", "backend"},
    ),
    "a bigger volume": ({"storage.size": "4Gi"}, {"storage-claim"}),
    "a bigger database": ({"database.inCluster.size": "4Gi"}, {"database-claim"}),
    "other nights for backups": ({"backup.schedule": "0 4 * * 6"}, {"backup"}),
    "no backups": (
        {"backup.schedule": None},
        {"backup", "backup-account", "backup-claim", "network-backup", "network-postgresql"},
    ),
    "a key given up": ({"secretKey": {"acceptLoss": "0123456789abcdef"}}, {"bootstrap"}),
    "longer flows": (
        {"backend.longestFlowSeconds": 120},
        CONFIG | {"edge-api", "edge-app", "edge-docs"},
    ),
}
"""Edits of the lab's stack file, by dotted path, and the objects that may differ afterwards."""


def edited(edits: dict) -> dict:
    config = copy.deepcopy(stack_file("lab"))
    for path, value in edits.items():
        *parents, last = path.split(".")
        holder = config
        for key in parents:
            holder = holder.setdefault(key, {})
        if value is None:
            del holder[last]
        else:
            holder[last] = value
    return config


def changed(before: Program, after: Program) -> set[str]:
    """Logical names of what was added, removed or altered, components aside."""
    old, new = before.leaves, after.leaves
    return {
        (old.get(urn) or new[urn]).name
        for urn in old.keys() | new.keys()
        if urn not in old or urn not in new or old[urn].inputs != new[urn].inputs
    }


@pytest.fixture(scope="module")
def lab():
    return run(stack_file("lab"))


@pytest.fixture(scope="module", params=EDITS)
def edit(request):
    edits, expected = EDITS[request.param]
    return run(edited(edits)), expected


def test_an_edit_changes_exactly_what_it_must(lab, edit):
    after, expected = edit
    assert changed(lab, after) == expected


def test_no_edit_replaces_an_object_that_is_in_use(lab, edit):
    after, _ = edit
    for urn, declared in lab.leaves.items():
        if urn in after.leaves and declared.kind in FORCE_NEW:
            assert identity(declared.kind, declared.inputs) == identity(
                declared.kind, after.leaves[urn].inputs
            ), urn


def test_every_kind_the_program_declares_is_in_the_table_or_replaced_on_purpose(lab):
    on_purpose = {"ConfigMap", "Secret", "Job"}
    assert {declared.kind for declared in lab.objects} <= FORCE_NEW.keys() | on_purpose
