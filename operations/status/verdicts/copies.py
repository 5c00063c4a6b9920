"""What a loss would need: base backups with the write-ahead log, and backups."""

from datetime import datetime, timedelta

from operations.status.facts import Archive, Backup, Status, Unknown
from operations.status.verdicts.verdict import Judged, Verdict, ago, worse

DAILY, RARELY = timedelta(days=2), timedelta(days=32)
"""How old the last backup may be, of a schedule that is due every day and of any other one."""
LOG_BROKEN = timedelta(minutes=15)
"""How long the write-ahead log may fail to reach the bucket; a quiet database sends some every five minutes."""


def archive(it: Archive, now: datetime) -> Judged:
    if isinstance(it.log, Unknown):
        return Verdict.LOOK, f"in {it.kept_in}; the primary could not be asked: {it.log.why}"
    archived, failed = it.log.archived, it.log.failed
    failing = bool(failed and (archived is None or failed > archived))
    newest = f"{archived:%Y-%m-%d %H:%M:%S} UTC" if archived else "none"
    says = f"newest point in time {newest}, in {it.kept_in}"
    verdict = Verdict.WELL
    if it.taken is None:
        says = (
            f"no base backup is whole yet in {it.kept_in}, so no moment can be restored: take one as docs/operating.md"
            " says under Point in time"
        )
        verdict = Verdict.BROKEN if it.failed or now - it.since > _longest(it.schedule) else Verdict.LOOK
    else:
        says += f"; oldest {it.first:%Y-%m-%d %H:%M:%S} UTC" if it.first else ""
        says += f"; base backup {ago(now - it.taken)} ago"
        if now - it.taken > _longest(it.schedule):
            verdict = Verdict.BROKEN
    if it.failed and (it.taken is None or it.failed > it.taken):
        says += f"; the last base backup failed, {ago(now - it.failed)} ago"
        verdict = worse(verdict, Verdict.LOOK)
    if failing:
        says += "; the write-ahead log does not reach the bucket"
        since = archived or it.since
        verdict = Verdict.BROKEN if now - since > LOG_BROKEN else worse(verdict, Verdict.LOOK)
    return verdict, says


def backup(it: Backup, status: Status) -> Judged:
    now, stack = status.at, status.stack
    longest = _longest(it.schedule)
    if it.taken is None:
        says = f"none was taken yet: python -m operations backup --stack {stack}"
        verdict = Verdict.BROKEN if it.failed or now - it.since > longest else Verdict.LOOK
    else:
        says = (
            f"{ago(now - it.taken)} ago, restored once then, in {it.kept_in}; the newest moment to go back to is"
            f" {it.taken:%Y-%m-%d %H:%M} UTC"
            + ("" if status.archive else " (no write-ahead log is archived)")
        )
        verdict = Verdict.BROKEN if it.failed or now - it.taken > longest else Verdict.WELL
    if it.failed:
        says += f"; the last run failed, {ago(now - it.failed)} ago"
    if it.running:
        says += "; one runs now"
    if it.restoring:
        return Verdict.BROKEN, f"{says}; a restore of {it.restoring} has begun and not ended"
    if it.suspended:
        return worse(verdict, Verdict.LOOK), f"{says}; the CronJob is suspended"
    return verdict, says


def _longest(schedule: str) -> timedelta:
    """How old the last backup of a schedule may be."""
    return DAILY if schedule.split()[2:] == ["*", "*", "*"] else RARELY
