"""Secret keys: which one is in use, and which ones stay for what they still open; and who rotates a password."""

from collections.abc import Iterator

from settings.live import Live
from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import Backup, Protection, SecretKey, Superuser

GENERATION = "secretKey.generated.generation"
GIVE_UP = "secretKey.generated.giveUp"


@rule
def existing_key_has_a_version(secret_key: SecretKey) -> Iterator[Problem]:
    if secret_key.existing and secret_key.existing.version is None:
        yield Problem(
            path="secretKey.existing.version",
            found="nothing, so a new key in the same Secret would reach no pod",
            allowed="any word that changes with the key",
            remedy="write a version, e.g. the date the key was made",
        )


@rule
def password_has_one_version(superuser: Superuser) -> Iterator[Problem]:
    if superuser.password and superuser.password_version is not None:
        yield Problem(
            path="superuser.passwordVersion",
            found=f"a word about a generated password, next to Secret {superuser.password.secret_name}",
            allowed="one version: this one of a generated password, or superuser.password.version",
            remedy="write the word in superuser.password.version, and remove superuser.passwordVersion",
        )


@rule
def previous_key_is_another(secret_key: SecretKey, live: Live) -> Iterator[Problem]:
    key = secret_key.existing
    if not key or not key.previous:
        return
    if key.previous.secret_name and not key.previous.key:
        yield Problem(
            path="secretKey.existing.previous.key",
            found=f"nothing, next to Secret {key.previous.secret_name}",
            allowed="a key inside the Secret",
            remedy="write the key under which the Secret holds it",
        )
    if key.previous.generation and not live.keys_given_up < key.previous.generation <= live.key_generation:
        yield Problem(
            path="secretKey.existing.previous.generation",
            found=f"{key.previous.generation}, which the stack does not hold",
            allowed=f"generations from {live.keys_given_up + 1} to {live.key_generation}"
            if live.key_generation
            else "no generation: the stack has generated no key",
            remedy="name one of those, or the Secret of the key of before",
        )
    if (key.previous.secret_name, key.previous.key) == (key.secret_name, key.key):
        yield Problem(
            path="secretKey.existing.previous",
            found=f"{key.key} of Secret {key.secret_name}, the key that takes its place",
            allowed="the key of before, under a name of its own",
            remedy="put the new key into another Secret or under another key, and leave the old one where it is",
        )


@rule
def rotation_begins_from_a_known_key(secret_key: SecretKey, live: Live) -> Iterator[Problem]:
    key, path = secret_key.existing, GENERATION
    asked = secret_key.generated.generation > 1 and not key
    if key and key.previous:
        asked, path = True, "secretKey.existing.previous"
    # A release that named no key left its stack without one; what comes up first has none either, and no data.
    if asked and live.frozen and live.secret_key is None:
        yield Problem(
            path=path,
            found="another key, where the running stack has not said which one it uses",
            allowed="a rotation of a stack that this release has brought up once",
            remedy=f"remove {path} for one `pulumi up`",
        )


@rule
def rotations_lose_nothing(secret_key: SecretKey) -> Iterator[Problem]:
    key, own = secret_key.existing, secret_key.generated
    if secret_key.accept_loss and (key.previous if key else own.generation > own.give_up + 1):
        yield Problem(
            path="secretKey.acceptLoss",
            found="a loss, next to a key of before that opens everything",
            allowed="a loss, or a rotation",
            remedy="remove secretKey.acceptLoss",
        )


@rule
def rotations_have_a_backup(
    secret_key: SecretKey, backup: Backup, protection: Protection, live: Live
) -> Iterator[Problem]:
    changed = live.secret_key not in (None, secret_key.in_words)
    rotates = secret_key.existing.previous if secret_key.existing else live.key_generation
    if protection.enabled and changed and rotates and not secret_key.accept_loss and not backup.schedule:
        yield Problem(
            path="backup.schedule",
            found="nothing, so what is encrypted with another key has no copy from before",
            allowed="a cron schedule in the run that rotates a protected key",
            remedy='write backup.schedule, e.g. "0 3 * * *"',
        )


@rule
def keys_in_use_are_not_given_up(secret_key: SecretKey, live: Live) -> Iterator[Problem]:
    own = secret_key.generated
    if not secret_key.existing and own.give_up >= own.generation:
        yield Problem(
            path=GIVE_UP,
            found=f"{own.give_up}, with generation {own.generation} in use",
            allowed="generations before the one in use",
            remedy=f"write {own.generation - 1} or less",
        )
    elif own.give_up > live.keys_given_up and live.secret_key not in (None, secret_key.in_words):
        yield Problem(
            path=GIVE_UP,
            found=f"{own.give_up}, in the run that brings another key",
            allowed=f"{live.keys_given_up} until that run reached its end",
            remedy=f"remove {GIVE_UP} until the key is rotated",
        )
    if own.give_up < live.keys_given_up:
        yield Problem(
            path=GIVE_UP,
            found=f"{own.give_up}, where {live.keys_given_up} were given up",
            allowed=f"{live.keys_given_up} or more: a key that was deleted does not come back",
            remedy=f"write {live.keys_given_up}",
        )
