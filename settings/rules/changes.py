"""Choices that hold for the life of the data, and their migrations."""

from collections.abc import Iterator
from typing import Any

from detection.secrets import is_plain
from settings.autonaming import autonaming_problems
from settings.frozen import MIGRATIONS, UNKNOWN, frozen
from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import Backend, Cluster, Database, Images, Namespace, Protection, Storage


@rule
def frozen_choices_stay(
    cluster: Cluster,
    namespace: Namespace,
    images: Images,
    storage: Storage,
    database: Database,
    backend: Backend,
    protection: Protection,
    live: dict[str, str],
) -> Iterator[Problem]:
    now = frozen(cluster, namespace, images, storage, database, backend)
    # Where a database changes places, what only the in-cluster one has is no change of its own.
    kept = "database" not in live or live["database"] == now["database"]
    for path, was in live.items():
        unchanged = now.get(path, was) == was
        if unchanged and path in protection.migrating:
            yield Problem(
                path="protection.migrating",
                found=f"{path}, which does not change",
                allowed="choices that this run changes",
                remedy=f"remove {path}: the migration is over, or was not begun",
            )
        if unchanged or path in protection.migrating or UNKNOWN in (was, now[path]):
            continue
        if kept or not path.startswith("database."):
            yield Problem(
                path=path,
                found=f"{now[path]}, where the running stack has {was}",
                allowed=f"{was}, or a migration",
                remedy=f"{MIGRATIONS[path]}; then add {path} to protection.migrating for one run",
            )


@rule
def migrations_are_known(protection: Protection) -> Iterator[Problem]:
    for path in protection.migrating:
        if path not in MIGRATIONS:
            yield Problem(
                path="protection.migrating",
                found=f"{path if is_plain(path) else 'a text'}, which no migration is about",
                allowed=", ".join(MIGRATIONS),
                remedy="remove it",
            )


@rule
def names_keep_what_is_random(autonaming: Any) -> Iterator[Problem]:
    yield from autonaming_problems(autonaming)
