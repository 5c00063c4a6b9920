"""What a database that CloudNativePG runs survives, under a writer that counts and an application that is asked."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab import nodes, operator, process
from lab.errors import LabError
from lab.images import build, folders
from lab.layout import REAL
from lab.process import wait_for
from tests.drill.nodes import back_afterwards, ready_away_from, share
from tests.live import flows
from tests.live.namespace import NAMESPACE, pods
from tests.live.operated import NAME, Operated, api, operated
from tests.live.traffic import Traffic

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1200)]

NO_NODE, A_NODE = 10, 80
"""Seconds without writes that are borne, where no node died and where one did."""
OTHER_IMAGE = f"{folders.REPOSITORY}/postgres:000000000015"
"""The same image under another name."""


@pytest.fixture(scope="module")
def database(kubectl, tools, both_nodes, tmp_path_factory) -> Iterator[Operated]:
    operator.install(REAL, tools, lambda words: None)
    with aside(kubectl), operated(kubectl, tools, tmp_path_factory.mktemp("program")) as it:
        yield it


@contextmanager
def aside(kubectl) -> Iterator[None]:
    """For a block without the lab's own backends: a second application would start on the cores of the one looked at."""
    replicas = len(pods(kubectl, "backend"))
    kubectl("scale", "deployment/skillflaw-backend", NAMESPACE, "--replicas=0")
    try:
        yield
    finally:
        kubectl("scale", "deployment/skillflaw-backend", NAMESPACE, f"--replicas={replicas}")
        kubectl("rollout", "status", "deployment/skillflaw-backend", NAMESPACE, "--timeout=300s")


def delete(database: Operated) -> None:
    before = database.primary
    database.kubectl("delete", "pod", before, f"--namespace={NAME}", "--wait=false")
    # It takes rows for a second more, which are no sign of a failover.
    wait_for(lambda: database.primary != before, 120, "another primary")


def kill_postmaster(database: Operated) -> None:
    words = "kill -KILL $(head -1 $PGDATA/postmaster.pid)"
    database.kubectl(
        "exec", database.primary, f"--namespace={NAME}", "--container=postgres", "--", "sh", "-c", words
    )


def switch_over(database: Operated) -> None:
    standby = database.standby
    words = f'{{"status": {{"targetPrimary": "{standby}", "phase": "Switchover in progress"}}}}'
    database.kubectl(
        "patch", "clusters.postgresql.cnpg.io/database", f"--namespace={NAME}",
        "--subresource=status", "--type=merge", f"--patch={words}",
    )  # fmt: skip
    wait_for(lambda: database.primary == standby, 120, "the standby as primary")


def change_parameter(database: Operated) -> None:
    database.stack.sections["database"]["cloudNativePg"]["parameters"] = {"max_connections": "150"}
    database.stack.up()
    wait_for(lambda: shown(database, "max_connections") == "150", 240, "instances with the parameter")


def shown(database: Operated, parameter: str) -> str | None:
    """A parameter of the primary; None while that does not answer."""
    try:
        return database.psql(f"SHOW {parameter}").strip()
    except LabError:
        return None


def change_image(database: Operated) -> None:
    own = build.build("postgres", lambda words: None).reference
    for each in REAL.nodes:
        inside = ["nsenter", f"--target={process.find(REAL, each.name)}", "--mount"]
        ctr = ["ctr", "--address=/run/containerd/containerd.sock", "--namespace=k8s.io"]
        subprocess.run([*inside, *ctr, "images", "tag", "--force", own, OTHER_IMAGE], check=True)
    database.stack.sections["images"]["postgres"] = OTHER_IMAGE
    database.stack.up()
    wait_for(lambda: images(database) == {OTHER_IMAGE}, 300, "instances of the image")


def images(database: Operated) -> set[str]:
    path = '--output=jsonpath={.items[*].spec.containers[?(@.name=="postgres")].image}'
    return set(
        database.kubectl(
            "get", "pods", f"--namespace={NAME}", "--selector=cnpg.io/podRole=instance", path
        ).split()
    )


