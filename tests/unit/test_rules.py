"""Each rule refuses what it was made for, and says how to get out."""

import pytest

from settings.frozen import MIGRATIONS, frozen
from settings.load import parse
from settings.problems import SettingsError
from settings.rules import RULES
from tests.stack_files import stack_file

DIGEST = "@sha256:" + "a" * 64
SAFE = {
    "cluster": {"context": "prod"},
    "images": {
        "backend": f"ghcr.io/cwinux/skillflaw_backend{DIGEST}",
        "frontend": f"ghcr.io/cwinux/skillflaw_frontend{DIGEST}",
    },
    "surfaces": {"api": {"host": "api.example.com"}, "app": {"host": "app.example.com"}},
    "edge": {"ingress": {"className": "nginx"}, "issuer": "letsencrypt"},
    "database": {"external": {"secretName": "db", "key": "url"}},
    "cache": {"external": {"secretName": "redis", "key": "url"}},
    "network": {
        "edgeNamespace": "ingress-nginx",
        "egress": [{"cidr": "10.20.0.0/16", "ports": [5432, 6379]}],
    },
}
"""A protected stack that no rule refuses."""

DOCS = {"host": "docs.example.com"}

REFUSED = {
    "hosts_are_distinct": (
        {"surfaces": {"api": {"host": "x.example.com"}, "app": {"host": "x.example.com"}}},
        "surfaces.app.host",
    ),
    "surfaces_have_an_edge": ({"edge": {"issuer": "letsencrypt"}}, "edge"),
    "ui_knows_its_backend": ({"surfaces": {"app": {"host": "app.example.com"}}}, "surfaces.app"),
    "exposed_surfaces_have_images": (
        {"surfaces": {"docs": DOCS | {"public": True}}},
        "images.docs",
    ),
    "in_cluster_state_has_images": ({"cache": {"inCluster": {}}}, "images.redis"),
    "replicas_share_a_volume": ({"storage": {"accessMode": "ReadWriteOnce"}}, "backend.scale"),
    "replicas_share_a_cache": ({"cache": {"none": True}}, "cache.none"),
    "replicas_under_protection_use_an_external_database": (
        {
            "database": {"inCluster": {}},
            "images": SAFE["images"] | {"postgres": f"postgres{DIGEST}"},
            "backup": {"schedule": "0 3 * * *"},
        },
        "database.inCluster",
    ),
    "scale_is_a_range": ({"backend": {"scale": {"min": 3, "max": 2}}}, "backend.scale.max"),
    "connections_fit_the_server": ({"backend": {"scale": {"replicas": 4}}}, "database.poolSize"),
    "protected_hosts_have_certificates": ({"edge": {"ingress": {"className": "nginx"}}}, "surfaces.api.tls"),
    "protected_images_are_pinned": (
        {"images": SAFE["images"] | {"backend": "ghcr.io/cwinux/skillflaw_backend:latest"}},
        "images.backend",
    ),
    "protected_docs_are_meant": (
        {"surfaces": {"docs": DOCS}, "images": SAFE["images"] | {"docs": f"docs{DIGEST}"}},
        "surfaces.docs.public",
    ),
    "protected_databases_have_backups": (
        {
            "database": {"inCluster": {}},
            "backend": {"scale": {"replicas": 1}},
            "images": SAFE["images"] | {"postgres": f"postgres{DIGEST}"},
        },
        "backup.schedule",
    ),
    "env_leaves_the_program_its_own": (
        {"backend": {"env": {"SKILLFLAW_DATABASE_URL": "x"}}},
        "backend.env.SKILLFLAW_DATABASE_URL",
    ),
    "env_holds_no_secrets": (
        {"backend": {"env": {"OPENAI_API_KEY": "x"}}},
        "backend.env.OPENAI_API_KEY",
    ),
    "requests_stay_within_limits": (
        {"backend": {"resources": {"requests": {"cpu": "3"}}}},
        "backend.resources.requests.cpu",
    ),
    "existing_key_has_a_version": (
        {"secretKey": {"existing": {"secretName": "key", "key": "key"}}},
        "secretKey.existing.version",
    ),
    "existing_claim_says_what_it_allows": ({"storage": {"existingClaim": "data"}}, "storage.accessMode"),
    "migrations_are_known": ({"protection": {"migrating": ["backend.env"]}}, "protection.migrating"),
    "backups_have_a_volume_of_their_own": (
        {"backup": {"existingClaim": "skillflaw-backend-data"}},
        "backup.existingClaim",
    ),
    "policies_know_the_edge": (
        {"network": {"egress": SAFE["network"]["egress"]}},
        "network.edgeNamespace",
    ),
    "external_state_is_reachable": ({"network": {"edgeNamespace": "ingress-nginx"}}, "network.egress"),
    "gateway_brings_its_own_certificates": (
        {"edge": {"gateway": {"name": "public", "namespace": "edge"}, "issuer": "letsencrypt"}},
        "edge.issuer",
    ),
    "cluster_is_named": ({"cluster": {}}, "cluster.context"),
}
"""For each rule: an edit of SAFE that it alone refuses, and the path it names."""


