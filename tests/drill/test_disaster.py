"""A namespace is lost with everything in it; the backups in a bucket bring SkillFlaw back in another one."""

import base64
import contextlib
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.layout import REAL
from lab.mint import mint
from lab.process import wait_for
from operations import stack as stacks
from operations.wire import Endpoint, resolved
from tests.engine.stack import Stack
from tests.live import flows, namespace, object_store
from tests.live.alone import alone
from tests.live.operate import backed_up, operation
from tests.live.traffic import Traffic

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1200)]

LOST, RESCUED = "lost", "rescued"
"""Stacks, and their namespaces."""
HOST = "rescued.skillflaw.test"
TO = {
    "objectStore": {
        "endpoint": object_store.ENDPOINT,
        "bucket": object_store.BUCKET,
        "prefix": "copies",
        "secretName": "archive",
    }
}
KEPT = {"secret-key": "skillflaw_secret_key", "backup": "password"}
"""What an operator keeps elsewhere: the key in the Secret of a component."""


def sections(name: str) -> dict[str, Any]:
    """A stack with an API, a database of its own and backups in the bucket."""
    return {
        "namespace": {"name": name, "create": False},
        "surfaces": {"api": {"host": HOST}},
        "backend.scale.replicas": 1,
        "database": {"inCluster": {"size": "1Gi", "className": "local"}},
        "pods": {"trust": {"secretName": "authority", "key": "ca.crt"}},
        "network.egress": [object_store.EGRESS],
        "backup": {"schedule": "0 0 31 2 *", "to": TO},
    }


@contextlib.contextmanager
def made(kubectl, folder: Path, name: str) -> Iterator[Stack]:
    """A stack of that name, not up yet, in a namespace that has what it refers to."""
    with alone(kubectl, folder, name, sections(name)) as stack:
        namespace.make(kubectl, name)
        object_store.credentials(kubectl, name, "archive", "authority")
        yield stack


@pytest.fixture
def lost(kubectl, tmp_path_factory) -> Iterator[Stack]:
    object_store.serve(kubectl)
    with made(kubectl, tmp_path_factory.mktemp("lost"), LOST) as stack:
        yield stack
    kubectl("delete", "namespace", object_store.NAME)


@pytest.fixture
def rescued(lost, kubectl, tmp_path_factory) -> Iterator[Stack]:
    with made(kubectl, tmp_path_factory.mktemp("rescued"), RESCUED) as stack:
        yield stack


def secret(kubectl, part: str) -> bytes:
    """What an operator keeps of the lost namespace."""
    found = json.loads(kubectl("get", "secrets", f"--namespace={LOST}", "--output=json"))["items"]
    (data,) = (it["data"] for it in found if it["metadata"]["name"].startswith(f"{part}-secret-"))
    return base64.b64decode(data[KEPT[part]])


@pytest.fixture
def api() -> Iterator[Endpoint]:
    with resolved({HOST}, REAL.nodes[0].address):
        yield Endpoint(f"https://{HOST}", ssl.create_default_context(cafile=REAL.pki / "ca.crt"))


def test_a_lost_namespace_comes_back_in_another_one_with_its_flows_and_keys(
    kubectl, lost: Stack, rescued: Stack, api: Endpoint, tmp_path, row
):
    lost.up()
    with contextlib.chdir(lost.program):
        visitor = mint(stacks.read(LOST), tmp_path / "visitor")
    backup = backed_up(LOST, lost.program)
    kept = {part: secret(kubectl, part) for part in KEPT}
    kubectl("delete", "namespace", LOST, "--timeout=180s")
    namespace.discard_volumes(kubectl, LOST)

    began = time.monotonic()
    for part, value in kept.items():
        (tmp_path / part).write_bytes(value)
        kubectl(
            "create",
            "secret",
            "generic",
            part,
            f"--namespace={RESCUED}",
            f"--from-file=value={tmp_path / part}",
        )
    rescued.sections["secretKey"] = {"existing": {"secretName": "secret-key", "key": "value", "version": "1"}}
    rescued.sections["backup"]["password"] = {"secretName": "backup", "key": "value"}
    rescued.up()
    restored = operation(RESCUED, "restore", f"--backup={backup}", "--to-empty", program=rescued.program)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    row("namespace lost, restored from the bucket into another", recovered=time.monotonic() - began)
    with Traffic(api.async_client, {"run": (1, flows.run(visitor))}) as traffic:
        wait_for(lambda: traffic.count["run"] >= 5, 60, "flows with the API key of the lost stack")
    assert not traffic.failures, traffic.story

    backed_up(RESCUED, rescued.program)
    refused = operation(RESCUED, "restore", f"--backup={backup}", "--to-empty", program=rescued.program)
    assert refused.returncode != 0
    assert "it is not empty" in refused.stdout + refused.stderr
