"""The continuity guard, run as the bootstrap Job runs it."""

import hashlib
import subprocess
import sys

import pytest

from components.key_guard import REFUSED, SCRIPT
from tests.stack_files import stack_file
from tests.unit.recorder import run

OLD, NEW = "old-key-of-the-data", "new-key-by-accident"


def fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


@pytest.fixture
def guard(tmp_path):
    def run(action: str, key: str, *accepted: str) -> subprocess.CompletedProcess:
        key_file, kept = tmp_path / "key", tmp_path / ".key-fingerprint"
        key_file.write_text(key)
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, action, key_file, kept, *accepted],
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


def test_a_pod_of_the_backend_starts_only_on_whole_data():
    pods = run(stack_file("lab")).pods
    for name in ("backend", "bootstrap"):
        guard = pods[name]["initContainers"][0]
        assert guard["command"][:2] == ["python3", "-c"], name
        assert guard["command"][3] == "whole", name
        assert [mount["readOnly"] for mount in guard["volumeMounts"]] == [True], name
