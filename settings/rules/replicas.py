"""More than one replica: what they share, and the connections that a rollout opens."""

from collections.abc import Iterator

from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import Backend, Cache, Database, Protection, Storage


@rule
def replicas_share_a_volume(backend: Backend, storage: Storage) -> Iterator[Problem]:
    if backend.scale.most > 1 and storage.mode != "ReadWriteMany":
        yield Problem(
            path="backend.scale",
            found=f"up to {backend.scale.most} replicas on a {storage.mode} volume",
            allowed="several replicas on a ReadWriteMany volume, or one replica",
            remedy="set storage.accessMode to ReadWriteMany, or backend.scale to {replicas: 1}",
        )


@rule
def replicas_share_a_cache(backend: Backend, cache: Cache) -> Iterator[Problem]:
    if backend.scale.most > 1 and cache.none:
        yield Problem(
            path="cache.none",
            found=f"no shared cache for up to {backend.scale.most} replicas",
            allowed="cache.inCluster or cache.external with several replicas",
            remedy="choose cache.inCluster or cache.external, or set backend.scale to {replicas: 1}",
        )


@rule
def replicas_under_protection_have_a_database_that_survives(
    backend: Backend, database: Database, protection: Protection
) -> Iterator[Problem]:
    operated = database.cloud_native_pg
    alone = database.in_cluster or (operated and operated.instances == 1)
    if protection.enabled and backend.scale.most > 1 and alone:
        yield Problem(
            path="database.cloudNativePg.instances" if operated else "database.inCluster",
            found=f"one database pod behind up to {backend.scale.most} protected replicas",
            allowed="database.cloudNativePg with two instances or more, or database.external, when a protected backend "
            "has several replicas",
            remedy="choose one of those, or backend.scale: {replicas: 1}",
        )


@rule
def scale_is_a_range(backend: Backend) -> Iterator[Problem]:
    fewest = getattr(backend.scale, "min", 1)
    if fewest > backend.scale.most:
        yield Problem(
            path="backend.scale.max",
            found=f"max {backend.scale.most} below min {fewest}",
            allowed="min <= max",
            remedy=f"raise backend.scale.max to {fewest} or more",
        )


@rule
def connections_fit_the_server(backend: Backend, database: Database) -> Iterator[Problem]:
    # A rollout doubles the pods: those that leave keep their connections through their grace
    # period and do not count against maxSurge. 14 = bootstrap 4, pg_dump 2, exporter 3, people 5.
    pods = 2 * backend.scale.most + 1
    each = database.pool_size + database.max_overflow
    needed, usable = pods * each + 14, database.connections - 3
    if needed > usable:
        fit = (usable - 14) // pods
        yield Problem(
            path="database.poolSize",
            found=f"{pods} pods in a rollout x {each} connections + 14 = {needed}, of {usable} usable",
            allowed="(2 x replicas + 1) x (poolSize + maxOverflow) + 14 <= maxConnections - 3",
            remedy=(f"lower poolSize + maxOverflow to {fit}, or " if fit > 0 else "")
            + f"set {_connections_key(database)} to {needed + 3} if the server allows them",
        )


def _connections_key(database: Database) -> str:
    """The key that decides how many connections the server allows."""
    operated = database.cloud_native_pg
    if operated and "max_connections" in operated.parameters:
        return "database.cloudNativePg.parameters.max_connections"
    return "database.maxConnections"
