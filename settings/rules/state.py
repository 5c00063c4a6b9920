"""State: database, cache, volumes, backups and the secret key."""

from collections.abc import Iterator

from settings.problems import Problem
from settings.rules.registry import rule
from settings.schedules import longest_wait, runs_per_day
from settings.sections import (
    Backup,
    Cache,
    CacheAddress,
    Database,
    DatabaseAddress,
    Protection,
    Storage,
)

DATA_CLAIM = "skillflaw-backend-data"
DATABASE_CLAIM = "postgresql-data"
CLAIMS = frozenset({DATA_CLAIM, DATABASE_CLAIM, "skillflaw-backups"})
"""Claims that the stack itself makes."""


@rule
def protected_databases_have_backups(
    database: Database, backup: Backup, protection: Protection
) -> Iterator[Problem]:
    if protection.enabled and not database.external and not backup.schedule:
        found = "the only copy of the database is its own volume"
        if database.cloud_native_pg:
            found = "what is deleted by mistake is deleted on every standby too"
        yield Problem(
            path="backup.schedule",
            found=f"nothing, so {found}",
            allowed="a cron schedule when a protected database runs in the cluster",
            remedy='write backup.schedule, e.g. "0 3 * * *", or choose database.external',
        )


@rule
def protected_databases_are_encrypted_on_the_way(
    database: Database, protection: Protection
) -> Iterator[Problem]:
    at = database.external
    if protection.enabled and isinstance(at, DatabaseAddress) and at.ssl_mode == "disable":
        yield Problem(
            path="database.external.sslMode",
            found="disable: passwords and data travel readable",
            allowed="require, verify-ca or verify-full under protection",
            remedy="write database.external.sslMode: require, or better verify-full",
        )


@rule
def protected_backups_are_due(backup: Backup, protection: Protection) -> Iterator[Problem]:
    if not protection.enabled or not backup.schedule:
        return
    wait = longest_wait(backup.schedule)
    if wait is None or wait > 31:
        yield Problem(
            path="backup.schedule",
            found="a schedule that is never due" if wait is None else f"a schedule with waits of {wait} days",
            allowed="a backup at least every 31 days under protection",
            remedy='write backup.schedule, e.g. "0 3 * * *"',
        )
    if (runs := runs_per_day(backup.schedule)) > backup.keep:
        yield Problem(
            path="backup.keep",
            found=f"{backup.keep}, with {runs} backups a day: the oldest is younger than a day",
            allowed="backups that reach back a day or more, under protection",
            remedy=(f"raise backup.keep to {runs} or more, or " if runs <= 1000 else "")
            + "back up less often",
        )


@rule
def cache_password_is_whole(cache: Cache) -> Iterator[Problem]:
    at = cache.external
    if not isinstance(at, CacheAddress):
        return
    given = {"secretName": at.secret_name, "passwordKey": at.password_key}
    lacking = [key for key, value in given.items() if value is None]
    if len(lacking) == 1 or (lacking and at.version):
        known = [key for key in (*given, "version") if key not in lacking and (key in given or at.version)]
        yield Problem(
            path=f"cache.external.{lacking[0]}",
            found=f"nothing, next to {' and '.join(known)}",
            allowed="secretName and passwordKey, or neither for a Redis without a password",
            remedy=f"set {' and '.join(lacking)}, or remove {' and '.join(known)}",
        )


@rule
def existing_claim_says_what_it_allows(storage: Storage) -> Iterator[Problem]:
    if storage.existing_claim and storage.access_mode is None:
        yield Problem(
            path="storage.accessMode",
            found=f"nothing about the existing claim {storage.existing_claim}",
            allowed="ReadWriteMany (shared) or ReadWriteOnce",
            remedy="write the access mode the claim really has",
        )


@rule
def files_have_a_volume_of_their_own(storage: Storage) -> Iterator[Problem]:
    # Its own name is free while the claim is somebody's: guides name it alike.
    if storage.existing_claim in CLAIMS - {DATA_CLAIM}:
        yield Problem(
            path="storage.existingClaim",
            found=f"{storage.existing_claim}, a claim of the stack's database or backups",
            allowed="a claim of its own: a restore empties it",
            remedy="name another claim, or remove storage.existingClaim and the stack makes one",
        )


@rule
def databases_have_a_volume_of_their_own(
    database: Database, storage: Storage, backup: Backup
) -> Iterator[Problem]:
    claim = database.in_cluster and database.in_cluster.existing_claim
    # Its own name is free: whoever released that claim comes back to it so.
    taken = (CLAIMS - {DATABASE_CLAIM}) | {storage.existing_claim, backup.existing_claim}
    if claim and claim in taken:
        yield Problem(
            path="database.inCluster.existingClaim",
            found=f"{claim}, a claim of the stack's files or backups",
            allowed="a claim of its own",
            remedy="name another claim, or remove database.inCluster.existingClaim and the stack makes one",
        )


@rule
def backups_have_a_volume_of_their_own(backup: Backup, storage: Storage) -> Iterator[Problem]:
    claim = backup.existing_claim
    if claim and claim in CLAIMS | {storage.existing_claim}:
        yield Problem(
            path="backup.to.claim.existingClaim",
            found=f"{claim}, a claim that is the stack's own",
            allowed="a claim of its own: one lost volume must not take the backups with it",
            remedy="name another claim, or remove backup.to.claim.existingClaim and the stack makes one",
        )


@rule
def protected_backups_are_encrypted_on_the_way(backup: Backup, protection: Protection) -> Iterator[Problem]:
    store = backup.to.object_store if backup.to else None
    if protection.enabled and store and not store.endpoint.startswith("https://"):
        yield Problem(
            path="backup.to.objectStore.endpoint",
            found=f"{store.endpoint}: whoever carries the requests can change what a restore would find",
            allowed="https under protection",
            remedy="write an endpoint that begins with https://",
        )
