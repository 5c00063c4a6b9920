"""A database goes back to a moment by the commands of docs/operating.md, and the one that was wrong stays."""

import base64
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components import names
from lab import barman_cloud, operator
from lab.errors import LabError
from lab.layout import REAL
from lab.process import wait_for
from tests.drill.test_moving_in import OLD
from tests.engine.stack import Stack
from tests.live import object_store
from tests.live.alone import alone
from tests.live.namespace import discard_volumes, make, staying
from tests.live.operate import operation
from tests.live.operated import INSTANCE, NAME, SECTIONS, Operated

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]

WHERE = f"--namespace={NAME}"
STORE = {
    "endpoint": object_store.ENDPOINT,
    "bucket": object_store.BUCKET,
    "secretName": "archive",
    "prefix": NAME,
}
PAUSE = timedelta(milliseconds=20)
"""Less than the writer waits between two rows."""


@pytest.fixture(scope="module")
def database(kubectl, tools, both_nodes, tmp_path_factory) -> Iterator[Operated]:
    """The first Cluster of a stack, which archives and has a base backup."""
    operator.install(REAL, tools, lambda words: None)
    barman_cloud.install(REAL, tools, lambda words: None)
    object_store.serve(kubectl)
    sections = SECTIONS | {"protection": OLD["protection"], "backup": {"schedule": "0 3 * * *"}}
    with alone(kubectl, tmp_path_factory.mktemp("program"), NAME, sections) as stack:
        stack.up()
        first = Operated(stack, kubectl, [str(tools.program("kubectl")), f"--kubeconfig={REAL.kubeconfig}"])
        object_store.credentials(kubectl, NAME, "archive", "authority")
        stack.sections["database"]["cloudNativePg"]["objectStore"] = STORE
        stack.sections["pods"] = {"trust": {"secretName": "authority", "key": "ca.crt"}}
        stack.sections["network"]["egress"] = [object_store.EGRESS]
        stack.up()
        wait_for(lambda: archives(first), 300, "a primary and a standby with the plugin")
        backup = kubectl("create", WHERE, "--filename=-", "--output=name", stdin=BASE_BACKUP).strip()
        wait_for(lambda: is_whole(first, backup), 300, "a base backup")
        yield first
    kubectl("delete", "namespace", object_store.NAME)


BASE_BACKUP = """
apiVersion: postgresql.cnpg.io/v1
kind: Backup
metadata: {generateName: database-}
spec: {cluster: {name: database}, method: plugin, pluginConfiguration: {name: barman-cloud.cloudnative-pg.io}}
"""


def archives(database: Operated) -> bool:
    """Whether every instance has the plugin."""
    listed = json.loads(database.kubectl("get", "pods", WHERE, f"--selector={INSTANCE}", "--output=json"))
    return all(
        any(row["name"] == "plugin-barman-cloud" for row in pod["spec"]["initContainers"])
        for pod in listed["items"]
    ) and streams(database)


def is_whole(database: Operated, backup: str) -> bool:
    """Whether a base backup is whole."""
    return database.kubectl("get", backup, WHERE, "--output=jsonpath={.status.phase}") == "completed"


def streams(database: Operated) -> bool:
    try:
        return database.whole()
    except LabError:  # an instance that is on its way answers nothing yet
        return False


def archived(database: Operated) -> float:
    """Sends the log up to now to the bucket; how long that took, in seconds."""
    segment = database.psql("SELECT pg_walfile_name(pg_switch_wal())").strip()
    arrived = "SELECT last_archived_wal >= '{}' FROM pg_stat_archiver"
    begun = time.monotonic()
    wait_for(lambda: database.psql(arrived.format(segment)).strip() == "t", 120, "the log in the archive")
    return time.monotonic() - begun


def generation(database: Operated) -> int:
    """That of the Cluster that the application uses."""
    return database.stack.sections["database"]["cloudNativePg"].get("recovery", {}).get("generation", 1)


