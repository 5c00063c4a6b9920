"""Every fact about a stack, read at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from operations.status import (
    archive,
    backups,
    certificates,
    differences,
    firing,
    inside_pods,
    pods,
    replication,
)
from operations.status.asked import WORKLOADS, Asked, known
from operations.status.facts import Known, Status

AT_ONCE = 8
"""Each kubectl waits for the API server most of its time."""

Object = dict[str, Any]
T = TypeVar("T")


def status(asked: Asked) -> Status:
    """Every fact, or why it could not be had."""
    declared = {_called(row): row for row in asked.declared if row["kind"] in WORKLOADS}
    kinds = {row["kind"] for row in declared.values()}
    operated = "Cluster" in kinds
    mode = "cloudNativePg" if operated else "inCluster" if "StatefulSet" in kinds else "external"
    # First what everybody else waits for.
    names = sorted(declared, key=lambda name: name != asked.outputs.backend_service)
    with ThreadPoolExecutor(AT_ONCE) as threads:

        def ask(part: Callable[..., T], *words: Any) -> Callable[[], Known[T]]:
            return threads.submit(known, part, asked, *words).result

        workloads = {
            name: ask(pods.workload, declared[name]["kind"], declared[name]["metadata"]["name"])
            for name in names
        }
        living, nodes = ask(pods.pods), ask(pods.nodes)
        said = ask(inside_pods.inside)
        clusters = [row["metadata"]["name"] for row in declared.values() if row["kind"] == "Cluster"]
        standbys = ask(replication.replication, *clusters) if operated else None
        operators = ask(replication.operator) if operated else None
        copies = ask(backups.backup, asked.outputs.backup_cron_job) if asked.outputs.backup_cron_job else None
        archived = any(row["kind"] == "ObjectStore" for row in asked.declared)
        kept = ask(archive.archive, *clusters) if operated and archived else None
        hosts = {
            surface: ask(certificates.certificate, origin)
            for surface, origin in asked.outputs.surfaces.items()
        }
        volumes = {
            name: ask(inside_pods.volume, name, *where) for name, where in inside_pods.mounted(asked).items()
        }
        watched = any(row["kind"] == "PrometheusRule" for row in asked.declared)
        alerts = ask(firing.firing) if watched else None
        differing, unfinished = ask(differences.drift), ask(differences.unfinished)
        return Status(
            stack=asked.stack,
            where=f"context {asked.outputs.context or 'of its kubeconfig'}, namespace {asked.outputs.namespace}",
            at=asked.now,
            database=mode,
            workloads={name: each() for name, each in workloads.items()},
            pods=living(),
            nodes=nodes(),
            inside=said(),
            replication=standbys and standbys(),
            operator=operators and operators(),
            backup=copies and copies(),
            archive=kept and kept(),
            certificates={surface: each() for surface, each in hosts.items()},
            volumes={name: each() for name, each in volumes.items()},
            key=inside_pods.key(asked),
            alerts=alerts and alerts(),
            drift=differing(),
            unfinished=unfinished(),
        )


def _called(row: Object) -> str:
    """The name of a workload's line; a Cluster has the name of what it is."""
    name = str(row["metadata"]["name"])
    return f"{row['kind']} {name}" if row["kind"] == "Cluster" else name
