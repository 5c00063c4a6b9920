"""The continuity guard, run as the bootstrap Job runs it."""

import hashlib
import subprocess
import sys

import pytest

from components.key_guard import PATIENCE_SECONDS, REFUSED, SCRIPT
from tests.stack_files import stack_file
from tests.unit.recorder import run

OLD, NEW = "old-key-of-the-data", "new-key-by-accident"
HASTY = SCRIPT.replace(f"time.monotonic() + {PATIENCE_SECONDS}", "time.monotonic() + 2")
"""The script with less patience for a database."""


def fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


@pytest.fixture
def guard(tmp_path):
    def run(action: str, key: str, *accepted: str) -> subprocess.CompletedProcess:
        key_file, kept = tmp_path / "key", tmp_path / ".key-fingerprint"
        key_file.write_text(key)
        return subprocess.run(
            [sys.executable, "-c", HASTY, action, key_file, kept, *accepted],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_first_start_is_accepted(guard):
    assert guard("check", OLD).returncode == 0


def test_the_same_key_is_accepted_with_or_without_a_newline(guard):
    guard("record", OLD)
    assert guard("check", OLD).returncode == 0
    assert guard("check", OLD + "\n").returncode == 0


def test_another_key_is_refused_and_both_fingerprints_are_named(guard):
    guard("record", OLD)
    refused = guard("check", NEW)
    assert refused.returncode == REFUSED
    assert fingerprint(OLD) in refused.stderr
    assert fingerprint(NEW) in refused.stderr
    assert f'secretKey.acceptLoss: "{fingerprint(OLD)}"' in refused.stderr


def test_a_check_changes_nothing(guard):
    guard("record", OLD)
    guard("check", NEW)
    assert guard("check", OLD).returncode == 0


def test_a_loss_that_is_spelled_out_lets_the_new_key_through_for_good(guard):
    guard("record", OLD)
    assert guard("check", NEW, fingerprint(OLD)).returncode == 0
    guard("record", NEW)
    assert guard("check", NEW).returncode == 0
    assert guard("check", OLD).returncode == REFUSED


def test_a_loss_of_some_other_key_lets_nothing_through(guard):
    guard("record", OLD)
    assert guard("check", NEW, fingerprint("third key")).returncode == REFUSED


def test_no_output_holds_the_key(guard):
    guard("record", OLD)
    for done in (guard("check", OLD), guard("check", NEW), guard("record", NEW)):
        assert OLD not in done.stdout + done.stderr
        assert NEW not in done.stdout + done.stderr


@pytest.mark.parametrize("text", ["", "\n", "0123", "0123456789abcdeg", "\0" * 16])
def test_what_is_no_fingerprint_is_as_good_as_none_and_is_written_over(guard, tmp_path, text):
    (tmp_path / ".key-fingerprint").write_text(text)
    assert guard("check", NEW).returncode == 0
    guard("record", NEW)
    assert guard("check", OLD).returncode == REFUSED


@pytest.mark.parametrize("action", ["check", "record", "whole"])
def test_nothing_starts_on_data_that_is_half_restored(guard, tmp_path, action):
    guard("record", OLD)
    (tmp_path / ".restoring").write_text("0123abcd\n")
    refused = guard(action, OLD)
    assert refused.returncode == REFUSED
    assert "0123abcd" in refused.stderr
    assert "operations restore" in refused.stderr
    (tmp_path / ".restoring").unlink()
    assert guard(action, OLD).returncode == 0


def test_a_database_that_cannot_be_asked_is_reported_and_the_volume_decides(guard, monkeypatch):
    monkeypatch.setenv("SKILLFLAW_DATABASE_URL", "postgresql+psycopg://u:s3same@127.0.0.1:1/x")
    guard("record", OLD)
    passed, refused = guard("check", OLD), guard("check", NEW)
    assert (passed.returncode, refused.returncode) == (0, REFUSED)
    assert "not asked" in passed.stdout
    assert "s3same" not in passed.stdout + passed.stderr + refused.stdout + refused.stderr


# --- the schema ---------------------------------------------------------------------------------

CLIENT = """\
import os

class Cursor:
    autocommit = False
    def cursor(self):
        return self
    def execute(self, statement):
        revision = os.environ["REVISION"]
        answers = {"to_reg": revision and "alembic_version", "version_num": revision}
        if not statement.startswith("COMMENT"):
            self.row = (next((it for word, it in answers.items() if word in statement.split("'")[0]), None),)
    def fetchone(self):
        return self.row
    def fetchall(self):
        return [self.row]

class OperationalError(Exception):
    pass

refusals = int(os.environ.get("REFUSALS", 0))

def connect(url, connect_timeout):
    global refusals
    refusals -= 1
    if refusals >= 0:
        raise OperationalError("Connection refused")
    return Cursor()
"""
"""A client of a database whose schema has one revision, or none; it refuses so many connections at first."""


@pytest.fixture
def image(tmp_path, guard, monkeypatch):
    """Runs the guard in an image with migrations to some revisions, on a database of one."""
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "psycopg.py").write_text(CLIENT)
    monkeypatch.setenv("SKILLFLAW_DATABASE_URL", "postgresql://u:p@db/x")

    def runs(action, *migrations, revision, folder="app/alembic/versions"):
        code = tmp_path / f"image-{'-'.join(migrations)}-{folder.replace('/', '-')}"
        (code / folder).mkdir(parents=True, exist_ok=True)
        for migration in migrations:
            (code / folder / f"{migration}_add_a_column.py").write_text("")
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'client'}:{code}")
        monkeypatch.setenv("REVISION", revision)
        return guard(action, OLD)

    return runs


