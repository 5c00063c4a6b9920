"""A database that CloudNativePG runs: primary, standbys, and the operator."""

import msgspec

from detection.scrub import scrubbed
from operations.preflight import operator as cloud_native_pg
from operations.program import ProgramError
from operations.review.preview import at
from operations.status.asked import Asked, holds, known
from operations.status.facts import Operator, Replication, Standby, Unknown

STANDBYS = """
    SELECT coalesce(json_agg(it ORDER BY name), '[]') FROM (
        SELECT application_name AS name, state, sync_state AS "syncState",
            coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint AS "lagBytes",
            coalesce(extract(epoch FROM replay_lag), 0)::float AS "lagSeconds"
        FROM pg_stat_replication
    ) it
"""


def replication(asked: Asked, name: str) -> Replication:
    """Primary and standbys of a Cluster."""
    cluster = asked.object("Cluster", name)
    if cluster is None:
        raise ProgramError(f"Cluster {name} does not exist")
    primary = str(at(cluster, "status", "currentPrimary") or "")
    return Replication(
        phase=scrubbed(str(at(cluster, "status", "phase") or "unknown")),
        healthy=holds(cluster, "Ready"),
        primary=primary,
        instances=at(cluster, "spec", "instances") or 1,
        standbys=known(_standbys, asked, primary) if primary else Unknown("there is no primary"),
    )


def _standbys(asked: Asked, primary: str) -> tuple[Standby, ...]:
    psql = ("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", f"--command={STANDBYS}")
    said = asked.run_in(primary, "postgres", *psql, "--dbname=postgres")
    return msgspec.json.decode(said, type=tuple[Standby, ...])


def operator(asked: Asked) -> Operator:
    """The operator, in whichever namespace it is."""
    pods = cloud_native_pg.ready_pods(asked.found)
    return Operator(
        versions=tuple(sorted({cloud_native_pg.version_of(pod) for pod in pods})),
        nodes=tuple(str(at(pod, "spec", "nodeName")) for pod in pods),
    )
