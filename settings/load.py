"""Reads the stack file once and refuses it whole, with every problem at once."""

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, get_config_secret_keys_env
from pydantic import BaseModel, ValidationError

from settings.meaning import meanings
from settings.problems import Problem, SettingsError
from settings.rules import RULES
from settings.sections import Settings

SECRET_KEYS = ("kubeconfig",)
"""Top-level keys that must be stored with `--secret`; no section ever holds a secret."""


STATE_READS = 50
TORN_READ = "failed to load checkpoint"
"""The engine writes its state file, not at once, while a program starts; a read takes about 20 ms."""


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The stack file's own secrets, still wrapped."""

    kubeconfig: pulumi.Output[str] | None
    """Whole kubeconfig of the cluster, if the stack carries one."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """What the stack exported when it last came up; nothing before that."""

    frozen: dict[str, str]
    """Choices that hold for the life of the data."""
    generated_key: bool
    """Whether it holds a key that it generated."""


def load() -> tuple[Settings, Secrets, Live]:
    """The running stack's settings, its secrets, and what it was when it last came up.

    Raises `SettingsError` with every problem that can be found; nothing is registered before.
    """
    config = pulumi.Config()
    prefix = f"{config.name}:"
    values = {**get_config_env(), **CONFIG.get()}
    given = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    secret = {key for key in given if _is_secret(prefix + key)}
    live = _live()
    settings = parse(given, secret, live=live.frozen)
    return settings, Secrets(kubeconfig=config.get_secret("kubeconfig")), live


def _live() -> Live:
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    reads = 0
    while True:
        try:
            read = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack})
        except Exception as error:  # the SDK raises nothing narrower
            reads += 1
            if TORN_READ not in str(error) or reads == STATE_READS:
                raise
        else:
            outputs = read.value["outputs"]
            return Live(frozen=outputs.get("frozen", {}), generated_key=outputs.get("generatedKey", False))


def _is_secret(key: str) -> bool:
    return pulumi.runtime.is_config_secret(key) or key in get_config_secret_keys_env()


def parse(given: dict[str, Any], secret: set[str], *, live: dict[str, str] | None = None) -> Settings:
    """Settings from top-level keys and their texts (JSON, as the engine hands them over).

    `secret` names the keys that are stored encrypted, `live` is what the running stack was made with.
    Raises `SettingsError`.
    """
    sections = {field.alias: (name, field.annotation) for name, field in Settings.model_fields.items()}
    problems = [
        *_unknown_keys(given, [*sections, *SECRET_KEYS]),
        *_misplaced_secrets(given, secret, sections),
    ]
    parsed: dict[str, BaseModel] = {}
    for key, (name, model) in sections.items():
        try:
            parsed[name] = model.model_validate(_decode(given.get(key, {})))
        except ValidationError as error:
            problems += [_explain(key, model, detail) for detail in error.errors(include_url=False)]
    known = {**parsed, "kubeconfig": "kubeconfig" in given, "live": live or {}}
    for rule, wanted in RULES.items():
        if wanted <= known.keys():
            problems += rule(**{name: known[name] for name in wanted})
    if problems:
        raise SettingsError(problems)
    return Settings.model_construct(**parsed)


def _decode(value: Any) -> Any:
    """A section's value: JSON text under the engine, already decoded from a YAML file in tests."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        return value


def _unknown_keys(given: dict[str, Any], known: list[str]) -> list[Problem]:
    return [_unknown_key(key, known) for key in given if key not in known]


def _unknown_key(path: str, known: list[str]) -> Problem:
    *_, last = path.split(".")
    nearest = get_close_matches(last, known, n=1, cutoff=0.5)
    return Problem(
        path=path,
        found="an unknown key",
        allowed=", ".join(known),
        remedy=f"did you mean {nearest[0]}?" if nearest else "remove it",
    )


def _misplaced_secrets(given: dict[str, Any], secret: set[str], sections: dict[str, Any]) -> list[Problem]:
    plain = [
        Problem(
            path=key,
            found="a secret in plain text",
            allowed="a value stored with --secret",
            remedy=f"pulumi config set --secret {key} < FILE, and treat the plain value as known to others",
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


# --- pydantic's words into ours ----------------------------------------------------------------


def _explain(key: str, model: type[BaseModel], detail: dict[str, Any]) -> Problem:
    path, holder = _walk(key, model, detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path, _keys(holder))
    if kind == "one_of":
        keys = ", ".join(context["keys"])
        return Problem(
            path=path,
            found=f"{context['count']} of {keys}",
            allowed=f"exactly one of {keys}",
            remedy="choose one and remove the others" if context["count"] else "choose one",
        )
    if kind == "missing":
        return Problem(path=path, found="nothing", allowed=_describe(holder, path), remedy=f"set {path}")
    return Problem(
        path=path,
        found=_found(path, detail["input"]),
        allowed=_allowed(kind, context, detail["msg"]),
        remedy=f"correct {path}. {_describe(holder, path)}".strip(),
    )


def _walk(key: str, model: Any, location: tuple[str | int, ...]) -> tuple[str, Any]:
    """The stack file's path of an error, and the model that holds its last key."""
    path, holder = key, model
    for part in location:
        field = _field(model, part)
        variants = {variant.__name__.removesuffix("Scale").lower(): variant for variant in _models(model)}
        if len(variants) > 1 and part in variants:  # the tag of a union, which no stack file holds
            holder = model = variants[part]
            continue
        if part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
        holder, model = model, field.annotation if field else None
    return path, holder


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Every model a type can be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType):
        return [model for part in get_args(annotation) for model in _models(part)]
    if get_origin(annotation) is not None:
        return [model for part in get_args(annotation)[:1] for model in _models(part)]
    return []


def _field(annotation: Any, alias: str | int) -> Any:
    for model in _models(annotation):
        for field in model.model_fields.values():
            if field.alias == alias:
                return field
    return None


def _keys(annotation: Any) -> list[str]:
    return [field.alias for model in _models(annotation) for field in model.model_fields.values()]


def _describe(holder: Any, path: str) -> str:
    alias = re.sub(r"\[\d+\]$", "", path).rsplit(".", 1)[-1]
    for model in _models(holder):
        for name, field in model.model_fields.items():
            if field.alias == alias:
                return meanings(model).get(name, "")
    return ""


_SECRETIVE = re.compile(r"secret|password|token|key|env|kubeconfig", re.IGNORECASE)


def _found(path: str, value: Any) -> str:
    """A value as it may be shown: never one that could be a secret."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    # A text in a section's place, a URL or a long one could be anything.
    if isinstance(value, str) and (
        "." not in path or _SECRETIVE.search(path) or "://" in value or len(value) > 60
    ):
        return f"a text of {len(value)} characters"
    return json.dumps(value)


def _allowed(kind: str, context: dict[str, Any], message: str) -> str:
    if kind == "string_pattern_mismatch":
        return f"text of the form {context['pattern']}"
    return message[0].lower() + message[1:]