def test_the_safe_stack_is_accepted():
    parse(SAFE, set())


def test_every_rule_has_been_seen_refusing():
    about_live_stacks = {"frozen_choices_stay"}  # shown below: it needs a running stack
    assert {rule.__name__ for rule in RULES} == set(REFUSED) | about_live_stacks


@pytest.mark.parametrize("name", REFUSED)
def test_a_rule_refuses_and_names_path_and_remedy(name):
    edit, path = REFUSED[name]
    with pytest.raises(SettingsError) as refused:
        parse(SAFE | edit, set())
    problems = {problem.path: problem for problem in refused.value.problems}
    assert set(problems) - {"surfaces.app.tls"} == {path}
    assert all((problems[path].found, problems[path].allowed, problems[path].remedy))


def test_three_replicas_fit_a_server_with_its_default_of_100_connections():
    parse(SAFE | {"backend": {"scale": {"replicas": 3}}}, set())


def test_the_connection_budget_tells_sizes_that_fit():
    with pytest.raises(SettingsError, match="lower poolSize \\+ maxOverflow to 9, or") as refused:
        parse(SAFE | {"backend": {"scale": {"replicas": 4}}}, set())
    assert "maxConnections to 116" in str(refused.value)
    parse(
        SAFE | {"backend": {"scale": {"replicas": 4}}, "database": SAFE["database"] | {"poolSize": 3}}, set()
    )


@pytest.mark.parametrize("reference", ["postgres:16.4", f"postgres{DIGEST}", "localhost:5000/postgres:16.4"])
def test_protection_accepts_digests_and_fixed_tags(reference):
    parse(SAFE | {"images": SAFE["images"] | {"postgres": reference}}, set())


@pytest.mark.parametrize("reference", ["postgres", "postgres:latest", "localhost:5000/postgres"])
def test_protection_refuses_names_that_move(reference):
    with pytest.raises(SettingsError, match="whatever was pushed last"):
        parse(SAFE | {"images": SAFE["images"] | {"postgres": reference}}, set())


def test_one_replica_may_keep_everything_to_itself():
    parse(
        SAFE
        | {
            "backend": {"scale": {"replicas": 1}},
            "cache": {"none": True},
            "storage": {"accessMode": "ReadWriteOnce"},
        },
        set(),
    )


def test_protection_is_on_unless_a_stack_says_otherwise():
    assert parse(SAFE, set()).protection.enabled
    assert not parse(stack_file("lab"), set()).protection.enabled


# --- a live stack ------------------------------------------------------------------------------

IN_CLUSTER = SAFE | {
    "backend": {"scale": {"replicas": 1}},
    "database": {"inCluster": {"className": "fast"}},
    "images": SAFE["images"] | {"postgres": f"postgres{DIGEST}"},
    "backup": {"schedule": "0 3 * * *"},
}

MOVED = {
    "namespace.name": {"namespace": {"name": "elsewhere"}},
    "storage.accessMode": {"storage": {"accessMode": "ReadWriteOnce"}},
    "storage.className": {"storage": {"className": "other"}},
    "storage.existingClaim": {"storage": {"existingClaim": "other", "accessMode": "ReadWriteMany"}},
    "database": {"database": SAFE["database"]},
    "database.inCluster.className": {"database": {"inCluster": {"className": "slow"}}},
    "database.inCluster.uid": {"database": {"inCluster": {"className": "fast", "uid": 10002}}},
    "backend.uid": {"backend": {"scale": {"replicas": 1}, "uid": 10002}},
}
"""For each choice that holds for the life of the data: an edit that changes it alone."""


def choices(config: dict) -> dict[str, str]:
    settings = parse(config, set())
    return frozen(settings.namespace, settings.storage, settings.database, settings.backend)


def test_every_migration_has_been_seen_named():
    assert set(MOVED) == set(MIGRATIONS) == set(choices(IN_CLUSTER))


@pytest.mark.parametrize("path", MOVED)
def test_a_live_stack_refuses_to_change_what_its_data_rests_on(path):
    live = choices(IN_CLUSTER)
    with pytest.raises(SettingsError) as refused:
        parse(IN_CLUSTER | MOVED[path], set(), live=live)
    (problem,) = refused.value.problems
    assert problem.path == path
    assert MIGRATIONS[path] in problem.remedy


@pytest.mark.parametrize("path", MOVED)
def test_a_migration_that_is_spelled_out_passes(path):
    edit = MOVED[path] | {"protection": {"migrating": [path]}}
    parse(IN_CLUSTER | edit, set(), live=choices(IN_CLUSTER))


def test_an_unchanged_live_stack_passes():
    parse(IN_CLUSTER, set(), live=choices(IN_CLUSTER))
