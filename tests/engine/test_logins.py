"""Rotations of passwords under protection, as the real engine makes them: nothing that holds data is touched."""

import base64
import json

from tests.engine.stack import Stack
from tests.stack_files import stack_file

LAB = stack_file("lab")


def rotate(stack: Stack, version: str | None) -> None:
    word = {"passwordVersion": version} if version else {}
    stack.sections |= {
        "database": {"inCluster": LAB["database"]["inCluster"] | word},
        "cache": {"inCluster": LAB["cache"]["inCluster"] | word},
        "superuser": word,
    }
    stack.up()


def secrets(stack: Stack) -> dict[str, dict[str, str]]:
    """What the namespace's Secrets hold, by name."""
    listed = json.loads(stack.kubectl("get", "secrets", f"--namespace={stack.name}", "--output=json"))[
        "items"
    ]
    return {
        it["metadata"]["name"]: {
            key: base64.b64decode(value).decode() for key, value in (it.get("data") or {}).items()
        }
        for it in listed
    }


def identities(stack: Stack) -> set[str]:
    """What serves, and what it keeps data on."""
    kinds = "persistentvolumeclaims,statefulsets,deployments"
    listed = json.loads(stack.kubectl("get", kinds, f"--namespace={stack.name}", "--output=json"))["items"]
    return {f"{it['metadata']['name']} {it['metadata']['uid']}" for it in listed}


def test_rotations_end_with_a_stack_that_changes_nothing_more_and_one_secret_that_is_true(small: Stack):
    small.sections |= {
        "protection": {"enabled": True},
        "backend": {"scale": {"replicas": 1}},
        "backup": {"schedule": "0 3 * * *", "to": {"claim": {"size": "1Gi", "className": "local"}}},
    }
    rotate(small, None)
    there, held = identities(small), secrets(small)
    former: set[str] = set()
    # A word that is left out again is another one.
    for version in ("one", "two", None):
        rotate(small, version)
        assert small.preview() == {}
        assert identities(small) == there
        now = secrets(small)
        for server in ("postgresql", "redis"):
            login = now[f"{server}-login"]
            [read] = [
                it for name, it in now.items()
                if "url" in it and login["user"] in it["url"] and f"@{server}:" in it["url"]
            ]  # fmt: skip
            assert login["password"] == read["password"]
            assert not any(password in json.dumps(now) for password in former)
        former = {now[f"{server}-login"]["password"] for server in ("postgresql", "redis")}
    # What the servers were made with stays for as long as they do; the superuser's first Secret does not.
    assert {name for name in held if name not in now} == {
        name for name in held if name.startswith("superuser-secret-")
    }
