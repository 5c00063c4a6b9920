"""The fixtures of `operations review` are what the engine says of these changes now."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.layout import SIMULATED
from tests.engine.recording import compare
from tests.engine.stack import Stack

STAGING = {
    "cluster": {"context": SIMULATED.name},
    "namespace": {"name": "staging"},
    "images": {name: f"skillflaw.lab/{name}:1" for name in ("backend", "frontend", "docs", "redis")}
    | {"postgres": "skillflaw.lab/postgres:16.1", "registries": ["skillflaw.lab"]},
    "surfaces": {"api": {"host": "api.skillflaw.test"}, "app": {"host": "app.skillflaw.test"}},
    "edge": {"ingress": {"className": "traefik"}},
    "database": {"inCluster": {"size": "1Gi", "className": "local"}},
    "cache": {"inCluster": {"memory": "128Mi"}},
    "storage": {"size": "1Gi", "className": "shared", "accessMode": "ReadWriteMany"},
    "network": {"edge": [{"namespace": "traefik"}]},
    "protection": {"enabled": False},
}
"""The guide's topology without its documentation, and without a stack file, so that no edit of one renews the fixtures."""


def nothing(_: dict[str, Any]) -> None:
    pass


def pull_request(sections: dict[str, Any]) -> None:
    """The pull request of the README: a new backend, public documentation, another access mode."""
    sections["images"]["backend"] = "skillflaw.lab/backend:2"
    sections["surfaces"]["docs"] = {"host": "docs.skillflaw.test"}
    sections["storage"]["accessMode"] = "ReadWriteOnce"
    sections["backend"] = {"scale": {"replicas": 1}}


def environment_variable(sections: dict[str, Any]) -> None:
    sections["backend"] = {"env": {"SKILLFLAW_LOG_LEVEL": "DEBUG"}}


def newer_frontend(sections: dict[str, Any]) -> None:
    sections["images"]["frontend"] = "skillflaw.lab/frontend:2"


def more_cache(sections: dict[str, Any]) -> None:
    sections["cache"]["inCluster"]["memory"] = "256Mi"


def external_cache(sections: dict[str, Any]) -> None:
    sections["cache"] = {"external": {"secretName": "redis", "key": "url"}}
    sections["network"]["egress"] = [{"cidr": "10.20.0.0/16", "ports": [6379]}]


def external_database(sections: dict[str, Any]) -> None:
    sections["database"] = {"external": {"secretName": "database", "key": "url"}}
    sections["network"]["egress"] = [{"cidr": "10.20.0.0/16", "ports": [5432]}]


def newer_postgres(sections: dict[str, Any]) -> None:
    sections["images"]["postgres"] = "skillflaw.lab/postgres:16.2"


def another_namespace(sections: dict[str, Any]) -> None:
    sections["namespace"]["name"] = "elsewhere"


def own_key(sections: dict[str, Any]) -> None:
    sections["secretKey"] = {"existing": {"secretName": "key", "key": "key", "version": "1"}}


def unsafe(sections: dict[str, Any]) -> None:
    sections["storage"]["accessMode"] = "ReadWriteOnce"


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "nothing": nothing,
    "pull-request": pull_request,
    "environment-variable": environment_variable,
    "newer-frontend": newer_frontend,
    "more-cache": more_cache,
    "external-cache": external_cache,
    "external-database": external_database,
    "newer-postgres": newer_postgres,
    "another-namespace": another_namespace,
    "own-key": own_key,
    "unsafe": unsafe,
}


@pytest.fixture(scope="module")
def staging(
    environment: dict[str, str], program: Path, reader: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A running stack, seen by one who may look and not touch."""
    # One file for both, for the engine notes its path.
    kubeconfig = tmp_path_factory.mktemp("staging") / "kubeconfig"
    kubeconfig.write_text(SIMULATED.kubeconfig.read_text())
    with Stack(program, "staging", environment | {"KUBECONFIG": str(kubeconfig)}) as stack:
        stack.sections = STAGING
        stack.up()
        kubeconfig.write_text(reader)
        yield stack
        kubeconfig.write_text(SIMULATED.kubeconfig.read_text())


UNGUARDED = {"pull-request", "external-database", "another-namespace"}
"""Changes that the program itself refuses on a stack that came up, and that only the review is left to see without."""


@pytest.fixture
def seen(staging: Stack, name: str) -> Iterator[Stack]:
    """The running stack, or one that has not exported what holds for ever."""
    state = staging.pulumi("stack", "export", f"--stack={staging.name}").stdout
    if name in UNGUARDED:
        staging.forget("frozen")
    yield staging
    if name in UNGUARDED:
        staging.restore(state)


@pytest.mark.parametrize("name", CHANGES)
def test_the_recorded_preview_is_what_the_engine_says(seen, name, tmp_path):
    changed = copy.copy(seen)
    changed.sections = copy.deepcopy(seen.sections)
    CHANGES[name](changed.sections)
    compare(name, json.loads(changed.pulumi("preview", "--json", check=False).stdout), tmp_path)