@pytest.mark.parametrize("action", ["check", "schema"])
def test_an_image_without_the_migration_that_made_the_schema_is_refused_with_its_revision(image, action):
    assert image("record", "aaaa00", "bbbb11", revision="bbbb11").returncode == 0
    refused = image(action, "aaaa00", revision="bbbb11")
    assert refused.returncode == REFUSED
    assert "revision bbbb11" in refused.stderr
    assert "restore a backup" in refused.stderr


def test_a_database_that_refuses_at_first_is_asked_again(image, monkeypatch):
    image("record", "aaaa00", "bbbb11", revision="bbbb11")
    monkeypatch.setenv("REFUSALS", "1")
    assert image("schema", "aaaa00", revision="bbbb11").returncode == REFUSED


@pytest.mark.parametrize("action", ["check", "schema"])
@pytest.mark.parametrize(
    ("migrations", "revision"),
    [
        (("aaaa00", "bbbb11"), "bbbb11"),
        (("aaaa00", "bbbb11", "cccc22"), "bbbb11"),
        # A backup of the older image was restored.
        (("aaaa00",), "aaaa00"),
        # Nothing is there yet, on a volume that is not new.
        (("aaaa00",), ""),
    ],
    ids=["the same image", "a newer one", "an older schema", "no schema"],
)
def test_an_image_that_knows_the_schema_starts_on_it(image, action, migrations, revision):
    image("record", "aaaa00", "bbbb11", revision="bbbb11")
    assert image(action, *migrations, revision=revision).returncode == 0


def test_an_image_that_keeps_its_migrations_elsewhere_is_never_too_old(image):
    image("record", "bbbb11", revision="bbbb11", folder="app/migrations")
    assert image("check", "aaaa00", revision="bbbb11").returncode == 0


def test_a_pod_of_the_backend_starts_only_on_whole_data():
    pods = run(stack_file("lab")).pods
    for name in ("backend", "bootstrap"):
        guard = pods[name]["initContainers"][0]
        assert guard["command"][:2] == ["python3", "-c"], name
        assert guard["command"][3] == "whole", name
        assert [mount["readOnly"] for mount in guard["volumeMounts"]] == [True], name
