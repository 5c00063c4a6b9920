"""The backend's own variables: they weaken nothing that another section decides."""

from collections.abc import Iterator

from settings.environment import env_problems, prefix_problems, secret_env_problems
from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import Backend, Protection


@rule
def env_weakens_nothing(backend: Backend, protection: Protection) -> Iterator[Problem]:
    yield from env_problems(backend.env, protected=protection.enabled)


@rule
def secrets_exchange_no_settings(backend: Backend, protection: Protection) -> Iterator[Problem]:
    yield from secret_env_problems(backend.secret_env, backend.env, protected=protection.enabled)
    for number, row in enumerate(backend.secret_env_from):
        yield from prefix_problems(f"backend.secretEnvFrom[{number}].prefix", row.prefix)