def current(database: Operated) -> Operated:
    """The stack by the Cluster that the application uses."""
    return database.other(names.cluster(generation(database)))


def release(database: Operated) -> None:
    released = operation(NAME, "release", "database", program=database.stack.program)
    assert released.returncode == 0, released.stdout + released.stderr


def restored(database: Operated, recovery: dict[str, Any]) -> float:
    """Goes back after a `release`; seconds until the application runs on what was restored."""
    stack = database.stack
    stack.sections["database"]["cloudNativePg"]["recovery"] = recovery
    stack.sections["protection"]["migrating"] = ["database.cloudNativePg.recovery.generation"]
    begun = time.monotonic()
    stack.up()
    database.kubectl("rollout", "status", "deployment/skillflaw-backend", WHERE, "--timeout=180s")
    seconds = time.monotonic() - begun
    del stack.sections["protection"]["migrating"]
    assert stack.preview() == {}
    return seconds


def moments(database: Operated) -> datetime:
    """A moment after the commit of one row and before that of the next; the log of both is in the archive."""
    database.psql("CREATE SCHEMA IF NOT EXISTS drill")
    database.psql("DROP TABLE IF EXISTS drill.moments; CREATE TABLE drill.moments (number int)")
    database.psql("INSERT INTO drill.moments VALUES (1)")
    between = datetime.fromisoformat(database.psql("SELECT clock_timestamp() AT TIME ZONE 'UTC'").strip())
    database.psql("INSERT INTO drill.moments VALUES (2)")
    archived(database)
    return between.replace(tzinfo=UTC)


def written(moment: datetime) -> str:
    """In RFC 3339, as `targetTime` takes it."""
    return moment.isoformat().replace("+00:00", "Z")


CLIENTS = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'skillflaw' AND client_addr IS NOT NULL"
"""Whether the application is connected."""
DROPPED = "SELECT to_regclass('drill.written') IS NULL"


def test_the_last_row_before_a_moment_comes_back_the_next_one_does_not_and_every_older_database_stays(
    database, kubectl, row
):
    stack = database.stack
    with database.writer() as writer:
        writer.goes_on()
        last = [tried for tried in writer.tried if not tried.failure][-1]
        writer.goes_on()
    moment = datetime.fromtimestamp(last.at, UTC) + PAUSE
    found = database.rows()
    assert writer.acknowledged <= found
    assert max(found) > last.number + 1
    in_archive = archived(database)
    database.psql("DROP TABLE drill.written")

    release(database)
    seconds = restored(database, {"generation": 2, "targetTime": written(moment)})

    old, new = database, database.other("database-g2")
    rows, before = new.rows(), set(range(1, last.number + 1))
    row("restore to a moment", acknowledged=len(before), lost=len(before - rows),
        also=f"log archived after {in_archive:.1f} s; {seconds:.0f} s until the application runs on it; "
        f"{len(found - rows)} rows written after the moment are not there")  # fmt: skip
    assert rows == before
    assert old.status("phase") == "Cluster in healthy state"
    assert old.psql(DROPPED).strip() == "t"
    assert new.psql(CLIENTS).strip() == "t"
    wait_for(lambda: old.psql(CLIENTS).strip() == "f", 120, "pods without a connection to the old database")
    said = operation(NAME, "status", program=stack.program).stdout
    assert "newest point in time" in said, said

    # All that the first one has, which is without the table.
    archived(old)
    release(database)
    seconds = restored(database, {"generation": 3, "source": 1})
    again = current(database)
    row("restore of the first database once more", also=f"{seconds:.0f} s until the application runs on it")
    assert again.psql(DROPPED).strip() == "t"
    assert int(again.psql("SELECT count(*) FROM alembic_version")) == 1
    assert again.psql(CLIENTS).strip() == "t"
    assert new.rows() == before
    # Nobody's any more, and as well as before: a standby is made again.
    kubectl("delete", "pod", new.standby, WHERE)
    new.wait_until_whole()


