"""A database that CloudNativePG runs: two instances, and a primary deleted under a writer."""

import json
from collections.abc import Iterator

import pytest

from lab import operator
from lab.layout import REAL
from lab.process import wait_for
from tests.live.operate import operation
from tests.live.operated import NAME, Operated, operated

# The operator takes five minutes to build on two cores.
pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def database(kubectl, tools, both_nodes, tmp_path_factory) -> Iterator[Operated]:
    operator.install(REAL, tools, lambda words: None)
    with operated(kubectl, tools, tmp_path_factory.mktemp("program")) as it:
        yield it


def test_two_instances_are_on_two_nodes_and_one_streams_to_the_other(database):
    database.wait_until_whole()
    assert {database.node_of(f"database-{number}") for number in (1, 2)} == {"node-1", "node-2"}


def test_status_names_the_primary_the_standby_that_streams_and_the_operator(database):
    database.wait_until_whole()
    done = operation(NAME, "status", "--json", program=database.stack.program)
    lines = {row["name"]: (row["verdict"], row["says"]) for row in json.loads(done.stdout)["lines"]}
    standby = next(name for name in ("database-1", "database-2") if name != database.primary)
    for name, words in {
        "Cluster database": "2/2 ready in lab-a, lab-b",
        "standbys": f"primary {database.primary}; {standby} streaming (quorum), ",
        "operator": ", 2 pods on node-1, node-2",
        "database": "run by CloudNativePG: PostgreSQL 15",
        f"volume {standby}": " % full",
        "unfinished": "nothing",
        "drift": "none at a glance",
    }.items():
        verdict, said = lines[name]
        assert words in said, lines
        assert verdict == "well" or name.startswith("volume"), lines


def test_a_second_up_changes_nothing(database):
    assert database.stack.preview() == {}
    assert not database.stack.pulumi("preview", "--refresh", "--expect-no-changes").returncode


def test_every_client_comes_by_tls_and_none_is_a_superuser(database):
    who = (
        "SELECT DISTINCT usename, ssl, rolsuper FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) "
        "JOIN pg_roles ON rolname = usename WHERE client_addr IS NOT NULL AND backend_type = 'client backend'"
    )
    assert database.psql(who).split() == ["skillflaw|t|f"]


def test_a_primary_that_is_deleted_under_a_writer_loses_no_acknowledged_row(database, kubectl):
    before = database.primary
    with database.writer() as writer:
        kubectl("delete", "pod", before, f"--namespace={NAME}", "--wait=false")
        wait_for(lambda: database.primary != before, 60, "a standby that takes over")
        writer.goes_on()
    database.wait_until_whole()
    assert not database.lost(writer)
    assert len(writer.acknowledged) < len(writer.tried), "nothing was interrupted"
