"""Each rule refuses what it was made for, and says how to get out."""

import json
import re

import pytest

from settings.addresses import reaches_metadata
from settings.frozen import CHOICES, MIGRATIONS, RECOVERY, UNKNOWN, frozen
from settings.live import Live
from settings.load import parse
from settings.problems import SettingsError
from settings.rules import RULES
from settings.rules.state import CLAIMS
from tests.stack_files import stack_file
from tests.unit.recorder import ROOT, engine_config, record, run, whole_program

DIGEST = "@sha256:" + "a" * 64
SAFE = {
    "cluster": {"context": "prod"},
    "images": {
        "backend": f"ghcr.io/cwinux/skillflaw_backend{DIGEST}",
        "frontend": f"ghcr.io/cwinux/skillflaw_frontend{DIGEST}",
        "restic": f"docker.io/restic/restic{DIGEST}",
    },
    "surfaces": {"api": {"host": "api.example.com"}, "app": {"host": "app.example.com"}},
    "edge": {"ingress": {"className": "nginx"}, "issuer": "letsencrypt"},
    "database": {"external": {"secretName": "db", "key": "url"}},
    "cache": {"external": {"secretName": "redis", "key": "url"}},
    "network": {
        "edge": [{"namespace": "ingress-nginx"}],
        "egress": [{"cidr": "10.20.0.0/16", "ports": [5432, 6379]}],
    },
}
"""A protected stack that no rule refuses."""


def operated(**own) -> dict:
    """Sections of SAFE for a database that CloudNativePG runs, with these keys of its own."""
    return {
        "database": {"cloudNativePg": {"major": 16} | own},
        "images": SAFE["images"] | {"postgres": f"postgres:16.4{DIGEST}"},
        "backup": {"schedule": "0 3 * * *"},
        "network": SAFE["network"] | {"apiServer": [{"cidr": "10.0.0.4/32", "ports": [6443]}]},
    }


STORE = {"endpoint": "https://s3.test", "bucket": "archive", "secretName": "archive", "prefix": "prod"}

DOCS = {"host": "docs.example.com"}

