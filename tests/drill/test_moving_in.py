"""A database moves from one pod to CloudNativePG by the commands of docs/operating.md, and the old one stays."""

import subprocess

import pytest

from lab import operator
from lab.layout import REAL
from tests.live.alone import alone
from tests.live.operate import operation
from tests.live.operated import SECTIONS

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1200)]

NAME = "moving"
OLD = SECTIONS | {
    "namespace": {"name": NAME},
    "surfaces": {"api": {"host": "moving.skillflaw.test"}},
    "backend.scale.replicas": 1,
    "database": {"inCluster": {"size": "1Gi", "className": "local"}},
    "network.apiServer": None,
    "backup.schedule": "0 3 * * *",
    "protection": {"enabled": True},
}
COUNTS = """
SELECT table_schema || '.' || table_name || ' ' || (xpath('/row/c/text()',
  query_to_xml(format('SELECT count(*) AS c FROM %I.%I', table_schema, table_name), false, true, '')))[1]
FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1
"""


@pytest.fixture
def stack(kubectl, tools, both_nodes, tmp_path):
    operator.install(REAL, tools, lambda words: None)
    sections = {key: value for key, value in OLD.items() if key != "network.apiServer"}
    with alone(kubectl, tmp_path, NAME, sections) as stack:
        yield stack


def test_every_row_moves_the_application_follows_and_the_old_database_stays(stack, kubectl, tools):
    own = f"--namespace={NAME}"
    stack.up()
    old = ("exec", "postgresql-0", own, "--", "sh", "-c")
    psql = 'psql --username=skillflaw --tuples-only --no-align --command="$0" skillflaw'
    # In a schema of its own: the application does not start next to a table that it does not know.
    kubectl(*old, psql, "CREATE SCHEMA drill")
    kubectl(*old, psql, "CREATE TABLE drill.marked AS SELECT generate_series(1, 1000) AS number")

    released = operation(NAME, "release", "database", program=stack.program)
    assert released.returncode == 0, released.stdout + released.stderr
    stack.sections["database"] = SECTIONS["database"]
    stack.sections["network"]["apiServer"] = SECTIONS["network.apiServer"]
    stack.sections["protection"]["migrating"] = ["database"]
    stack.up(
        "--target=**OperatedDatabase$**",
        "--target=**OperatedDatabase::**",
        "--target=**NetworkPolicy::network-database",
    )
    assert "statefulset.apps/postgresql" in stack.objects("statefulsets")
    kubectl("scale", "deployment/skillflaw-backend", own, "--replicas=0")
    kubectl("wait", "pods", own, "--selector=app=skillflaw-backend", "--for=delete", "--timeout=180s")
    primary = kubectl(
        "get", "clusters.postgresql.cnpg.io/database", own, "--output=jsonpath={.status.currentPrimary}"
    )
    command = [str(tools.program("kubectl")), f"--kubeconfig={REAL.kubeconfig}"]
    dump = "pg_dump --username=skillflaw --format=custom --no-owner --no-privileges skillflaw"
    into = ("exec", "--stdin", primary, own, "--container=postgres", "--")
    restore = (
        "pg_restore", "--dbname=skillflaw", "--role=skillflaw", "--no-owner", "--no-privileges", "--exit-on-error",
        "--single-transaction",
    )  # fmt: skip
    with subprocess.Popen([*command, *old, dump], stdout=subprocess.PIPE) as dumping:
        subprocess.run([*command, *into, *restore], stdin=dumping.stdout, check=True)
    assert dumping.returncode == 0

    before = kubectl(*old, psql, COUNTS).split("\n")
    words = ("psql", "--dbname=skillflaw", "--tuples-only", "--no-align", f"--command={COUNTS}")
    assert kubectl(*into, *words).split("\n") == before
    assert "drill.marked 1000" in before
    assert len(before) > 10

    del stack.sections["protection"]["migrating"]
    stack.up()
    kubectl("rollout", "status", "deployment/skillflaw-backend", own, "--timeout=180s")
    assert {"statefulset.apps/postgresql", "persistentvolumeclaim/postgresql-data"} <= stack.objects(
        "statefulsets,persistentvolumeclaims"
    )
    who = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'skillflaw' AND client_addr IS NOT NULL"
    assert kubectl(*into, *words[:-1], f"--command={who}").strip() == "t"
    assert (
        kubectl(
            *into, *words[:-1], "--command=SELECT rolsuper FROM pg_roles WHERE rolname = 'skillflaw'"
        ).strip()
        == "f"
    )
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert kubectl(*into, *words[:-1], f"--command={owners}").strip() == "skillflaw"
