"""A database goes back to a moment by the commands of docs/operating.md, and the one that was wrong stays."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import barman_cloud, operator
from lab.errors import LabError
from lab.layout import REAL
from lab.process import wait_for
from tests.drill.test_moving_in import OLD
from tests.live import object_store
from tests.live.alone import alone
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


@pytest.fixture
def database(kubectl, tools, both_nodes, tmp_path):
    operator.install(REAL, tools, lambda words: None)
    barman_cloud.install(REAL, tools, lambda words: None)
    object_store.serve(kubectl)
    sections = SECTIONS | {"protection": OLD["protection"], "backup": {"schedule": "0 3 * * *"}}
    with alone(kubectl, tmp_path, NAME, sections) as stack:
        yield Operated(stack, kubectl, [str(tools.program("kubectl")), f"--kubeconfig={REAL.kubeconfig}"])
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


def restored(database: Operated, recovery: dict[str, Any]) -> float:
    """Goes back by the commands of docs/operating.md; seconds until the application runs on what was restored."""
    stack = database.stack
    released = operation(NAME, "release", "database", program=stack.program)
    assert released.returncode == 0, released.stdout + released.stderr
    stack.sections["database"]["cloudNativePg"]["recovery"] = recovery
    stack.sections["protection"]["migrating"] = ["database.cloudNativePg.recovery.generation"]
    begun = time.monotonic()
    stack.up()
    seconds = time.monotonic() - begun
    database.kubectl("rollout", "status", "deployment/skillflaw-backend", WHERE, "--timeout=180s")
    del stack.sections["protection"]["migrating"]
    assert stack.preview() == {}
    return seconds


CLIENTS = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'skillflaw' AND client_addr IS NOT NULL"
"""Whether the application is connected."""
DROPPED = "SELECT to_regclass('drill.written') IS NULL"


def test_the_last_row_before_a_moment_comes_back_the_next_one_does_not_and_every_older_database_stays(
    database, kubectl, row
):
    stack = database.stack
    stack.up()
    object_store.credentials(kubectl, NAME, "archive", "authority")
    stack.sections["database"]["cloudNativePg"]["objectStore"] = STORE
    stack.sections["pods"] = {"trust": {"secretName": "authority", "key": "ca.crt"}}
    stack.sections["network"]["egress"] = [object_store.EGRESS]
    stack.up()
    wait_for(lambda: archives(database), 300, "a primary and a standby with the plugin")
    backup = kubectl("create", WHERE, "--filename=-", "--output=name", stdin=BASE_BACKUP).strip()
    begun = time.monotonic()
    wait_for(lambda: is_whole(database, backup), 300, "a base backup")
    backed_up = time.monotonic() - begun

    with database.writer() as writer:
        writer.goes_on()
        last = [tried for tried in writer.tried if not tried.failure][-1]
        writer.goes_on()
    moment = datetime.fromtimestamp(last.at, UTC) + PAUSE
    written = database.rows()
    assert writer.acknowledged <= written
    assert max(written) > last.number + 1
    in_archive = archived(database)
    database.psql("DROP TABLE drill.written")

    to_a_moment = {"generation": 2, "targetTime": moment.isoformat().replace("+00:00", "Z")}
    seconds = restored(database, to_a_moment)

    old, new = database, database.other("database-g2")
    rows, before = new.rows(), set(range(1, last.number + 1))
    row("restore to a moment", acknowledged=len(before), lost=len(before - rows),
        also=f"base backup {backed_up:.0f} s; log archived after {in_archive:.1f} s; {seconds:.0f} s until the "
        f"application runs on it; {len(written - rows)} rows written after the moment are not there")  # fmt: skip
    assert rows == before
    assert old.status("phase") == "Cluster in healthy state"
    assert old.psql(DROPPED).strip() == "t"
    assert new.psql(CLIENTS).strip() == "t"
    wait_for(lambda: old.psql(CLIENTS).strip() == "f", 120, "pods without a connection to the old database")
    said = operation(NAME, "status", program=stack.program).stdout
    assert "newest point in time" in said, said

    # All that the first one has, which is without the table.
    archived(old)
    seconds = restored(database, {"generation": 3, "source": 1})
    again = database.other("database-g3")
    row("restore of the first database once more", also=f"{seconds:.0f} s until the application runs on it")
    assert again.psql(DROPPED).strip() == "t"
    assert int(again.psql("SELECT count(*) FROM alembic_version")) == 1
    assert again.psql(CLIENTS).strip() == "t"
    assert new.rows() == before
