"""Every physical name and port of the stack, once.

Kubernetes cannot rename an object: whoever changes a name here replaces what bears it, its data included.
"""

BACKEND = "backend"
FRONTEND = "frontend"
DOCS = "docs"
BOOTSTRAP = "bootstrap"
LOGINS = "logins"
BACKUP = "backup"
DATABASE = "postgresql"
CLUSTER = "database"
"""The first `Cluster` that CloudNativePG runs, and what the operator names after it: `database-1`, `database-rw`."""
INSTANCES = f"{CLUSTER}(-g[0-9]+)?-[0-9]+"
"""Pods and claims of the instances of any generation, as a regular expression."""
CACHE = "redis"
ALERTS = "alerts"
DASHBOARD = "dashboard"

BACKEND_PORT = 7860
DATABASE_PORT = 5432
CACHE_PORT = 6379
INSTANCE_MANAGER_PORT = 8000
"""Port on which an instance of the `Cluster` tells the operator, and the instances each other, how it is."""
METRICS_PORT = 9090
"""Port on which the backend answers scrapes: a server of its own, next to the application's."""
CLUSTER_METRICS_PORT = 9187
"""Port on which an instance of the `Cluster` answers scrapes."""
METRICS = "metrics"
"""Name of both ports."""

NAMESPACE = "skillflaw"
OWNER = "skillflaw.com/stack"
"""Annotation of a namespace that a stack made, and of a ConfigMap in one that it found: whose it is."""
OWNER_CONFIG = "skillflaw-stack"
BACKEND_CLAIM = "skillflaw-backend-data"
DATABASE_CLAIM = "postgresql-data"
BACKUP_CLAIM = "skillflaw-backups"

SECRET_KEY = "skillflaw_secret_key"  # noqa: S105 - a key's name
"""Key inside the generated Secret, and file name in the pods."""


def prefixed(component: str) -> str:
    """The name of a component's objects; those of the database and the cache bear the guide's names instead."""
    return f"skillflaw-{component}"


def cluster(generation: int) -> str:
    """The `Cluster` of a generation: each restore to a moment makes another one next to the one before."""
    return CLUSTER if generation == 1 else f"{CLUSTER}-g{generation}"


def certificate(surface: str) -> str:
    """The Secret in which cert-manager keeps the certificate of a surface's host."""
    return f"skillflaw-{surface}-tls"
