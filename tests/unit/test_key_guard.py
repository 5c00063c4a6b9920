"""The continuity guard, run as the bootstrap Job runs it."""

import hashlib
import subprocess
import sys

import pytest

from components.key_guard import REFUSED, SCRIPT

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
