"""Choices that hold for the life of the data, and their migrations."""

from collections.abc import Iterator
from typing import Any

from detection.secrets import is_plain
from settings.autonaming import autonaming_problems
from settings.frozen import CHOICES, MIGRATIONS, OWN, RECOVERY, UNKNOWN, frozen
from settings.live import Live
from settings.problems import Problem
from settings.rules.registry import rule
from settings.rules.state import DATA_CLAIM, DATABASE_CLAIM
from settings.sections import (
    Backend,
    Cluster,
    Database,
    Images,
    Namespace,
    Protection,
    SecretKey,
    Storage,
    Superuser,
)

CLAIM = "database.inCluster.existingClaim"
OWN_CLAIMS = {CLAIM: DATABASE_CLAIM, "storage.existingClaim": DATA_CLAIM}
"""Names of the claims that the stack makes, by the choice of another one."""


@rule
def frozen_choices_stay(
    cluster: Cluster,
    namespace: Namespace,
    images: Images,
    storage: Storage,
    database: Database,
    backend: Backend,
    superuser: Superuser,
    protection: Protection,
    live: Live,
) -> Iterator[Problem]:
    now = frozen(cluster, namespace, images, storage, database, backend, superuser)
    # Before there was the key, the stack made the claim itself, and the first Cluster.
    made = {"inCluster": CLAIM, "cloudNativePg": RECOVERY}.get(live.frozen.get("database", ""))
    before = {**({made: OWN} if made else {}), **live.frozen}
    changed = [
        path
        for path, was in before.items()
        if was != now.get(path, was) and UNKNOWN not in (was, now.get(path))
    ]
    # A claim of the stack's that the file begins to name, or ceases to, is the same volume.
    moved = [path for path in changed if {before[path], now[path]} != {OWN, OWN_CLAIMS.get(path)}]
    for path, was in before.items():
        if path not in changed and path in protection.migrating and was == now.get(path):
            yield Problem(
                path="protection.migrating",
                found=f"{path}, which does not change",
                allowed="choices that this run changes",
                remedy=f"remove {path}: the migration is over, or was not begun",
            )
    for path in changed:
        was, choice = before[path], CHOICES[path]
        if _belongs_to_another(path, moved):
            continue
        part = path.partition(".")[0]
        release = f"run `python -m operations release --stack {live.name} {part}`"
        if path not in protection.migrating:
            steps = [
                choice.way,
                *([release] if was in choice.gives_up else []),
                *([f"add {path} to protection.migrating for one run"] if choice.migrates else []),
            ]
            yield Problem(
                path=path,
                found=f"{now[path]}, where the running stack has {was}",
                allowed=f"{was}, or a migration (docs/operating.md)" if choice.migrates else was,
                remedy="; then ".join(steps),
            )
        elif was in choice.gives_up and part not in live.released:
            yield Problem(
                path=path,
                found=f"{now[path]}, while the stack still holds the old one and would delete it",
                allowed="a change after the old one was released, which deletes nothing",
                remedy=release,
            )


def _belongs_to_another(path: str, moved: list[str]) -> bool:
    """Whether the choice is a property of a volume or server whose place another one takes."""
    holder = CHOICES[path].belongs_to
    return holder is not None and (holder in moved or _belongs_to_another(holder, moved))


@rule
def migrations_are_known(protection: Protection) -> Iterator[Problem]:
    for path in protection.migrating:
        if path in MIGRATIONS:
            continue
        fixed = CHOICES.get(path)
        yield Problem(
            path="protection.migrating",
            found=f"{path}, which no run of this stack can change"
            if fixed
            else f"{path if is_plain(path) else 'a text'}, which no migration is about",
            allowed=", ".join(MIGRATIONS),
            remedy=fixed.way if fixed else "remove it",
        )


@rule
def losses_are_accepted_once(secret_key: SecretKey, storage: Storage, live: Live) -> Iterator[Problem]:
    same_volume = (storage.existing_claim or OWN) == live.frozen.get("storage.existingClaim")
    if secret_key.accept_loss and secret_key.in_words == live.secret_key and same_volume:
        yield Problem(
            path="secretKey.acceptLoss",
            found="a fingerprint, although key and volume are those that the stack runs with",
            allowed="a key to give up in the run that brings another key or another volume",
            remedy="remove it: the loss was accepted, or none is due. A new key under the old name asks for another "
            "secretKey.existing.version",
        )


@rule
def names_keep_what_is_random(autonaming: Any) -> Iterator[Problem]:
    yield from autonaming_problems(autonaming)