REFUSED = {
    "hosts_are_distinct": (
        {"surfaces": {"api": {"host": "x.example.com"}, "app": {"host": "x.example.com"}}},
        "surfaces.app.host",
    ),
    "password_has_one_version": (
        {"superuser": {"password": {"secretName": "root", "key": "password"}, "passwordVersion": "2"}},
        "superuser.passwordVersion",
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
    "replicas_under_protection_have_a_database_that_survives": (
        {
            "database": {"inCluster": {}},
            "images": SAFE["images"] | {"postgres": f"postgres{DIGEST}"},
            "backup": {"schedule": "0 3 * * *"},
        },
        "database.inCluster",
    ),
    "pods_are_asked_what_kubernetes_takes": (
        {"pods": {"labels": {"app": "another"}}},
        "pods.labels.app",
    ),
    "users_and_groups_are_assigned_together": (
        {"backend": {"uid": "platform", "gid": 2000}},
        "backend.gid",
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
    "env_weakens_nothing": (
        {"backend": {"env": {"SKILLFLAW_AUTO_LOGIN": "true"}}},
        "backend.env.SKILLFLAW_AUTO_LOGIN",
    ),
    "annotations_are_the_edges_own": (
        {"edge": SAFE["edge"] | {"annotations": {"nginx.ingress.kubernetes.io/server-snippet": "x"}}},
        "edge.annotations.nginx.ingress.kubernetes.io/server-snippet",
    ),
    "images_come_from_known_registries": (
        {"images": SAFE["images"] | {"backend": f"example.com/backend{DIGEST}"}},
        "images.backend",
    ),
    "databases_are_pinned": ({"images": SAFE["images"] | {"postgres": "postgres:16"}}, "images.postgres"),
    "protected_backups_are_due": (
        {
            "images": SAFE["images"] | {"postgres": "postgres:16.4"},
            "backup": {"schedule": "0 0 31 2 *"},
        },
        "backup.schedule",
    ),
    "files_have_a_volume_of_their_own": (
        {"storage": {"existingClaim": "postgresql-data", "accessMode": "ReadWriteMany"}},
        "storage.existingClaim",
    ),
    "namespace_is_the_stacks_own": ({"namespace": {"name": "kube-system"}}, "namespace.name"),
    "peers_keep_out_of_metadata": (
        {
            "network": SAFE["network"]
            | {
                "egress": [
                    {"cidr": "10.0.0.0/8", "ports": [1]},
                    {"cidr": "169.254.169.254/32", "ports": [80]},
                ]
            }
        },
        "network.egress[1].cidr",
    ),
    "ui_names_the_service_whole": (
        {"frontend": {"backendUrl": "http://skillflaw-backend-other:7860"}},
        "frontend.backendUrl",
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
    "databases_have_a_volume_of_their_own": (
        {
            "database": {"inCluster": {"existingClaim": "skillflaw-backups"}},
            "images": SAFE["images"] | {"postgres": f"postgres:16.4{DIGEST}"},
            "backup": {"schedule": "0 3 * * *"},
            "backend": {"scale": {"replicas": 1}},
        },
        "database.inCluster.existingClaim",
    ),
    "migrations_are_known": ({"protection": {"migrating": ["backend.env"]}}, "protection.migrating"),
    "backups_have_a_volume_of_their_own": (
        {"backup": {"to": {"claim": {"existingClaim": "skillflaw-backend-data"}}}},
        "backup.to.claim.existingClaim",
    ),
    "protected_backups_are_encrypted_on_the_way": (
        {
            "backup": {
                "to": {
                    "objectStore": {"endpoint": "http://s3.test", "bucket": "copies", "secretName": "store"}
                }
            }
        },
        "backup.to.objectStore.endpoint",
    ),
    "policies_know_the_edge": (
        {"network": {"egress": SAFE["network"]["egress"]}},
        "network.edge",
    ),
    "peers_have_an_effect": (
        {"surfaces": {}, "network": SAFE["network"]},
        "network.edge",
    ),
    "labels_are_of_pods": (
        {"network": SAFE["network"] | {"callers": [{"cidr": "10.30.0.0/16", "labels": {"app": "shop"}}]}},
        "network.callers[0].labels",
    ),
    "peers_are_named": (
        {
            "network": SAFE["network"] | {"monitoring": [{"cidr": "16.0.0.0/5"}]},
            "monitoring": {"metrics": {}},
        },
        "network.monitoring[0].cidr",
    ),
    "external_state_is_reachable": (
        {"network": {"edge": [{"namespace": "ingress-nginx"}]}},
        "network.egress",
    ),
    "controllers_are_named": (
        {"edge": SAFE["edge"] | {"ingress": {"className": "internal"}}},
        "edge.ingress.controller",
    ),
    "edges_carry_the_longest_flow": (
        {"edge": SAFE["edge"] | {"ingress": {"className": "gce"}}},
        "backend.longestFlowSeconds",
    ),
    "gateway_brings_its_own_certificates": (
        {"edge": {"gateway": {"name": "public", "namespace": "edge"}, "issuer": "letsencrypt"}},
        "edge.issuer",
    ),
    "cluster_is_named": ({"cluster": {}}, "cluster.context"),
    "protected_databases_are_encrypted_on_the_way": (
        {
            "database": {
                "external": {
                    "host": "db.example.com",
                    "name": "skillflaw",
                    "secretName": "database",
                    "userKey": "user",
                    "passwordKey": "password",
                    "sslMode": "disable",
                }
            }
        },
        "database.external.sslMode",
    ),
    "cache_password_is_whole": (
        {"cache": {"external": {"host": "redis.example.com", "secretName": "redis"}}},
        "cache.external.passwordKey",
    ),
    "commits_wait_for_standbys_that_exist": (
        operated(instances=2, synchronous="required"),
        "database.cloudNativePg.synchronous",
    ),
    "majors_are_those_of_the_image": (operated(major=15), "database.cloudNativePg.major"),
    "parameters_are_the_stacks_to_set": (
        operated(parameters={"fsync": "on"}),
        "database.cloudNativePg.parameters.fsync",
    ),
    "instances_have_room_for_their_log": (operated(walSize="1Gi"), "database.cloudNativePg.walSize"),
    "operators_pods_have_no_runtime_class": (
        operated() | {"pods": {"runtimeClassName": "gvisor"}},
        "pods.runtimeClassName",
    ),
    "recoveries_read_an_archive": (
        operated(recovery={"generation": 2}),
        "database.cloudNativePg.objectStore",
    ),
    "recoveries_end_in_the_past": (
        operated(objectStore=STORE, recovery={"generation": 2, "targetTime": "2999-01-01T00:00:00Z"}),
        "database.cloudNativePg.recovery.targetTime",
    ),
    "recoveries_have_a_source_before_them": (
        operated(objectStore=STORE, recovery={"generation": 2, "source": 2}),
        "database.cloudNativePg.recovery.source",
    ),
    "archives_are_trusted_by_a_secret": (
        operated(objectStore=STORE) | {"pods": {"trust": {"configMapName": "authorities", "key": "ca.crt"}}},
        "pods.trust.configMapName",
    ),
    "protected_archives_are_encrypted_on_the_way": (
        operated(objectStore=STORE | {"endpoint": "http://s3.test"}),
        "database.cloudNativePg.objectStore.endpoint",
    ),
    "archives_begin_again": (
        operated(objectStore=STORE | {"schedule": "0 3 31 2 *"}),
        "database.cloudNativePg.objectStore.schedule",
    ),
    "archives_and_backups_have_folders_of_their_own": (
        operated(objectStore=STORE | {"prefix": "skillflaw/archive"})
        | {
            "backup": {
                "schedule": "0 3 * * *",
                "to": {
                    "objectStore": {
                        "endpoint": "https://s3.test/",
                        "bucket": "archive",
                        "secretName": "store",
                    }
                },
            }
        },
        "database.cloudNativePg.objectStore.prefix",
    ),
    "operators_have_a_database": (
        {"network": SAFE["network"] | {"operator": [{"namespace": "operators"}]}},
        "network.operator",
    ),
    "operated_databases_reach_the_api_server": (
        operated() | {"network": SAFE["network"]},
        "network.apiServer",
    ),
    "scrapers_are_named": ({"monitoring": {"metrics": {}}}, "network.monitoring"),
    "scrapers_find_metrics": (
        {"network": SAFE["network"] | {"monitoring": [{"namespace": "monitoring"}]}},
        "network.monitoring",
    ),
    "latency_can_be_exceeded": (
        {"monitoring": {"rules": {"latencySeconds": 60}}, "backend": {"longestFlowSeconds": 60}},
        "monitoring.rules.latencySeconds",
    ),
    "secrets_exchange_no_settings": (
        {"backend": {"secretEnv": {"LD_PRELOAD": {"secretName": "keys", "key": "preload"}}}},
        "backend.secretEnv.LD_PRELOAD",
    ),
    "account_annotations_are_the_clouds": (
        {"backend": {"serviceAccount": {"annotations": {"pulumi.com/skipAwait": "true"}}}},
        "backend.serviceAccount.annotations.pulumi.com/skipAwait",
    ),
}
"""An edit of SAFE per rule that it alone refuses, and the path it names."""


def test_the_safe_stack_is_accepted():
    parse(SAFE, set())


def test_every_rule_has_been_seen_refusing():
    about_live_stacks = {
        "frozen_choices_stay",
        "losses_are_accepted_once",
        "names_keep_what_is_random",
        "recoveries_make_a_new_cluster",
    }  # shown below
    about_live_stacks |= {
        "keys_in_use_are_not_given_up",
        "previous_key_is_another",
        "rotation_begins_from_a_known_key",
        "rotations_have_a_backup",
        "rotations_lose_nothing",
    }  # shown in test_key_rotation.py
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


@pytest.mark.parametrize(
    "reference", ["postgres:16.4", f"postgres{DIGEST}", "docker.io/library/postgres:16.4-bookworm"]
)
def test_protection_accepts_digests_and_fixed_tags(reference):
    parse(SAFE | {"images": SAFE["images"] | {"postgres": reference}}, set())


def images(**names) -> dict:
    return {"images": {"registries": ["ghcr.io", "docker.io", "localhost:5000"]} | SAFE["images"] | names}


@pytest.mark.parametrize("version", ["", ":latest", ":main", ":nightly", ":stable", ":v1", ":1.8", ":dev"])
@pytest.mark.parametrize("name", ["backend", "frontend", "docs", "redis"])
def test_protection_refuses_names_that_move(name, version):
    with pytest.raises(SettingsError, match="whatever was pushed last") as refused:
        parse(SAFE | images(**{name: f"localhost:5000/a{version}"}), set())
    (problem,) = refused.value.problems
    tag = version or ":TAG"
    assert f"imagetools inspect localhost:5000/a{tag} " in problem.remedy
    assert "localhost:5000/a@sha256:…" in problem.remedy
    parse(SAFE | images(**{name: f"localhost:5000/a{version}"}) | UNPROTECTED, set())


UNPROTECTED = {"protection": {"enabled": False}}


@pytest.mark.parametrize(
    "reference", ["postgres", "postgres:16", "postgres:17-alpine", "postgres:latest", "a/b:main"]
)
@pytest.mark.parametrize("edit", [{}, UNPROTECTED], ids=["protected", "unprotected"])
def test_a_database_never_moves_by_itself(reference, edit):
    with pytest.raises(SettingsError, match=r"16\.4"):
        parse(SAFE | images(postgres=reference) | edit, set())


@pytest.mark.parametrize(
    "reference",
    [
        f"quay.io/cwinux/skillflaw_backend{DIGEST}",
        f"ghcr.io/cwinux2/skillflaw_backend{DIGEST}",
        f"ghcr.io.example.com/cwinux/a{DIGEST}",
        f"someone/backend{DIGEST}",
    ],
)
def test_an_image_from_elsewhere_is_refused_by_its_full_name_with_or_without_protection(reference):
    for edit in ({}, UNPROTECTED):
        with pytest.raises(SettingsError, match="an image from elsewhere") as refused:
            parse(SAFE | {"images": SAFE["images"] | {"backend": reference}} | edit, set())
        assert "images.registries" in str(refused.value)


# --- what is useless ---------------------------------------------------------------------------


def scheduled(**backup) -> dict:
    return SAFE | {
        "images": SAFE["images"] | {"postgres": "postgres:16.4"},
        "backup": backup,
    }


@pytest.mark.parametrize(
    "schedule", ["0 0 31 2 *", "0 3 30 2 *", "0 3 29 2 *", "0 3 31 * *", "0 3 1 1 *", "0 3 1 */2 *"]
)
def test_a_protected_schedule_that_is_hardly_ever_due_is_no_backup(schedule):
    with pytest.raises(SettingsError, match=r"backup\.schedule"):
        parse(scheduled(schedule=schedule), set())
    parse(scheduled(schedule=schedule) | UNPROTECTED, set())


@pytest.mark.parametrize(
    "schedule", ["0 3 * * *", "0 3 1 * *", "0 3 28 * *", "30 1 * * 6", "0 3 31 * 0", "0 3 1,15 * *"]
)
def test_a_schedule_of_once_a_month_or_more_is_one(schedule):
    parse(scheduled(schedule=schedule), set())


@pytest.mark.parametrize(
    ("schedule", "runs"), [("* * * * *", 1440), ("*/10 * * * *", 144), ("0 * * * *", 24)]
)
def test_backups_reach_back_a_day(schedule, runs):
    for keep in (7, min(runs - 1, 1000)):
        with pytest.raises(SettingsError, match="younger than a day") as refused:
            parse(scheduled(schedule=schedule, keep=keep), set())
        assert ("raise backup.keep" in str(refused.value)) == (runs <= 1000)
    if runs <= 1000:
        parse(scheduled(schedule=schedule, keep=runs), set())
    parse(scheduled(schedule="0 */6 * * *", keep=4), set())


@pytest.mark.parametrize(
    "url", ["http://x:99999", "http://x:0", "http://-x", f"http://{'a' * 64}", "http://a..b", "http://x:"]
)
def test_an_origin_that_can_exist_nowhere_is_refused(url):
    with pytest.raises(SettingsError, match="an http\\(s\\) origin"):
        parse(SAFE | {"frontend": {"backendUrl": url}}, set())


@pytest.mark.parametrize(
    "host", [".".join(["a" * 60] * 5), f"{'a' * 64}.example.com", "10.0.0.1", "a_b.example.com"]
)
def test_a_host_that_can_have_no_certificate_is_refused(host):
    with pytest.raises(SettingsError, match=r"surfaces\.api\.host"):
        parse(SAFE | {"surfaces": {"api": {"host": host}}}, set())


@pytest.mark.parametrize(
    "url",
    [
        "http://skillflaw-backend2:7860",
        "http://skillflaw-backend.example.com:7860",
        "http://skillflaw-backend.other.svc:7860",
        "http://skillflaw-backend:80",
        "https://skillflaw-backend:7860",
    ],
)
def test_an_origin_that_only_begins_like_the_service_is_refused(url):
    with pytest.raises(SettingsError, match="only begins like"):
        parse(SAFE | {"frontend": {"backendUrl": url}}, set())


@pytest.mark.parametrize(
    "url",
    [
        "http://skillflaw-backend:7860",
        "http://skillflaw-backend:7860/",
        "http://skillflaw-backend.skillflaw.svc.cluster.local:7860",
        "https://skillflaw-backend.example.com/",
        "https://api.example.com",
    ],
)
def test_the_service_by_its_whole_name_and_any_other_https_origin_are_accepted(url):
    parse(SAFE | {"frontend": {"backendUrl": url}}, set())


# --- whose things these are --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["default", "kube-system", "kube-public", "kube-node-lease", "ingress-nginx"]
)
@pytest.mark.parametrize("edit", [{}, UNPROTECTED], ids=["protected", "unprotected"])
def test_a_namespace_of_the_cluster_or_of_the_edge_is_refused(name, edit):
    with pytest.raises(SettingsError, match=r"namespace\.name"):
        parse(SAFE | {"namespace": {"name": name}} | edit, set())


def test_the_namespace_of_a_gateway_is_the_edges_too():
    gateway = {"edge": {"gateway": {"name": "public", "namespace": "edge"}}}
    parse(SAFE | gateway, set())
    with pytest.raises(SettingsError, match=r"namespace\.name"):
        parse(SAFE | gateway | {"namespace": {"name": "edge"}}, set())


@pytest.mark.parametrize("claim", ["postgresql-data", "skillflaw-backups", "skillflaw-backend-data"])
def test_backups_are_kept_on_no_claim_of_the_stacks_own(claim):
    with pytest.raises(SettingsError, match=r"backup\.to\.claim\.existingClaim"):
        parse(SAFE | {"backup": {"to": {"claim": {"existingClaim": claim}}}}, set())


def test_files_and_backups_share_no_claim():
    both = {
        "backup": {"to": {"claim": {"existingClaim": "x"}}},
        "storage": {"existingClaim": "x", "accessMode": "ReadWriteMany"},
    }
    with pytest.raises(SettingsError, match=r"backup\.to\.claim\.existingClaim"):
        parse(SAFE | both, set())


@pytest.mark.parametrize("claim", ["postgresql-data", "skillflaw-backups"])
def test_files_are_kept_on_no_claim_of_database_or_backups(claim):
    with pytest.raises(SettingsError, match=r"storage\.existingClaim"):
        parse(SAFE | {"storage": {"existingClaim": claim, "accessMode": "ReadWriteMany"}}, set())


def test_files_may_be_on_a_claim_that_has_the_name_of_the_guides():
    parse(
        SAFE | {"storage": {"existingClaim": "skillflaw-backend-data", "accessMode": "ReadWriteMany"}}, set()
    )


def test_the_claims_that_rules_know_are_those_that_the_program_makes():
    declared = run(stack_file("lab")).of("PersistentVolumeClaim")
    assert {claim.inputs["metadata"]["name"] for claim in declared} == CLAIMS


@pytest.mark.parametrize(
    "cidr",
    [
        *(
            "169.254.169.254/32",
            "169.254.0.0/16",
            "169.254.169.0/24",
            "169.0.0.0/8",
            "128.0.0.0/1",
            "0.0.0.0/0",
        ),
        *("168.63.129.16/32", "168.63.0.0/16", "100.100.100.200/32", "100.64.0.0/10", "127.0.0.1/32"),
    ],
)
def test_no_range_reaches_the_clouds_metadata(cidr):
    with pytest.raises(SettingsError, match="credentials") as refused:
        parse(SAFE | {"network": SAFE["network"] | {"egress": [{"cidr": cidr, "ports": [80]}]}}, set())
    assert "10.20.0.0/16" in str(refused.value)


@pytest.mark.parametrize(
    "cidr", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/16", "168.63.130.0/24"]
)
def test_ranges_without_it_are_accepted(cidr):
    parse(SAFE | {"network": SAFE["network"] | {"egress": [{"cidr": cidr, "ports": [5432]}]}}, set())


@pytest.mark.parametrize(
    "cidr", ["fd00:ec2::254/128", "fd00::/8", "::/0", "fe80::/64", "::ffff:169.254.169.254/128", "::/1"]
)
def test_metadata_is_known_over_ipv6_too(cidr):
    assert reaches_metadata(cidr)
    assert reaches_metadata("fd00:20::/64") is False
    assert reaches_metadata("db.example.com") is None


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

MOMENT = "2026-01-02T03:04:05Z"


def archived(recovery: dict) -> dict:
    """Sections of SAFE for an archived database that was restored."""
    return operated(className="fast", objectStore=STORE, recovery=recovery)


OPERATED = SAFE | operated(className="fast")
RESTORED = SAFE | archived({"generation": 2, "targetTime": MOMENT})
IN_CLUSTER = SAFE | {
    "backend": {"scale": {"replicas": 1}},
    "database": {"inCluster": {"className": "fast"}},
    "images": SAFE["images"] | {"postgres": f"postgres:16.4{DIGEST}"},
    "backup": {"schedule": "0 3 * * *"},
}

MOVED = {
    "cluster.context": {"cluster": {"context": "elsewhere"}},
    "namespace.create": {"namespace": {"create": False}},
    "images.postgres": {"images": SAFE["images"] | {"postgres": "postgres:17.0"}},
    "namespace.name": {"namespace": {"name": "elsewhere"}},
    "storage.accessMode": {"storage": {"accessMode": "ReadWriteOnce"}},
    "storage.className": {"storage": {"className": "other"}},
    "storage.existingClaim": {"storage": {"existingClaim": "other", "accessMode": "ReadWriteOnce"}},
    "database": {"database": SAFE["database"]},
    "database.inCluster.className": {"database": {"inCluster": {"className": "slow"}}},
    "database.inCluster.existingClaim": {"database": {"inCluster": {"existingClaim": "other"}}},
    "database.inCluster.uid": {"database": {"inCluster": {"className": "fast", "uid": 10002}}},
    "backend.uid": {"backend": {"scale": {"replicas": 1}, "uid": 10002}},
    "superuser.password": {"superuser": {"password": {"secretName": "admin", "key": "word", "version": "1"}}},
    "database.cloudNativePg.major": operated(className="fast", major=17)
    | {"images": SAFE["images"] | {"postgres": f"postgres{DIGEST}"}},
    "database.cloudNativePg.className": operated(className="slow"),
    "database.cloudNativePg.uid": operated(className="fast", uid=10001),
    "database.cloudNativePg.recovery.generation": archived({"generation": 3, "targetTime": MOMENT}),
    "database.cloudNativePg.recovery.targetTime": archived({"generation": 2}),
    "database.cloudNativePg.recovery.source": archived({"generation": 2, "targetTime": MOMENT, "source": 1}),
}
"""An edit per choice that holds for the life of the data, which changes it alone."""
RELEASES = {path.partition(".")[0] for path, choice in CHOICES.items() if choice.gives_up}


def choices(config: dict) -> dict[str, str]:
    settings = parse(config, set())
    return frozen(
        settings.cluster,
        settings.namespace,
        settings.images,
        settings.storage,
        settings.database,
        settings.backend,
        settings.superuser,
    )


def running(config: dict, **known) -> Live:
    """A stack that came up with a file."""
    return Live(stack="acme/skillflaw/prod", frozen=choices(config), **known)


def problems(config: dict, live: Live) -> list:
    with pytest.raises(SettingsError) as refused:
        parse(config, set(), live=live)
    return refused.value.problems


def test_every_migration_has_been_seen_named():
    assert set(MOVED) == set(CHOICES) == set(choices(IN_CLUSTER))


def test_every_choice_has_a_row_in_the_table_of_migrations_with_what_is_released():
    section = (ROOT / "docs" / "operating.md").read_text().partition("## Migrations")[2]
    rows = [line.split("|")[1:4] for line in section.splitlines() if line.startswith("| `")]
    documented = {path: row[2].strip(" `") for row in rows for path in re.findall(r"`([\w.]+)`", row[0])}
    released = {path: path.partition(".")[0] for path, choice in CHOICES.items() if choice.gives_up}
    assert set(documented) == set(CHOICES)
    for path, choice in CHOICES.items():
        # A stack of its own takes nothing from this one.
        holder = None if choice.migrates or "make a stack" in choice.way else choice.belongs_to
        assert documented[path] == released.get(path, released.get(holder, "")), path


def living(path: str) -> dict:
    """A stack that has the choice."""
    if path.startswith("database.cloudNativePg.recovery"):
        return RESTORED
    return OPERATED if path.startswith("database.cloudNativePg") else IN_CLUSTER


@pytest.mark.parametrize("path", MOVED)
def test_a_live_stack_refuses_to_change_what_its_data_rests_on(path):
    (problem,) = problems(living(path) | MOVED[path], running(living(path)))
    assert problem.path == path
    assert CHOICES[path].way in problem.remedy
    assert ("protection.migrating" in problem.remedy) == (path in MIGRATIONS)


@pytest.mark.parametrize("path", MIGRATIONS)
def test_a_migration_that_is_spelled_out_passes(path):
    edit = MOVED[path] | {"protection": {"migrating": [path]}}
    parse(living(path) | edit, set(), live=running(living(path), released=RELEASES))


@pytest.mark.parametrize("path", sorted(set(MOVED) - set(MIGRATIONS)))
def test_a_choice_that_no_run_can_change_is_refused_as_a_migration_with_the_way(path):
    edit = MOVED[path] | {"protection": {"migrating": [path]}}
    (refused,) = [
        problem
        for problem in problems(living(path) | edit, running(living(path), released=RELEASES))
        if problem.path == "protection.migrating"
    ]
    assert refused.remedy == CHOICES[path].way


@pytest.mark.parametrize("path", [path for path, choice in CHOICES.items() if choice.gives_up])
def test_a_migration_waits_until_what_it_gives_up_was_released(path):
    edit = MOVED[path] | {"protection": {"migrating": [path]}}
    part = path.partition(".")[0]
    (problem,) = problems(living(path) | edit, running(living(path), released=RELEASES - {part}))
    assert problem.path == path
    assert f"`python -m operations release --stack prod {part}`" in problem.remedy


# A restored Cluster is no way back: the one before is restored once more.
@pytest.mark.parametrize(
    "path", [path for path, choice in CHOICES.items() if choice.gives_up and path != RECOVERY]
)
def test_the_way_back_gives_up_nothing(path):
    back = IN_CLUSTER | {"protection": {"migrating": [path]}}
    parse(back, set(), live=running(IN_CLUSTER | MOVED[path]))


@pytest.mark.parametrize(
    ("file", "remedy"),
    [
        (SAFE | archived({"generation": 3}), None),
        (SAFE | archived({"generation": 2}), "generation: 4, source: 2"),
        (OPERATED, "generation: 4, source: 1"),
    ],
    ids=["the same", "an earlier one", "the first one"],
)
def test_a_generation_that_was_is_never_made_again(file, remedy):
    edit = {"protection": {"migrating": [] if remedy is None else [RECOVERY]}}
    live = running(SAFE | archived({"generation": 3}), released=RELEASES)
    if remedy is None:
        parse(file | edit, set(), live=live)
        return
    (problem,) = problems(file | edit, live)
    assert problem.path == RECOVERY
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    ("recovery", "is_known"),
    [
        ({"generation": 7}, False),
        ({"generation": 7, "source": 4}, False),
        ({"generation": 7, "source": 3}, True),
    ],
)
def test_an_archive_that_no_cluster_wrote_is_not_restored(recovery, is_known):
    edit = {"protection": {"migrating": [RECOVERY]}}
    live = running(SAFE | archived({"generation": 3}), released=RELEASES)
    file = SAFE | archived(recovery) | edit
    if is_known:
        parse(file, set(), live=live)
        return
    (problem,) = problems(file, live)
    assert problem.path == "database.cloudNativePg.recovery.source"


def test_a_database_of_before_there_were_generations_is_the_first_one():
    known = {path: was for path, was in choices(OPERATED).items() if path != RECOVERY}
    (problem,) = problems(RESTORED, Live(stack="o/p/s", frozen=known))
    assert problem.path == RECOVERY
    assert "operations release --stack s database" in problem.remedy


@pytest.mark.parametrize("property_", ["images.postgres", "database.inCluster.uid"])
def test_another_volume_of_the_database_may_have_another_version_and_owner(property_):
    claim = "database.inCluster.existingClaim"
    moved = MOVED[claim] | MOVED[property_] | {"protection": {"migrating": [claim]}}
    moved["database"] = {"inCluster": {"existingClaim": "other", "uid": 10002}}
    parse(IN_CLUSTER | moved, set(), live=running(IN_CLUSTER, released=RELEASES))


@pytest.mark.parametrize("property_", ["images.postgres", "database.inCluster.uid"])
def test_the_same_volume_under_its_own_name_keeps_version_and_owner(property_):
    claim = "database.inCluster.existingClaim"
    named = IN_CLUSTER | {"database": {"inCluster": {"existingClaim": "postgresql-data"}}}
    moved = named | MOVED[property_] | {"protection": {"migrating": [claim]}}
    if property_ == "database.inCluster.uid":
        moved["database"] = {"inCluster": {"existingClaim": "postgresql-data", "uid": 10002}}
    (problem,) = problems(moved, running(IN_CLUSTER, released=RELEASES))
    assert problem.path == property_
    parse(named | {"protection": {"migrating": [claim]}}, set(), live=running(IN_CLUSTER, released=RELEASES))


def test_another_volume_of_files_may_have_another_class_and_access_mode():
    moved = MOVED["storage.existingClaim"] | {"protection": {"migrating": ["storage.existingClaim"]}}
    before = IN_CLUSTER | {"storage": {"className": "fast", "accessMode": "ReadWriteMany"}}
    parse(IN_CLUSTER | moved, set(), live=running(before, released=RELEASES))


def test_a_database_of_before_there_was_the_key_lives_on_the_claim_that_the_stack_made():
    claim = "database.inCluster.existingClaim"
    known = {path: was for path, was in choices(IN_CLUSTER).items() if path != claim}
    (problem,) = problems(IN_CLUSTER | MOVED[claim], Live(stack="o/p/s", frozen=known))
    assert problem.path == claim


def test_what_an_existing_claim_allows_may_be_corrected():
    wrong = IN_CLUSTER | {"storage": {"existingClaim": "nfs", "accessMode": "ReadWriteOnce"}}
    right = IN_CLUSTER | {"storage": {"existingClaim": "nfs", "accessMode": "ReadWriteMany"}}
    assert choices(wrong)["storage.accessMode"] == UNKNOWN
    parse(right, set(), live=running(wrong))


@pytest.mark.parametrize("claim", ["skillflaw-backend-data", "skillflaw-backups", "files", "copies"])
def test_the_database_lives_on_a_claim_of_its_own(claim):
    config = IN_CLUSTER | {
        "database": {"inCluster": {"existingClaim": claim}},
        "storage": {"existingClaim": "files", "accessMode": "ReadWriteMany"},
        "backup": {"schedule": "0 3 * * *", "to": {"claim": {"existingClaim": "copies"}}},
    }
    with pytest.raises(SettingsError, match=r"database\.inCluster\.existingClaim"):
        parse(config, set())
    parse(config | {"database": {"inCluster": {"existingClaim": "postgresql-data"}}}, set())


def test_an_unchanged_live_stack_passes():
    parse(IN_CLUSTER, set(), live=running(IN_CLUSTER))


@pytest.mark.parametrize(
    "path", ["cluster.context", "namespace.create", "images.postgres", "superuser.password"]
)
def test_a_stack_that_exported_no_such_choice_is_not_held_to_it(path):
    known = {other: value for other, value in choices(IN_CLUSTER).items() if other != path}
    parse(IN_CLUSTER | MOVED[path], set(), live=Live(stack="o/p/s", frozen=known))


@pytest.mark.parametrize("reference", [f"postgres{DIGEST}", "postgres:902129f86e75", "postgres:16.9"])
def test_a_database_whose_major_is_not_known_or_the_same_may_change(reference):
    edit = {"images": SAFE["images"] | {"postgres": reference}}
    parse(IN_CLUSTER | edit, set(), live=running(IN_CLUSTER))
    parse(IN_CLUSTER, set(), live=running(IN_CLUSTER | edit))


@pytest.mark.parametrize("path", MIGRATIONS)
def test_a_migration_that_changes_nothing_is_refused_as_over(path):
    edit = living(path) | {"protection": {"migrating": [path]}}
    assert "does not change" in problems(edit, running(living(path)))[0].found
    parse(edit, set())


# --- the loss of a key -------------------------------------------------------------------------

LOSS = "0123456789abcdef"


def keyed(secret: str | None, version: str = "1", **more) -> dict:
    existing = {"secretName": secret, "key": "key", "version": version} if secret else None
    return IN_CLUSTER | {"secretKey": ({"existing": existing} if existing else {}) | more}


def with_key(config: dict) -> Live:
    return running(config, secret_key=parse(config, set()).secret_key.in_words, released=RELEASES)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (keyed(None), keyed("mine", acceptLoss=LOSS)),
        (keyed("mine"), keyed("other", acceptLoss=LOSS)),
        (keyed("mine"), keyed("mine", version="2", acceptLoss=LOSS)),
        (keyed("mine"), keyed(None, acceptLoss=LOSS)),
    ],
    ids=["own key", "another secret", "another version", "generated again"],
)
def test_the_loss_of_a_key_is_accepted_by_the_run_that_brings_another_and_not_after(before, after):
    parse(after, set(), live=with_key(before))
    (problem,) = problems(after, with_key(after))
    assert problem.path == "secretKey.acceptLoss"
    # What a run that failed leaves is what the stack ran with before.
    parse(after, set(), live=with_key(before))


