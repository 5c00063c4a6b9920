"""Edits of the lab's stack file, and the objects that each may change; the rings share them."""

from typing import Any

from tests.stack_files import stack_file

CONFIG = {"runtime-config", "bootstrap", "backend"}
"""What an edit of the backend's environment touches: the ConfigMap and the pods that read it."""

API = {"edge-api"}
UI = {"frontend", "frontend-service", "frontend-account", "frontend-budget", "network-frontend", "edge-app"}
DOCS = {"docs", "docs-service", "docs-account", "network-docs", "edge-docs"}

ELSEWHERE = "https://skillflaw.example.com"
"""What a web UI proxies to when the stack has no API host of its own."""

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
}
"""Objects that cannot be made again."""

EDITS = {
    "nothing": ({}, set()),
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
    "more memory for the backend": ({"backend.resources.limits.memory": "5Gi"}, {"bootstrap", "backend"}),
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
    "nothing public": ({"surfaces": None, "edge": None}, API | UI | DOCS | CONFIG | {"network-backend"}),
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
    "no issuer": ({"edge.issuer": None}, {"edge-api", "edge-app", "edge-docs"}),
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
    "a key given up": ({"secretKey": {"acceptLoss": "0123456789abcdef"}}, {"bootstrap-key"}),
    "longer flows": (
        {"backend.longestFlowSeconds": 120},
        CONFIG | {"edge-api", "edge-app", "edge-docs"},
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
