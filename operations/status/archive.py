"""The archive of a database that CloudNativePG runs: base backups, and the write-ahead log after them."""

from datetime import datetime
from typing import Any

import msgspec

from detection.scrub import scrubbed
from operations.program import ProgramError
from operations.review.preview import at
from operations.status.asked import Asked, known, time
from operations.status.facts import Archive, Archiver, Unknown

ARCHIVER = """
    SELECT json_build_object('archived', last_archived_time, 'failed', last_failed_time) FROM pg_stat_archiver
"""

Object = dict[str, Any]


def archive(asked: Asked, cluster: str) -> Archive:
    """The archive of a Cluster."""
    spec = (asked.object("Cluster", cluster) or {}).get("spec")
    plugins = at(spec, "plugins") or ()
    store = next(
        (at(row, "parameters", "barmanObjectName") for row in plugins if row.get("isWALArchiver")), None
    )
    found = asked.object("ObjectStore", store) if store else None
    if found is None:
        raise ProgramError(f"Cluster {cluster} has no ObjectStore")
    schedule = asked.object("ScheduledBackup", cluster)
    window = at(found, "status", "serverRecoveryWindow", cluster)
    primary = at(asked.object("Cluster", cluster), "status", "currentPrimary")
    return Archive(
        kept_in=scrubbed(f"{found['spec']['configuration']['destinationPath']}/{cluster}"),
        schedule=str(at(schedule, "spec", "schedule") or "").partition(" ")[2],
        since=time(found["metadata"]["creationTimestamp"]),
        first=_moment(window, "firstRecoverabilityPoint"),
        taken=_moment(window, "lastSuccessfulBackupTime"),
        failed=_moment(window, "lastFailedBackupTime"),
        log=known(_archiver, asked, primary) if primary else Unknown("there is no primary"),
    )


def _archiver(asked: Asked, primary: str) -> Archiver:
    psql = ("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", f"--command={ARCHIVER}")
    said = asked.run_in(primary, "postgres", *psql, "--dbname=postgres")
    return msgspec.json.decode(said, type=Archiver)


def _moment(window: Any, key: str) -> datetime | None:
    text = at(window, key)
    return time(text) if text else None
