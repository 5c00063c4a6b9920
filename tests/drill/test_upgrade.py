"""From the release before to the one the lab runs, and back by the documented way."""

import contextlib
import json
import ssl
import time
from collections.abc import Iterator

import pytest

from lab import nodes
from lab.images import build
from lab.layout import REAL
from lab.mint import Minted, mint
from lab.process import wait_for
from operations import stack as stacks
from operations.wire import Endpoint, resolved
from tests.edits import edited
from tests.engine.stack import Stack
from tests.live import flows
from tests.live.alone import alone
from tests.live.namespace import staying
from tests.live.operate import backed_up, operation
from tests.live.traffic import Traffic

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]

NAME = "upgraded"
OWN = f"--namespace={NAME}"
HOST = "upgraded.skillflaw.test"
BEFORE = """\
ARG UV_CONFIG_FILE=/mnt/uv.toml SSL_CERT_FILE=/mnt/ca-certificates.crt
USER 0:0
RUN export VIRTUAL_ENV=/opt/skillflaw && uv pip install --no-cache --compile-bytecode --no-deps \\
    langflow-base==0.7.3 lfx==0.2.2 python-jose==3.5.0 ecdsa==0.19.2 rsa==4.9.1 pyasn1==0.6.5 && \\
    uv pip check && rm -rf /tmp/*
USER 10001:10001
"""
"""The lab's backend with the upstream's release before its own: the packages in which their requirements differ."""


@pytest.fixture
def before() -> str:
    """The older image."""

    def report(words: str) -> None:
        pass

    image = build.derived_image("backend_before", "backend", BEFORE, report)
    nodes.add(REAL, image, report)
    return image.reference


@pytest.fixture
def stack(kubectl, both_nodes, before: str, tmp_path_factory) -> Iterator[Stack]:
    """A stack of the older release with two replicas, up."""
    changes = {
        "namespace": {"name": NAME},
        "surfaces": {"api": {"host": HOST}},
        "images.backend": before,
    }
    with alone(kubectl, tmp_path_factory.mktemp("program"), NAME, changes) as stack:
        stack.up()
        yield stack
        stack.pulumi("destroy", "--yes", "--skip-preview")


@pytest.fixture
def visitor(stack: Stack, tmp_path) -> Minted:
    with contextlib.chdir(stack.program):
        return mint(stacks.read(NAME), tmp_path / "visitor")


@pytest.fixture
def api() -> Iterator[Endpoint]:
    with resolved({HOST}, REAL.nodes[0].address):
        yield Endpoint(f"https://{HOST}", ssl.create_default_context(cafile=REAL.pki / "ca.crt"))


def revision(kubectl) -> str:
    return kubectl(
        "exec", "postgresql-0", OWN, "--", "psql", "--username=skillflaw", "--dbname=skillflaw",
        "--tuples-only", "--no-align", "--command=SELECT version_num FROM alembic_version",
    ).strip()  # fmt: skip


def images(kubectl) -> set[str]:
    """Images of the backend's pods."""
    return {pod["spec"]["containers"][0]["image"] for pod in staying(kubectl, NAME, "app=skillflaw-backend")}


def test_an_upgrade_migrates_once_and_fails_no_request_and_its_backup_leads_back(
    stack: Stack, kubectl, before: str, visitor: Minted, api: Endpoint, row
):
    older, newer = revision(kubectl), edited({})["images"]["backend"]
    backup = backed_up(NAME, stack.program)

    asks = {"alive": (0.05, flows.alive), "health": (0.25, flows.health), "run": (1, flows.run(visitor))}
    stack.sections["images"]["backend"] = newer
    with Traffic(api.async_client, asks) as traffic:
        stack.up()
        runs = traffic.count["run"] + 5
        wait_for(lambda: traffic.count["run"] >= runs, 60, "flows after the upgrade")
    row("upgrade with a migration", traffic)
    assert not traffic.failures, traffic.story
    assert revision(kubectl) != older
    assert images(kubectl) == {newer}
    jobs = json.loads(kubectl("get", "jobs", OWN, "--output=json"))["items"]
    assert [
        job["status"].get("succeeded") for job in jobs if job["metadata"]["name"].startswith("bootstrap-")
    ]

    stack.sections["images"]["backend"] = before
    with Traffic(api.async_client, asks) as traffic:
        refused = stack.up(check=False)
    row("back to the image before alone: refused", traffic)
    assert refused.returncode != 0
    assert (
        "this image has no migration that leads to the database's schema" in refused.stdout + refused.stderr
    )
    assert not traffic.failures, traffic.story
    assert images(kubectl) == {newer}
    began = time.monotonic()
    restored = operation(NAME, "restore", f"--backup={backup}", program=stack.program)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert "stays stopped" in restored.stdout
    stack.up()
    away = f"{time.monotonic() - began:.0f} s from the restore's begin to its pods"
    row("back to the release before, by its backup", also=away)
    assert revision(kubectl) == older
    assert images(kubectl) == {before}
    with Traffic(api.async_client, {"run": (1, flows.run(visitor))}) as traffic:
        wait_for(lambda: traffic.count["run"] >= 3, 60, "flows of the older release")
    assert not traffic.failures, traffic.story
