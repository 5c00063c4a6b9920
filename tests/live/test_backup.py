"""A backup is taken, everything is lost, everything is put back."""

import json
import subprocess
from pathlib import Path

import pytest

from lab.mint import Minted
from operations.validate import api
from operations.validate.check import CheckError
from operations.wire import Endpoint
from tests.live.namespace import NAMESPACE, pods
from tests.live.operate import operation


@pytest.fixture(scope="module")
def folder(kubectl) -> Path:
    """Folder of the backups on the disk of this machine, which is every node's. There is one."""
    first = operation("lab", "backup")
    assert first.returncode == 0, first.stdout + first.stderr
    volume = kubectl(
        "get", "persistentvolumeclaim", "skillflaw-backups", NAMESPACE, "--output=jsonpath={.spec.volumeName}"
    )
    spec = json.loads(kubectl("get", "persistentvolume", volume, "--output=json"))["spec"]
    return Path((spec.get("local") or spec.get("hostPath"))["path"])


def finished(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))


def psql(kubectl, statement: str) -> str:
    return kubectl(
        "exec", "postgresql-0", NAMESPACE, "--", "psql", "--username=skillflaw", "--dbname=skillflaw",
        "--tuples-only", "--no-align", f"--command={statement}",
    )  # fmt: skip


def test_what_was_lost_after_a_backup_is_back_after_a_restore(
    at_risk, kubectl, folder, hosts: dict[str, Endpoint], minted: Minted
):
    key = minted.api_key_file.read_text()
    in_backend = ("exec", "deployment/skillflaw-backend", NAMESPACE, "--container=backend", "--", "sh", "-c")
    kubectl(*in_backend, "mkdir -p /var/lib/skillflaw/kept && echo file > /var/lib/skillflaw/kept/note")

    taken = operation("lab", "backup")
    assert taken.returncode == 0, taken.stdout + taken.stderr
    newest = finished(folder)[-1]
    assert newest in taken.stdout
    assert {file.name for file in (folder / newest).iterdir()} == {
        "database.dump", "files.tar.gz", "key-fingerprint", "images", "rows", "checksums",
    }  # fmt: skip
    listed = subprocess.run(
        ["tar", "-tzf", folder / newest / "files.tar.gz"], capture_output=True, text=True, check=True
    )
    assert "./kept/note" in listed.stdout.split()
    assert "./secret_key" not in listed.stdout.split()

    psql(kubectl, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    kubectl(*in_backend, "rm -r /var/lib/skillflaw/kept")
    with pytest.raises(CheckError):
        api.knows_key(hosts["app"], key)

    restored = operation("lab", "restore", f"--backup={newest}")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert f"restored {newest}" in restored.stdout
    api.knows_key(hosts["app"], key)
    api.runs_flow(hosts["api"], key, minted.flow)
    assert kubectl(*in_backend, "cat /var/lib/skillflaw/kept/note") == "file\n"


def test_a_backup_killed_midway_is_no_backup_and_the_next_one_clears_it_away(kubectl, folder):
    before = finished(folder)
    left = folder / ".20260101T000000Z"
    left.mkdir()
    assert operation("lab", "backup").returncode == 0
    assert not left.exists()
    # The stack keeps two.
    assert len(finished(folder)) == 2
    assert finished(folder)[0] == before[-1]


def checksums(folder: Path) -> bytes:
    files = sorted(file.name for file in folder.iterdir() if file.name != "checksums")
    return subprocess.run(["sha256sum", *files], cwd=folder, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("file", "content", "hidden", "reason"),
    [
        ("database.dump", b"not a dump", False, "is not what was written"),
        ("rows", b"alembic_version|2\n", True, "does not restore"),
        (
            "key-fingerprint",
            b"0123456789abcdef",
            True,
            "was made with key 0123456789abcdef, this stack has key",
        ),
    ],
)
def test_a_backup_that_does_not_fit_is_refused_before_anything_stops(
    file, content, hidden, reason, folder, kubectl, hosts, minted
):
    newest = folder / finished(folder)[-1]
    whole = {name: (newest / name).read_bytes() for name in (file, "checksums")}
    before = pods(kubectl, "backend").keys()
    (newest / file).write_bytes(content)
    if hidden:
        (newest / "checksums").write_bytes(checksums(newest))
    try:
        refused = operation("lab", "restore", "--backup=latest")
    finally:
        for name, kept in whole.items():
            (newest / name).write_bytes(kept)
    assert refused.returncode == 2
    assert reason in refused.stderr
    assert pods(kubectl, "backend").keys() == before
    api.runs_flow(hosts["api"], minted.api_key_file.read_text(), minted.flow)
