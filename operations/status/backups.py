"""The scheduled backups, by their CronJob and its Jobs."""

from typing import Any

from detection.scrub import scrubbed
from operations.backup import begun
from operations.program import ProgramError
from operations.review.preview import at
from operations.status.asked import Asked, holds, time
from operations.status.facts import Backup

Object = dict[str, Any]


def backup(asked: Asked, name: str) -> Backup:
    """The backups of a CronJob."""
    cron = asked.object("CronJob", name)
    if cron is None:
        raise ProgramError(f"CronJob {name} does not exist")
    spec = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    # A list or a restore is a Job of the same CronJob, with another word for the same container.
    runs = [
        job
        for job in asked.objects("Job")
        if at(job, "metadata", "labels", "app") == name
        and at(job["spec"]["template"]["spec"]["containers"][0], "args") == ["keep"]
    ]
    ended = [time(job["status"]["completionTime"]) for job in runs if holds(job, "Complete")]
    success = at(cron, "status", "lastSuccessfulTime")
    newest = max([*ended, *([time(success)] if success else [])], default=None)
    starts = [
        time(job["status"]["startTime"])
        for job in runs
        if holds(job, "Complete") and time(job["status"]["completionTime"]) == newest
    ]
    failed = [time(job["status"]["startTime"]) for job in runs if holds(job, "Failed")]
    last_failure = max(failed, default=None)
    return Backup(
        schedule=cron["spec"]["schedule"],
        since=time(cron["metadata"]["creationTimestamp"]),
        suspended=bool(cron["spec"].get("suspend")),
        restoring=begun(cron).get("backup"),
        kept_in=_repository(spec),
        taken=min(starts, default=newest),
        failed=last_failure if last_failure and (newest is None or last_failure > newest) else None,
        running=any(not holds(job, "Complete") and not holds(job, "Failed") for job in runs),
    )


def _repository(spec: Object) -> str:
    """A bucket's URL, or the claim that is mounted where backups are kept."""
    [container] = [row for row in spec["containers"] if row["name"] == "repository"]
    url = next(row.get("value", "") for row in container["env"] if row["name"] == "RESTIC_REPOSITORY")
    claims = {volume["name"]: at(volume, "persistentVolumeClaim", "claimName") for volume in spec["volumes"]}
    return scrubbed(url) if ":" in url else f"claim {claims['backups']}"
