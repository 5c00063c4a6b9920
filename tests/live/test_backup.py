"""A backup is taken, everything is lost, everything is put back."""

import contextlib
import json

import pytest

from lab.mint import Minted
from operations.validate import api
from operations.validate.check import CheckError
from operations.wire import Endpoint
from tests.live.namespace import NAMESPACE, pods
from tests.live.operate import backed_up, operation

IN_BACKEND = ("exec", "deployment/skillflaw-backend", NAMESPACE, "--container=backend", "--", "sh", "-c")


@pytest.fixture(scope="module")
def backup() -> str:
    """A backup of the stack."""
    return backed_up("lab")


def listed() -> list[str]:
    done = operation("lab", "backup", "--list")
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split()[0] for line in done.stdout.splitlines() if line.strip()]


def psql(kubectl, statement: str) -> str:
    return kubectl(
        "exec", "postgresql-0", NAMESPACE, "--", "psql", "--username=skillflaw", "--dbname=skillflaw",
        "--tuples-only", "--no-align", f"--command={statement}",
    ).strip()  # fmt: skip


def test_what_was_lost_after_a_backup_is_back_after_a_restore(
    at_risk, kubectl, hosts: dict[str, Endpoint], minted: Minted
):
    key = minted.api_key_file.read_text()
    kubectl(*IN_BACKEND, "mkdir -p /var/lib/skillflaw/kept && echo file > /var/lib/skillflaw/kept/note")
    newest = backed_up("lab")
    assert listed()[-1] == newest

    psql(kubectl, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    kubectl(*IN_BACKEND, "rm -r /var/lib/skillflaw/kept")
    with pytest.raises(CheckError):
        api.knows_key(hosts["app"], key)

    restored = operation("lab", "restore", f"--backup={newest}")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert f"restored {newest}" in restored.stdout
    api.knows_key(hosts["app"], key)
    api.runs_flow(hosts["api"], key, minted.flow)
    assert kubectl(*IN_BACKEND, "cat /var/lib/skillflaw/kept/note") == "file\n"
    cron = json.loads(kubectl("get", "cronjob", "skillflaw-backup", NAMESPACE, "--output=json"))
    assert not cron["spec"]["suspend"]
    assert "skillflaw.com/restoring" not in cron["metadata"].get("annotations", {})


@pytest.mark.drill
def test_only_the_last_backups_stay(kubectl, backup):
    # The stack keeps two.
    more = [backed_up("lab"), backed_up("lab")]
    assert listed() == more


@pytest.mark.parametrize("chosen", ["0123abcd", "latest"])
def test_a_backup_that_cannot_be_restored_is_refused_before_anything_stops(
    chosen, kubectl, backup, hosts, minted
):
    before = pods(kubectl, "backend").keys()
    with contextlib.ExitStack() as stack:
        if chosen == "latest":
            at = "/var/lib/skillflaw/.key-fingerprint"
            kept = kubectl(*IN_BACKEND, f"cat {at}").strip()
            stack.callback(kubectl, *IN_BACKEND, f"printf {kept} > {at}")
            kubectl(*IN_BACKEND, f"printf 0123456789abcdef > {at}")
        refused = operation("lab", "restore", f"--backup={chosen}")
    assert refused.returncode == 2
    reason = "no backup 0123abcd" if chosen != "latest" else "this stack has key 0123456789abcdef"
    assert reason in refused.stderr
    assert pods(kubectl, "backend").keys() == before
    api.runs_flow(hosts["api"], minted.api_key_file.read_text(), minted.flow)


@pytest.mark.drill
def test_a_pod_does_not_start_on_data_that_is_half_restored(at_risk, kubectl, backup, hosts, minted):
    kubectl(*IN_BACKEND, f"echo {backup} > /var/lib/skillflaw/.restoring")
    started = "wait", "pod", "--selector=app=skillflaw-backend", NAMESPACE
    kubectl("delete", "pod", "--selector=app=skillflaw-backend", NAMESPACE, "--wait")
    refused = "--for=jsonpath={.status.initContainerStatuses[0].lastState.terminated.exitCode}=78"
    kubectl(*started, refused, "--timeout=90s")
    restored = operation("lab", "restore", "--backup=latest")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    api.runs_flow(hosts["api"], minted.api_key_file.read_text(), minted.flow)