def drain(database: Operated) -> None:
    node = database.node_of(database.primary)
    database.kubectl(
        "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=300s"
    )


WITHOUT_A_DEAD_NODE: dict[str, Callable[[Operated], None]] = {
    "primary deleted": delete,
    "postmaster killed": kill_postmaster,
    "switchover": switch_over,
    "parameter that needs a restart": change_parameter,
    "another image": change_image,
    "drain of its node": drain,
}


@pytest.mark.parametrize("event", WITHOUT_A_DEAD_NODE)
def test_writes_are_back_within_seconds_and_no_acknowledged_row_is_lost(database, kubectl, row, event):
    database.wait_until_whole()
    node = database.node_of(database.primary)
    (other,) = (each for each in REAL.nodes if each.name != node)
    try:
        with api(other.address) as at, Traffic(at.async_client, {"health": (0.25, flows.health)}) as asked:
            with database.writer() as writer:
                begun = asked.since_start()
                WITHOUT_A_DEAD_NODE[event](database)
                writer.goes_on(120)
            wait_until_answered(asked)
        lost = database.lost(writer)
    finally:
        kubectl("uncordon", node)
    row(f"CloudNativePG: {event}", asked, recovered=asked.last_failure(begun),
        acknowledged=len(writer.acknowledged), lost=len(lost),
        also=f"writes away for {writer.outage:.1f} s")  # fmt: skip
    assert not lost
    assert writer.outage <= NO_NODE


def wait_until_answered(asked: Traffic, seconds: float = 120) -> None:
    """Returns after twenty answers in a row."""
    wait_for(
        lambda: len(asked.asked) > 20 and not any(it.failure for it in asked.asked[-20:]),
        seconds,
        "an application that answers",
    )


@pytest.mark.parametrize("instance", ["standby", "primary"])
def test_a_node_that_dies_takes_no_acknowledged_row_along(database, kubectl, tools, row, instance):
    # Nothing has moved back since the drain.
    where = f"--namespace={NAME}"
    kubectl("rollout", "restart", "deployment/skillflaw-backend", where)
    kubectl("rollout", "status", "deployment/skillflaw-backend", where, "--timeout=300s")
    database.wait_until_whole()
    of_primary = database.node_of(database.primary)
    node = next(each for each in REAL.nodes if (each.name == of_primary) == (instance == "primary"))
    (other,) = (each for each in REAL.nodes if each != node)
    with (
        back_afterwards(kubectl, tools, node),
        api(other.address) as at,
        Traffic(at.async_client, {"alive": (0.1, flows.alive), "health": (0.25, flows.health)}) as asked,
        database.writer(away_from=node.name) as writer,
    ):
        begun, killed = asked.since_start(), time.monotonic()
        nodes.kill(REAL, node)
        wait_for(
            lambda: ready_away_from(kubectl, node.name, NAME, "app=skillflaw-backend") >= 2,
            150,
            "as many backends as before, elsewhere",
        )
        replaced = time.monotonic() - killed
        writer.goes_on(120)
        wait_until_answered(asked)
    alive = [it for it in asked.asked if it.kind == "alive" and begun <= it.begun <= begun + 60]
    failed = sum(bool(it.failure) for it in alive)
    later = [it for it in asked.failures if it.begun > begun + A_NODE]
    database.wait_until_whole(300)
    lost = database.lost(writer)
    row(
        f"CloudNativePG: node of the {instance} killed",
        asked,
        recovered=asked.last_failure(begun),
        acknowledged=len(writer.acknowledged),
        lost=len(lost),
        also=f"writes away for {writer.outage:.1f} s; {failed} of {len(alive)} requests without state failed in "
        f"the first 60 s; replacements Ready after {replaced:.0f} s",
    )
    assert not lost
    assert writer.outage <= A_NODE
    assert replaced <= 100
    assert not later, asked.story
    assert failed <= share(len(alive)), asked.story
