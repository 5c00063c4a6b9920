"""Edits of the lab's stack file, and the objects that each may change; the rings share them."""

from typing import Any

from tests.stack_files import stack_file

CONFIG = {"runtime-config", "bootstrap", "backend"}
"""Objects that an edit of the backend's environment touches: the ConfigMap and the pods that read it."""

API = {"edge-api"}
UI = {"frontend", "frontend-service", "frontend-account", "frontend-budget", "network-frontend", "edge-app"}
DOCS = {"docs", "docs-service", "docs-account", "network-docs", "edge-docs"}

LOGIN_JOBS = {
    *("logins", "logins-before", "logins-account"),
    *("network-logins", "network-postgresql", "network-redis"),
}
"""Objects by which servers learn another login, and policies that let its Jobs ask them."""

ELSEWHERE = "https://skillflaw.example.com"
"""Origin that a web UI proxies to when the stack has no API host of its own."""

PROTECTED = {
    "namespace",
    "storage-claim",
    "database",
    "database-claim",
    "database-secret",
    "database-password",
    "secret-key-bytes",
    "secret-key-secret",
    "superuser-password",
    "backup-claim",
    "backup-password",
    "backup-secret",
}
"""Objects that cannot be made again."""

EDITS = {
    "nothing": ({}, set()),
    "nodes for every pod": (
        {"pods": {"nodeSelector": {"kubernetes.io/arch": "arm64"}}},
        {"backend", "frontend", "docs", "database", "cache", "bootstrap", "bootstrap-key", "backup"},
    ),
    "nodes for the backend": (
        {"backend.pods": {"nodeSelector": {"kubernetes.io/arch": "arm64"}}},
        {"backend", "bootstrap", "bootstrap-key"},
    ),
    "authorities to trust": (
        {"pods": {"trust": {"configMapName": "bundle", "key": "ca.crt"}}},
        {"backend", "bootstrap", "bootstrap-key", "backup"},
    ),
    "a backend that writes its image": ({"backend.readOnlyRoot": False}, {"backend", "bootstrap"}),
    "more room for the cache": (
        {"cache.inCluster.resources": {"limits": {"cpu": "500m"}}},
        {"cache"},
    ),
    "bigger small containers": (
        {"bootstrap": {"resources": {"requests": {"memory": "64Mi"}}}},
        {"bootstrap", "bootstrap-key", "backend"},
    ),
    "another image of the backend": (
        {"images.backend": "skillflaw.lab/backend:111111111111"},
        {"bootstrap-key", "bootstrap", "backend", "backup"},
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
    "a variable out of a Secret": (
        {"backend.secretEnv": {"OPENAI_API_KEY": {"secretName": "providers", "key": "openai"}}},
        {"bootstrap", "backend"},
    ),
    "a Secret's keys as variables": (
        {"backend.secretEnvFrom": [{"secretName": "crm", "prefix": "CRM_"}]},
        {"bootstrap", "backend"},
    ),
    "a file out of a Secret": (
        {"backend.secretFiles": {"ca.pem": {"secretName": "authority", "key": "ca.pem"}}},
        {"bootstrap", "backend"},
    ),
    "an identity of a cloud": (
        {"backend.serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "some-role"}}},
        {"backend-account"},
    ),
    "more memory for the backend": ({"backend.resources.limits.memory": "5Gi"}, {"bootstrap", "backend"}),
    "no records of runs": ({"backend.records": False}, CONFIG),
    "another probe path": ({"backend.probes": {"readiness": "/health"}}, {"backend"}),
    "no documentation": ({"surfaces.docs": None}, DOCS),
    "no web UI": ({"surfaces.app": None}, UI | CONFIG),
    "no API": ({"surfaces.api": None, "frontend.backendUrl": ELSEWHERE}, API | {"frontend"}),
    "only the API": ({"surfaces.app": None, "surfaces.docs": None}, UI | DOCS | CONFIG),
    "only the web UI": (
        {"surfaces.api": None, "surfaces.docs": None, "frontend.backendUrl": ELSEWHERE},
        API | DOCS | {"frontend"},
    ),
    "only the documentation": (
        {"surfaces.api": None, "surfaces.app": None},
        API | UI | CONFIG | {"network-backend"},
    ),
    "nothing public": (
        {"surfaces": None, "edge": None, "network.edge": None},
        API | UI | DOCS | CONFIG | {"network-backend", "network-acme-http01-solver"},
    ),
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
    "another issuer": ({"edge.issuer": "letsencrypt"}, {"edge-api", "edge-app", "edge-docs"}),
    "no issuer": (
        {"edge.issuer": None},
        {"edge-api", "edge-app", "edge-docs", "network-acme-http01-solver"},
    ),
    "a client inside the cluster": ({"network.callers": [{"namespace": "shop"}]}, {"network-backend"}),
    "another resolver": (
        {"network.dns": [{"cidr": "10.96.0.10/32"}]},
        {"network-backend", "network-bootstrap", "network-backup", "network-frontend"},
    ),
    "another edge": (
        {"network.edge": [{"cidr": "10.30.0.0/24"}]},
        {"network-backend", "network-frontend", "network-docs", "network-acme-http01-solver"},
    ),
    "a dashboard": ({"monitoring": {"dashboard": {}}}, {"monitoring-dashboard"}),
    "a bigger pool": ({"database.poolSize": 6}, CONFIG),
    "more connections": ({"database.maxConnections": 200}, {"database"}),
    "more memory for the cache": (
        {"cache.inCluster.memory": "256Mi"},
        {"cache", "cache-secret", "bootstrap", "backend"},
    ),
    "a bigger volume": ({"storage.size": "4Gi"}, {"storage-claim"}),
    "another password for the database": (
        {"database.inCluster.passwordVersion": "2"},
        LOGIN_JOBS
        | {"database-login-password", "database-login-secret", "database-login-now"}
        | {"bootstrap-key", "bootstrap", "backend", "backup"},
    ),
    "another password for the cache": (
        {"cache.inCluster.passwordVersion": "2"},
        LOGIN_JOBS
        | {"cache-login-password", "cache-login-secret", "cache-login-now", "bootstrap", "backend"},
    ),
    "another password for the superuser": (
        {"superuser.passwordVersion": "2"},
        {"superuser-login-password", "superuser-secret", "bootstrap", "backend"},
    ),
    "a bigger database": ({"database.inCluster.size": "4Gi"}, {"database-claim"}),
    "backups in a bucket": (
        {
            "backup.to": {
                "objectStore": {"endpoint": "https://s3.test", "bucket": "copies", "secretName": "store"}
            }
        },
        {"backup", "backup-claim", "network-backup"},
    ),
    "a URL of its own for backups": (
        {"backup.databaseUrl": {"secretName": "direct", "key": "url"}},
        {"backup"},
    ),
    "another image of restic": ({"images.restic": "skillflaw.lab/restic:111111111111"}, {"backup"}),
    "other nights for backups": ({"backup.schedule": "0 4 * * 6"}, {"backup"}),
    "no backups": (
        {"backup.schedule": None},
        {
            "backup",
            "backup-account",
            "backup-claim",
            "backup-password",
            "backup-secret",
            "network-backup",
            "network-postgresql",
        },
    ),
    "longer flows": (
        {"backend.longestFlowSeconds": 120},
        CONFIG,
    ),
    "another controller": (
        {"edge.ingress.controller": "nginx"},
        {"edge-api", "edge-app", "edge-docs"},
    ),
    "a note on the web UI's Service": (
        {"surfaces.app.serviceAnnotations": {"some/note": "a word"}},
        {"frontend-service"},
    ),
}
"""Edits of the lab's stack file, by dotted path, and the objects that may differ afterwards."""


def edited(edits: dict[str, Any]) -> dict[str, Any]:
    """The lab's stack file after some edits, by dotted path; None removes a key."""
    config = stack_file("lab")
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


# --- every key ---------------------------------------------------------------------------------


def _resources(number: int) -> dict[str, Any]:
    """Quantities that no other workload has."""
    return {
        "requests": {"cpu": f"{number}1m", "memory": f"{number}1Mi", "ephemeral-storage": f"{number}2Mi"},
        "limits": {"cpu": f"{number}3m", "memory": f"{number}3Mi", "ephemeral-storage": f"{number}4Mi"},
    }


def _pods(name: str, number: int) -> dict[str, Any]:
    """What no other workload asks of its pods."""
    return {
        "nodeSelector": {f"some/{name}-node": f"some-{name}-value"},
        "tolerations": [
            {
                "key": f"some/{name}-taint",
                "operator": "Equal",
                "value": f"some-{name}-taint-value",
                "effect": "NoExecute",
                "tolerationSeconds": number,
            }
        ],
        "priorityClassName": f"some-{name}-priority",
        "runtimeClassName": f"some-{name}-runtime",
        "labels": {f"some/{name}-label": f"some-{name}-label-value"},
        "annotations": {f"some/{name}-annotation": f"some-{name}-annotation-value"},
        "pullSecrets": [f"some-{name}-pull-secret"],
    }


VALUES: dict[str, dict[str, Any]] = {
    "state in the cluster, routes by Ingress": {
        "cluster": {"context": "some-context"},
        "namespace": {"name": "some-namespace"},
        "images": {
            **{
                name: f"registry.example/{name}:1.2.3"
                for name in ("backend", "frontend", "docs", "postgres", "redis", "restic")
            },
            "registries": ["registry.example"],
            "pullDeadlineSeconds": 4331,
        },
        "pods": {
            key: value
            for key, value in _pods("every", 26001).items()
            if key not in ("priorityClassName", "runtimeClassName")
        }
        | {"trust": {"configMapName": "some-bundle", "key": "some-bundle.crt"}},
        "surfaces": {
            name: {
                "host": f"some-{name}.test",
                "tls": {"secretName": f"some-{name}-tls"},
                "annotations": {f"some/annotation-of-{name}": f"some words of {name}"},
                "serviceAnnotations": {f"some/note-of-{name}": f"some note of {name}"},
            }
            for name in ("api", "app", "docs")
        },
        "edge": {
            "ingress": {"className": "some-class", "controller": "none"},
            "annotations": {"some/annotation": "some words"},
        },
        "backend": {
            "pods": _pods("backend", 26002),
            "uid": 23001,
            "gid": 23002,
            "scale": {"replicas": 37},
            "resources": _resources(71),
            "env": {"SOME_SETTING": "some-value"},
            "secretEnv": {
                "SOME_API_KEY": {"secretName": "some-provider", "key": "some-api-key", "version": "word-one"}
            },
            "secretEnvFrom": [{"secretName": "some-crm", "prefix": "SOME_CRM_", "version": "word-two"}],
            "secretFiles": {
                "some-file.pem": {"secretName": "some-files", "key": "some-pem", "version": "word-three"}
            },
            "serviceAccount": {"annotations": {"some-cloud.example/role": "some role"}},
            "longestFlowSeconds": 1311,
            "preStopSeconds": 97,
            "probes": {path: f"/some-{path}" for path in ("startup", "readiness", "liveness")},
        },
        "bootstrap": {"pods": _pods("bootstrap", 26011), "resources": _resources(76)},
        "frontend": {
            "pods": _pods("frontend", 26003),
            "uid": 23003,
            "gid": 23004,
            "replicas": 38,
            "port": 8311,
            "resources": _resources(72),
            "backendUrl": "https://some-backend.test",
        },
        "docs": {
            "pods": _pods("docs", 26004),
            "uid": 23005,
            "gid": 23006,
            "replicas": 39,
            "port": 8312,
            "resources": _resources(73),
        },
        "database": {
            "inCluster": {
                "pods": _pods("database", 26005),
                "uid": 23007,
                "gid": 23008,
                "size": "711Gi",
                "className": "some-database-class",
                "passwordVersion": "word-ten",
                "resources": _resources(74),
            },
            "maxConnections": 9311,
            "poolSize": 57,
            "maxOverflow": 58,
        },
        "cache": {
            "inCluster": {
                "pods": _pods("cache", 26006),
                "uid": 23009,
                "gid": 23010,
                "memory": "777Mi",
                "passwordVersion": "word-eleven",
                "resources": {
                    side: {key: value for key, value in given.items() if key != "memory"}
                    for side, given in _resources(77).items()
                },
            }
        },
        "storage": {"size": "712Gi", "className": "some-storage-class"},
        "secretKey": {"acceptLoss": "00112233445566ff"},
        "superuser": {"username": "some-admin", "passwordVersion": "word-twelve"},
        "monitoring": {
            "metrics": {"interval": "4711s", "labels": {"some/metrics-label": "some-metrics-value"}},
            "rules": {"labels": {"some/rules-label": "some-rules-value"}},
            "dashboard": {"labels": {"some/dashboard-label": "some-dashboard-value"}},
        },
        "backup": {
            "pods": _pods("backup", 26007),
            "schedule": "59 23 28 * 6",
            "keep": 313,
            "to": {"claim": {"size": "713Gi", "className": "some-backup-class"}},
            "resources": _resources(75),
        },
        "network": {
            key: [
                {"namespace": f"some-{key}", "labels": {"some-label": f"some-pods-of-{key}"}},
                {"cidr": f"10.7{number}.0.0/16"},
            ]
            for number, key in enumerate(("edge", "dns", "callers", "monitoring"))
        }
        | {
            "egress": [
                {
                    "namespace": "some-egress",
                    "labels": {"some-label": "some-pods-of-egress"},
                    "ports": [7533],
                },
                {"cidr": "fd77::/64", "ports": [7534]},
            ]
        },
    },
    "state outside the cluster, routes by Gateway": {
        "pods": {
            "priorityClassName": "some-priority",
            "runtimeClassName": "some-runtime",
            "trust": {"secretName": "some-secret-bundle", "key": "some-secret-bundle.crt"},
        },
        "edge": {
            "gateway": {
                "name": "some-gateway",
                "namespace": "some-gateways",
                "listener": "some-listener",
                "redirectListener": "some-plain-listener",
            }
        },
        "backend": {"scale": {"min": 61, "max": 62, "cpuPercent": 73}},
        "database": {
            "external": {"secretName": "some-database", "key": "some-database-url", "version": "word-four"},
            "maxConnections": 9312,
        },
        "cache": {"external": {"secretName": "some-cache", "key": "some-cache-url", "version": "word-five"}},
        "storage": {"existingClaim": "some-claim", "accessMode": "ReadWriteMany"},
        "secretKey": {
            "existing": {
                "secretName": "some-key",
                "key": "some-key-file",
                "version": "some-version",
                "previous": {"secretName": "some-older-key", "key": "some-older-file"},
            }
        },
        "superuser": {
            "password": {"secretName": "some-password", "key": "some-password-key", "version": "word-six"}
        },
        "backup": {
            "schedule": "0 3 * * *",
            "to": {"claim": {"existingClaim": "some-backup-claim"}},
            "password": {
                "secretName": "some-repository",
                "key": "some-repository-word",
                "version": "word-nine",
            },
            "databaseUrl": {"secretName": "some-direct", "key": "some-direct-url", "version": "word-ten"},
        },
        "network": {
            "edge": [{"namespace": "some-gateways"}],
            "egress": [{"cidr": "10.77.0.0/16", "ports": [7534]}],
        },
    },
    "state outside the cluster, by its address": {
        "database": {
            "external": {
                "host": "some-database.test",
                "port": 7541,
                "name": "some_database",
                "secretName": "some-database",
                "userKey": "some-user",
                "passwordKey": "some-word",
                "sslMode": "verify-ca",
                "version": "word-seven",
            }
        },
        "backup": {
            "to": {
                "objectStore": {
                    "endpoint": "https://some-store.test",
                    "bucket": "some-bucket",
                    "prefix": "some-folder",
                    "region": "some-region",
                    "secretName": "some-store-user",
                    "version": "word-eleven",
                }
            },
            "schedule": "0 3 * * *",
        },
        "cache": {
            "external": {
                "host": "some-redis.test",
                "port": 7542,
                "secretName": "some-cache",
                "passwordKey": "some-cache-word",
                "version": "word-eight",
            }
        },
        "network": {
            "edge": [{"namespace": "other-gateways"}],
            "egress": [{"cidr": "10.77.0.0/16", "ports": [7541, 7542]}],
        },
    },
    "a claim of one's own for the database": {
        "database": {"inCluster": {"existingClaim": "some-database-claim"}}
    },
    "a database that an operator runs": {
        "database": {
            "cloudNativePg": {
                "major": 87,
                "instances": 47,
                "size": "715Gi",
                "walSize": "716Gi",
                "className": "some-operated-class",
                "synchronous": "preferred",
                "parameters": {"max_connections": "9313", "work_mem": "17MB"},
                "passwordVersion": "word-nine",
                "uid": 23011,
                "gid": 23012,
                "resources": _resources(78),
                "pods": {
                    key: value for key, value in _pods("operated", 26008).items() if key != "runtimeClassName"
                },
            },
        },
        "network": {
            "edge": [{"namespace": "yet-other-gateways"}],
            "operator": [
                {"namespace": "some-operators", "labels": {"some-label": "some-operator"}},
                {"cidr": "10.79.0.0/16"},
            ],
            "apiServer": [
                {"cidr": "10.78.0.7/32", "ports": [7643]},
                {"namespace": "some-servers", "labels": {"some-label": "some-api-server"}, "ports": [7644]},
            ],
        },
    },
    "a database whose changes are archived": {
        "database": {
            "cloudNativePg": {
                "major": 87,
                "objectStore": {
                    "endpoint": "https://some-archive.test",
                    "bucket": "some-archive",
                    "secretName": "some-archive-user",
                    "prefix": "some-archive-folder",
                    "region": "some-archive-region",
                    "retention": "47w",
                    "schedule": "13 5 * * 3",
                },
                "recovery": {"generation": 2, "targetTime": "2021-04-05T06:07:08.9+01:00"},
            },
        },
        "network": {
            "edge": [{"namespace": "archived-gateways"}],
            "apiServer": [{"cidr": "10.78.0.8/32", "ports": [7645]}],
        },
    },
    "certificates of an issuer": {
        "edge": {"ingress": {"className": "traefik"}, "issuer": "some-issuer"},
        "monitoring": {"rules": {"latencySeconds": 47}},
    },
}
"""Sections with values that appear nowhere else: each must be found in what the program then declares."""

ARCHIVED: dict[str, Any] = {
    "database.inCluster": None,
    "database.cloudNativePg.major": 15,
    "database.cloudNativePg.objectStore": {
        "endpoint": "https://s3.test",
        "bucket": "archive",
        "secretName": "archive",
        "prefix": "lab",
    },
    "network.apiServer": [{"cidr": "10.0.0.4/32", "ports": [6443]}],
}
"""Edits of the lab's stack file: a database that CloudNativePG runs and archives."""

CHOICES: dict[str, dict[str, Any]] = {
    "namespace.create": {"namespace.create": False},
    "backend.readOnlyRoot": {"backend.readOnlyRoot": False},
    "backend.records": {"backend.records": False},
    "frontend.readOnlyRoot": {"frontend.readOnlyRoot": False},
    "docs.readOnlyRoot": {"docs.readOnlyRoot": False},
    "images.pullPolicy": {"images.pullPolicy": "Always"},
    "surfaces.api.allow": {"surfaces.api.allow": ["run"]},
    **{
        f"surfaces.{name}.tls.atEdge": {f"surfaces.{name}.tls": {"atEdge": True}}
        for name in ("api", "app", "docs")
    },
    "edge.ingress.controller": {"edge.ingress.controller": "nginx"},
    "edge.gateway.timeouts": {
        "edge": {"gateway": {"name": "public", "namespace": "traefik", "timeouts": False}},
    },
    "edge.awaitAddress": {"edge.awaitAddress": True},
    "storage.accessMode": {"storage.accessMode": "ReadWriteOnce", "backend.scale.replicas": 1},
    "cache.none": {"cache": {"none": True}, "backend.scale.replicas": 1},
    "secretKey.generated.generation": {"secretKey": {"generated": {"generation": 2}}},
    "secretKey.generated.giveUp": {
        "secretKey.generated.generation": 2,
        "secretKey.generated.giveUp": 1,
    },
    "database.cloudNativePg.recovery.generation": ARCHIVED
    | {
        "database.cloudNativePg.recovery": {"generation": 2},
    },
    "database.cloudNativePg.recovery.source": ARCHIVED
    | {
        "database.cloudNativePg.recovery.generation": 3,
        "database.cloudNativePg.recovery.source": 1,
    },
    "network.policies": {"network": {"policies": False}},
    "protection.enabled": {
        "protection.enabled": True,
        "backup.schedule": "0 3 * * *",
        "backend.scale.replicas": 1,
        "surfaces": {"api": {"host": "api.skillflaw.test"}},
    },
}
"""Edits of the lab's stack file by the key of which they show the effect, for keys that hold one of a few words."""

RULED = {
    "secretKey.existing.previous.generation": "which key of a live stack is replaced (tests/unit/test_key_rotation.py)",
    "images.registries": "which images settings and policies let pass",
    "surfaces.docs.public": "whether protection lets the documentation be public",
    "protection.migrating": "which choices of a live stack may change",
}
"""Keys that are there for rules and policies alone, and what they decide."""
