"""The archive of a database that CloudNativePG runs, and a restore to a moment."""

from collections.abc import Iterator
from datetime import UTC, datetime

from settings.frozen import OWN, RECOVERY, RECOVERY_PATH
from settings.live import Live
from settings.problems import Problem
from settings.rules.registry import rule
from settings.schedules import longest_wait
from settings.sections import Backup, Database, Pods, Protection

STORE = "database.cloudNativePg.objectStore"


@rule
def recoveries_read_an_archive(database: Database) -> Iterator[Problem]:
    operated = database.cloud_native_pg
    if operated and operated.recovery and not operated.object_store:
        yield Problem(
            path=STORE,
            found=f"nothing, next to {RECOVERY_PATH}",
            allowed="the bucket that holds the archive to restore from",
            remedy=f"write {STORE} as it was when the archive was made, or remove {RECOVERY_PATH}",
        )


@rule
def recoveries_end_in_the_past(database: Database) -> Iterator[Problem]:
    recovery = database.cloud_native_pg and database.cloud_native_pg.recovery
    if not recovery or not recovery.target_time:
        return
    now = datetime.now(UTC)
    if datetime.fromisoformat(recovery.target_time) > now:
        yield Problem(
            path=f"{RECOVERY_PATH}.targetTime",
            found=f"{recovery.target_time}, which is still to come: it is {now:%Y-%m-%dT%H:%M:%SZ}",
            allowed="a moment that has passed; `python -m operations status` says the newest that is archived",
            remedy="correct it, its distance from UTC too, or remove it and everything that is archived comes back",
        )


@rule
def recoveries_have_a_source_before_them(database: Database) -> Iterator[Problem]:
    recovery = database.cloud_native_pg and database.cloud_native_pg.recovery
    if recovery and recovery.restored >= recovery.generation:
        yield Problem(
            path=f"{RECOVERY_PATH}.source",
            found=f"{recovery.source}, for generation {recovery.generation}",
            allowed="an earlier generation",
            remedy=f"write a number below {recovery.generation}, or remove it and {recovery.generation - 1} is restored",
        )


@rule
def recoveries_make_a_new_cluster(database: Database, live: Live) -> Iterator[Problem]:
    operated = database.cloud_native_pg
    if not operated or live.frozen.get("database") != "cloudNativePg":
        return
    runs = live.frozen.get(RECOVERY, OWN)
    newest = int(runs) if runs.isdigit() else 1
    if operated.recovery and operated.generation > newest and operated.recovery.restored > newest:
        yield Problem(
            path=f"{RECOVERY_PATH}.source",
            found=f"{operated.recovery.restored}, which no Cluster was: the newest is {newest}",
            allowed=f"a generation up to {newest}",
            remedy=f"write generation: {newest + 1}, or the source to restore",
        )
    if operated.generation < newest:
        yield Problem(
            path=RECOVERY,
            found=f"{operated.generation}, after generation {newest}",
            allowed=f"{newest}, or a number that no Cluster had",
            remedy=f"to go back, restore the earlier one's archive: generation: {newest + 1}, "
            f"source: {operated.generation}",
        )


@rule
def archives_are_trusted_by_a_secret(database: Database, pods: Pods) -> Iterator[Problem]:
    archived = database.cloud_native_pg and database.cloud_native_pg.object_store
    if archived and pods.trust and pods.trust.config_map_name:
        yield Problem(
            path="pods.trust.configMapName",
            found=f"{pods.trust.config_map_name}, which the plugin that archives cannot read",
            allowed=f"authorities in a Secret, next to {STORE}",
            remedy="keep the bundle in a Secret and write pods.trust: {secretName, key}",
        )


@rule
def protected_archives_are_encrypted_on_the_way(
    database: Database, protection: Protection
) -> Iterator[Problem]:
    archived = database.cloud_native_pg and database.cloud_native_pg.object_store
    if protection.enabled and archived and not archived.endpoint.startswith("https://"):
        yield Problem(
            path=f"{STORE}.endpoint",
            found=f"{archived.endpoint}: whoever carries the requests reads every row and can change what is restored",
            allowed="https under protection",
            remedy="write an endpoint that begins with https://",
        )


@rule
def archives_begin_again(database: Database) -> Iterator[Problem]:
    archived = database.cloud_native_pg and database.cloud_native_pg.object_store
    if not archived:
        return
    wait = longest_wait(archived.schedule)
    if wait is None or wait > 31:
        yield Problem(
            path=f"{STORE}.schedule",
            found="a schedule that is never due" if wait is None else f"a schedule with waits of {wait} days",
            allowed="a base backup at least every 31 days: a restore replays everything since",
            remedy=f'write {STORE}.schedule, e.g. "0 2 * * *"',
        )


@rule
def archives_and_backups_have_folders_of_their_own(database: Database, backup: Backup) -> Iterator[Problem]:
    archived = database.cloud_native_pg and database.cloud_native_pg.object_store
    repository = backup.to and backup.to.object_store
    if not archived or not repository:
        return
    same = (archived.endpoint.rstrip("/"), archived.bucket) == (
        repository.endpoint.rstrip("/"),
        repository.bucket,
    )
    one, other = (f"{prefix}/" for prefix in (archived.prefix, repository.prefix))
    if same and (one.startswith(other) or other.startswith(one)):
        yield Problem(
            path=f"{STORE}.prefix",
            found=f"{archived.prefix}, in the bucket where backups are in {repository.prefix}",
            allowed="a folder that is neither the repository of backups nor inside it, nor around it",
            remedy=f"write another {STORE}.prefix",
        )
