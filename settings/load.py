"""Reads the stack file once and refuses it whole, with every problem at once."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, get_config_secret_keys_env

from settings.live import NOTHING, Live, read_live
from settings.problems import Problem, SettingsError
from settings.reader import Place, Reader, unknown_key
from settings.rules import RULES
from settings.sections import Settings
from settings.shape import keys

SECRET_KEYS = ("kubeconfig",)
"""Top-level keys that must be stored with `--secret`; no section ever holds a secret."""


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The stack file's own secrets, still wrapped."""

    kubeconfig: pulumi.Output[str] | None
    """Whole kubeconfig of the cluster, if the stack carries one."""


def load() -> tuple[Settings, Secrets, Live]:
    """The running stack's settings, its secrets, and what it was when it last came up.

    Raises `SettingsError` with every problem that can be found; nothing is registered before.
    """
    config = pulumi.Config()
    prefix = f"{config.name}:"
    values = {**get_config_env(), **CONFIG.get()}
    given = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    secret = {key for key in given if _is_secret(prefix + key)}
    live = read_live()
    settings = parse(given, secret, live=live, autonaming=values.get("pulumi:autonaming"))
    return settings, Secrets(kubeconfig=config.get_secret("kubeconfig")), live


def _is_secret(key: str) -> bool:
    return pulumi.runtime.is_config_secret(key) or key in get_config_secret_keys_env()


def parse(
    given: dict[str, Any],
    secret: set[str],
    *,
    live: Live = NOTHING,
    autonaming: Any = None,
) -> Settings:
    """Settings from top-level keys and their texts (JSON, as the engine hands them over).

    `secret` names the keys that are stored encrypted, `live` is the running stack, `autonaming` is `pulumi:autonaming`,
    which the engine hands over with the rest.
    Raises `SettingsError`.
    """
    sections = keys(Settings)
    allowed = [*sections, *SECRET_KEYS]
    problems = [
        *(unknown_key("", key, allowed) for key in given if key not in allowed),
        *_misplaced_secrets(given, secret, sections),
    ]
    parsed: dict[str, Any] = {}
    for key, field in sections.items():
        reader = Reader()
        place = Place(key, Settings, field.name)
        section = reader.read(field.type, _decode(given.get(key)), place, field.default)
        if reader.problems:
            problems += reader.problems
        else:
            parsed[field.name] = section
    known = {**parsed, "kubeconfig": given.get("kubeconfig"), "live": live, "autonaming": autonaming}
    for rule, wanted in RULES.items():
        if wanted <= known.keys():
            problems += rule(**{name: known[name] for name in wanted})
    if problems:
        raise SettingsError(list(dict.fromkeys(problems)))
    return Settings(**parsed)


def _decode(value: Any) -> Any:
    """A section's value: JSON text under the engine, already decoded from a YAML file in tests.

    A section that is left blank is one without keys.
    """
    try:
        decoded = json.loads(value.strip() or "null") if isinstance(value, str) else value
    except json.JSONDecodeError:
        return value
    return {} if decoded is None else decoded


def _misplaced_secrets(given: dict[str, Any], secret: set[str], sections: Iterable[str]) -> list[Problem]:
    plain = [
        Problem(
            path=key,
            found="a secret in plain text",
            allowed="a value stored with --secret",
            remedy=f"pulumi config set --secret {key} < FILE, and treat the plain value as public",
        )
        for key in SECRET_KEYS
        if key in given and key not in secret
    ]
    return plain + [
        Problem(
            path=key,
            found="a section stored as a secret",
            allowed="plain text: a section never holds a secret, only names of Secrets",
            remedy=f"write {key} without --secret; keep secret values in Kubernetes Secrets and name those",
        )
        for key in sections
        if key in secret
    ]