@pytest.mark.parametrize("secret", [None, "mine"])
def test_a_loss_that_no_change_of_key_makes_due_is_refused(secret):
    (problem,) = problems(keyed(secret, acceptLoss=LOSS), with_key(keyed(secret)))
    assert problem.path == "secretKey.acceptLoss"
    parse(keyed(secret), set(), live=with_key(keyed(secret)))


def test_files_that_were_made_with_another_key_are_a_loss_to_accept_with_the_volume():
    moved = keyed(None, acceptLoss=LOSS) | MOVED["storage.existingClaim"]
    moved |= {"protection": {"migrating": ["storage.existingClaim"]}}
    parse(moved, set(), live=with_key(keyed(None)))


def test_a_stack_whose_key_is_not_known_may_accept_a_loss():
    parse(keyed("mine", acceptLoss=LOSS), set())
    parse(keyed("mine", acceptLoss=LOSS), set(), live=running(keyed("mine")))


# --- Pulumi's own names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        {"mode": "verbatim"},
        {"mode": "disabled"},
        {"pattern": "${name}"},
        {"pattern": "${project}-${name}-${stack}"},
        {"pattern": "${name}-${hex(1)}"},
        {"pattern": "${hex(8)}"},
        {"providers": {"kubernetes": {"mode": "verbatim"}}},
        {
            "providers": {
                "kubernetes": {"resources": {"kubernetes:core/v1:ConfigMap": {"pattern": "${name}"}}}
            }
        },
        "verbatim",
    ],
    ids=str,
)
def test_names_without_a_part_of_their_own_are_refused(config):
    for given in (config, json.dumps(config)):
        with pytest.raises(SettingsError, match="pulumi:autonaming"):
            parse(SAFE, set(), autonaming=given)


@pytest.mark.parametrize(
    "config",
    [None, "{}", '{"mode": "default"}', {"pattern": "${name}-${hex(8)}"}, {"pattern": "${name}-${uuid}"}],
    ids=str,
)
def test_names_with_a_random_part_are_accepted(config):
    parse(SAFE, set(), autonaming=config)


def test_the_programs_config_is_searched_for_pulumis_own_key():
    config = engine_config(stack_file("lab")) | {"pulumi:autonaming": '{"mode": "verbatim"}'}
    with pytest.raises(SettingsError, match="pulumi:autonaming"):
        record(whole_program, config=config)
