"""Every workload: its pods, users and resources."""

from collections.abc import Iterator

from settings.annotations import annotation_problems
from settings.pods import pods_problems
from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import (
    Backend,
    Backup,
    Bootstrap,
    Cache,
    CloudNativePg,
    Database,
    Docs,
    Frontend,
    Identity,
    InClusterCache,
    InClusterDatabase,
    Pods,
)
from settings.values import PLATFORM, amount


@rule
def account_annotations_are_the_clouds(backend: Backend) -> Iterator[Problem]:
    yield from annotation_problems(
        "backend.serviceAccount.annotations", backend.service_account.annotations, protected=False
    )


@rule
def pods_are_asked_what_kubernetes_takes(
    pods: Pods,
    backend: Backend,
    bootstrap: Bootstrap,
    frontend: Frontend,
    docs: Docs,
    database: Database,
    cache: Cache,
    backup: Backup,
) -> Iterator[Problem]:
    yield from pods_problems("pods", pods)
    workloads = {
        "backend": backend,
        "bootstrap": bootstrap,
        "frontend": frontend,
        "docs": docs,
        "database.inCluster": database.in_cluster,
        "database.cloudNativePg": database.cloud_native_pg,
        "cache.inCluster": cache.in_cluster,
        "backup": backup,
    }
    for path, workload in workloads.items():
        if workload:
            yield from pods_problems(f"{path}.pods", workload.pods)


@rule
def users_and_groups_are_assigned_together(
    backend: Backend, frontend: Frontend, docs: Docs, database: Database, cache: Cache
) -> Iterator[Problem]:
    workloads: dict[str, Identity | None] = {
        "backend": backend,
        "frontend": frontend,
        "docs": docs,
        "database.inCluster": database.in_cluster,
        "cache.inCluster": cache.in_cluster,
    }
    for path, workload in workloads.items():
        if workload and workload.uid == PLATFORM and workload.gid not in (PLATFORM, Identity().gid):
            yield Problem(
                path=f"{path}.gid",
                found=f"{workload.gid}, next to a user that the platform assigns",
                allowed=f"{PLATFORM}, or nothing",
                remedy=f"remove {path}.gid, or write {path}.uid as a number",
            )


@rule
def requests_stay_within_limits(
    backend: Backend,
    bootstrap: Bootstrap,
    frontend: Frontend,
    docs: Docs,
    database: Database,
    cache: Cache,
    backup: Backup,
) -> Iterator[Problem]:
    workloads: dict[
        str,
        Backend | Bootstrap | Frontend | Docs | Backup | InClusterDatabase | CloudNativePg | InClusterCache,
    ] = {
        "backend": backend,
        "bootstrap": bootstrap,
        "frontend": frontend,
        "docs": docs,
        "backup": backup,
    }
    if database.in_cluster:
        workloads["database.inCluster"] = database.in_cluster
    if database.cloud_native_pg:
        workloads["database.cloudNativePg"] = database.cloud_native_pg
    if cache.in_cluster:
        workloads["cache.inCluster"] = cache.in_cluster
    for path, workload in workloads.items():
        requests, limits = workload.resources.requests, workload.resources.limits
        for field in requests.__struct_fields__:
            asked, limit = getattr(requests, field), getattr(limits, field)
            if amount(asked) > amount(limit):
                key = field.replace("_", "-")
                yield Problem(
                    path=f"{path}.resources.requests.{key}",
                    found=f"a request of {asked} above the limit of {limit}",
                    allowed="requests <= limits",
                    remedy=f"lower the request, or raise {path}.resources.limits.{key}",
                )
