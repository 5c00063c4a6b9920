"""Every workload: its pods, users and resources."""

from collections.abc import Iterator
from typing import Any

from settings.annotations import annotation_problems
from settings.pods import pods_problems
from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import (
    Backend,
    Backup,
    Bootstrap,
    Cache,
    Database,
    Docs,
    Frontend,
    Identity,
    Pods,
    Section,
)
from settings.values import PLATFORM, amount


@rule
def account_annotations_are_the_clouds(backend: Backend) -> Iterator[Problem]:
    yield from annotation_problems(
        "backend.serviceAccount.annotations", backend.service_account.annotations, protected=False
    )


def _by_path(*sections: Section) -> dict[str, Any]:
    """Sections of workloads by their path in a stack file; a state section stands for the workload it asks for."""
    found: dict[str, Any] = {}
    for section in sections:
        name = type(section).__name__.lower()
        if isinstance(section, Database | Cache):
            if section.in_cluster:
                found[f"{name}.inCluster"] = section.in_cluster
            elif isinstance(section, Database) and section.cloud_native_pg:
                found[f"{name}.cloudNativePg"] = section.cloud_native_pg
        else:
            found[name] = section
    return found


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
    for path, workload in _by_path(backend, bootstrap, frontend, docs, database, cache, backup).items():
        yield from pods_problems(f"{path}.pods", workload.pods)


@rule
def users_and_groups_are_assigned_together(
    backend: Backend, frontend: Frontend, docs: Docs, database: Database, cache: Cache
) -> Iterator[Problem]:
    for path, workload in _by_path(backend, frontend, docs, database, cache).items():
        if workload.uid == PLATFORM and workload.gid not in (PLATFORM, Identity().gid):
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
    for path, workload in _by_path(backend, bootstrap, frontend, docs, database, cache, backup).items():
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
