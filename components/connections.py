"""Who opens connections to whom: one table, from which the network policies are made."""

from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import urlsplit

from . import names

EDGE = "edge"
"""The ingress controller or the Gateway, and the public hosts behind it."""
INTERNET = "internet"
"""Web servers outside the cluster."""
CALLERS = "callers"
"""Clients inside the cluster, past every public host."""
MONITORING = "monitoring"
"""Whoever scrapes metrics."""
EGRESS = "egress"
"""The destinations that the stack file names: external state, model servers, proxies."""
OPERATOR = "operator"
"""CloudNativePG's operator."""
API_SERVER = "api-server"
"""The API server at its own addresses, which policies see behind its Service."""
OUTSIDE = frozenset({EDGE, INTERNET, CALLERS, MONITORING, EGRESS, OPERATOR, API_SERVER})


class Connection(NamedTuple):
    """A source that opens TCP connections to a target: components, or one of `OUTSIDE`."""

    source: str
    target: str
    port: int | None = None
    """The target's port; None where the stack file or the outside decides it."""


STATE = (
    Connection(names.BACKEND, names.DATABASE, names.DATABASE_PORT),
    Connection(names.BACKEND, names.CACHE, names.CACHE_PORT),
    Connection(names.BOOTSTRAP, names.DATABASE, names.DATABASE_PORT),
    Connection(names.BOOTSTRAP, names.CACHE, names.CACHE_PORT),
    Connection(names.BACKUP, names.DATABASE, names.DATABASE_PORT),
    Connection(names.LOGINS, names.DATABASE, names.DATABASE_PORT),
    Connection(names.LOGINS, names.CACHE, names.CACHE_PORT),
    Connection(names.BACKEND, EGRESS),
    Connection(names.BOOTSTRAP, EGRESS),
    Connection(names.BACKUP, EGRESS),
)
OPERATED = (
    *(
        Connection(client, names.CLUSTER, names.DATABASE_PORT)
        for client in (names.BACKEND, names.BOOTSTRAP, names.BACKUP, names.CLUSTER)
    ),
    Connection(OPERATOR, names.CLUSTER, names.INSTANCE_MANAGER_PORT),
    # A primary that does not reach the API server asks the standbys whether it is alone, and stops if it is.
    Connection(names.CLUSTER, names.CLUSTER, names.INSTANCE_MANAGER_PORT),
    Connection(names.CLUSTER, API_SERVER),
)
"""What a database that CloudNativePG runs needs. Without DNS it is Ready and healthy, and nothing replicates."""
FLOWS = (Connection(names.BACKEND, INTERNET),)
OBJECT_STORE = (Connection(names.BACKUP, INTERNET),)
"""Backups that leave the cluster."""
ARCHIVE = (Connection(names.CLUSTER, INTERNET), Connection(names.CLUSTER, EGRESS))
"""Every change of a database that CloudNativePG runs, on its way to a bucket."""
CLIENTS = (Connection(CALLERS, names.BACKEND, names.BACKEND_PORT),)
SCRAPES = (
    Connection(MONITORING, names.BACKEND, names.METRICS_PORT),
    Connection(MONITORING, names.CLUSTER, names.CLUSTER_METRICS_PORT),
)
PROXY_INSIDE = (Connection(names.FRONTEND, names.BACKEND, names.BACKEND_PORT),)
"""A web UI whose server proxies to the backend's Service."""
PROXY_OUTSIDE = (Connection(names.FRONTEND, EDGE), Connection(names.FRONTEND, INTERNET))
"""A web UI whose server proxies to a public host, of this stack or of another."""


def connections(
    components: Collection[str],
    *,
    public: Collection[str],
    proxy_inside: bool,
    object_store: bool = False,
    archive: bool = False,
    metrics: bool = False,
) -> tuple[Connection, ...]:
    """The connections between the components that exist.

    `public` holds the components that routes lead to; `proxy_inside` is whether the web UI proxies to the Service;
    `object_store` is whether backups go to one; `archive` is whether the database's changes do; `metrics` is whether pods
    are scraped.
    """
    proxy = PROXY_INSIDE if proxy_inside else PROXY_OUTSIDE
    edge = [Connection(EDGE, component) for component in public]
    stores = (*(OBJECT_STORE if object_store else ()), *(ARCHIVE if archive else ()))
    scrapes = SCRAPES if metrics else ()
    known = OUTSIDE | set(components)
    return tuple(
        row
        for row in (*STATE, *OPERATED, *FLOWS, *stores, *proxy, *edge, *CLIENTS, *scrapes)
        if {row.source, row.target} <= known
    )


def is_backend(url: str, namespace: str) -> bool:
    """Whether a URL leads to the backend's Service: by its short name or a longer one of the same namespace."""
    service = names.prefixed(names.BACKEND)
    longer = (f"{service}.{namespace}{suffix}" for suffix in ("", ".svc", ".svc.cluster.local"))
    return (urlsplit(url).hostname or "").removesuffix(".") in (service, *longer)