@contextmanager
def interrupted(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """An `up` that is under way for the block, and stopped after it."""
    with stack.begin_up() as engine:
        yield engine
        engine.send_signal(signal.SIGINT)
        assert engine.wait(120) != 0


def test_a_moment_that_the_archive_does_not_reach_leaves_the_application_alone_and_an_earlier_one_is_next(
    database, kubectl, row
):
    stack, before = database.stack, current(database)
    number = generation(database) + 1
    moment = moments(before)
    # Later than every commit whose log is in the archive, and past: one that is to come is refused.
    late = {"generation": number, "targetTime": written(datetime.now(UTC))}
    release(database)
    stack.sections["database"]["cloudNativePg"]["recovery"] = late
    stack.sections["protection"]["migrating"] = ["database.cloudNativePg.recovery.generation"]
    pods = {pod["metadata"]["name"] for pod in staying(kubectl, NAME, "app=skillflaw-backend")}
    failed = f"--selector=batch.kubernetes.io/job-name=database-g{number}-1-full-recovery"
    begun = time.monotonic()
    phases = ("get", "pods", WHERE, failed, "--output=jsonpath={.items[*].status.phase}")
    with interrupted(stack) as engine:
        wait_for(
            lambda: "Failed" in kubectl(*phases),
            600,
            "a recovery that fails",
            alive=lambda: engine.poll() is None,
        )
    noticed = time.monotonic() - begun
    assert {pod["metadata"]["name"] for pod in staying(kubectl, NAME, "app=skillflaw-backend")} == pods
    assert before.psql(CLIENTS).strip() == "t"

    recovered = operation(NAME, "recover", program=stack.program)
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    kubectl("delete", f"clusters.postgresql.cnpg.io/database-g{number}", WHERE)
    stack.pulumi("refresh", "--yes", "--skip-preview")
    seconds = restored(database, {"generation": number, "targetTime": written(moment)})
    row("restore to a moment that is not in the archive, then to one that is",
        also=f"failed after {noticed:.0f} s, no pod touched; {seconds:.0f} s until it runs on the other")  # fmt: skip
    assert current(database).psql("SELECT number FROM drill.moments").split() == ["1"]
    assert before.psql("SELECT count(*) FROM drill.moments").strip() == "2"


def test_a_stack_that_is_gone_with_its_cluster_comes_back_from_its_archive_and_key(
    database, kubectl, tmp_path, row
):
    stack, number = database.stack, generation(database)
    moments(current(database))
    key = json.loads(kubectl("get", "secrets", WHERE, "--output=json"))["items"]
    (kept,) = (it["data"] for it in key if it["metadata"]["name"].startswith("secret-key-secret-"))
    (tmp_path / "key").write_bytes(base64.b64decode(kept["skillflaw_secret_key"]))
    kubectl("delete", "namespace", NAME, "--timeout=180s")
    discard_volumes(kubectl, NAME)
    stack.pulumi("stack", "rm", NAME, "--yes", "--force")

    begun = time.monotonic()
    stack.pulumi("stack", "init", NAME, "--no-select", "--secrets-provider=passphrase")
    make(kubectl, NAME)
    object_store.credentials(kubectl, NAME, "archive", "authority")
    kubectl("create", "secret", "generic", "key", WHERE, f"--from-file=value={tmp_path / 'key'}")
    stack.sections["namespace"]["create"] = False
    stack.sections["secretKey"] = {"existing": {"secretName": "key", "key": "value", "version": "1"}}
    stack.sections["database"]["cloudNativePg"]["recovery"] = {"generation": number + 1}
    stack.up()
    row("everything lost, restored from the archive", recovered=time.monotonic() - begun)
    back = current(database)
    assert back.psql("SELECT count(*) FROM drill.moments").strip() == "2"
    assert back.psql(CLIENTS).strip() == "t"
    assert stack.preview() == {}
