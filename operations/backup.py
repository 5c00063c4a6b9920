"""Taking a backup now, and putting one back."""

import json
import time
from collections.abc import Callable
from typing import Any

from operations.kubectl import Kubectl
from operations.program import ProgramError

BACKEND = "skillflaw-backend"
BEFORE = "skillflaw.com/replicas-before-restore"
LONGEST_SECONDS = 6 * 3600
Say = Callable[[str], None]


def take(kubectl: Kubectl, cron_job: str) -> str:
    """Runs the stack's backup now. Returns the last line of its log, which names the backup.

    Raises:
        ProgramError: it failed; the message is the end of its log.
    """
    return _run(kubectl, _job(kubectl, cron_job, "take"))


def restore(kubectl: Kubectl, cron_job: str, backup: str, say: Say) -> str:
    """Stops the backend, replaces database and files by a backup's, and starts the backend as it was.

    `backup` is its id, or `latest`. It is checked and restored in its trial server first, while the backend runs.

    Raises:
        ProgramError: nothing was changed (the message says REFUSED), or not all was restored; then the backend stays
            stopped until a restore ends well.
    """
    say(f"checking {backup}")
    known = _run(kubectl, _job(kubectl, cron_job, "check", backup))
    replicas = _replicas(kubectl)
    say(f"stopping {BACKEND}: {replicas} pods")
    # Remembered on the object: a restore that failed is tried again when nothing runs any more.
    kubectl.run("annotate", "deployment", BACKEND, f"{BEFORE}={replicas}", "--overwrite")
    kubectl.run("scale", "deployment", BACKEND, "--replicas=0")
    kubectl.run("wait", "pod", f"--selector=app={BACKEND}", "--for=delete", f"--timeout={LONGEST_SECONDS}s")
    say(f"restoring {known}")
    try:
        done = _run(kubectl, _job(kubectl, cron_job, "restore", known))
    except ProgramError as error:
        raise ProgramError(f"{error}\n{BACKEND} stays stopped: restore again") from None
    say(f"starting {BACKEND}")
    kubectl.run("scale", "deployment", BACKEND, f"--replicas={replicas}")
    kubectl.run("annotate", "deployment", BACKEND, f"{BEFORE}-")
    kubectl.run("rollout", "status", "deployment", BACKEND, f"--timeout={LONGEST_SECONDS}s")
    return done


def _replicas(kubectl: Kubectl) -> int:
    """How many pods the backend has, or had before a restore that was not finished."""
    deployment = kubectl.get("deployment", BACKEND)
    return int(deployment["metadata"]["annotations"].get(BEFORE, deployment["spec"]["replicas"]))


def _job(kubectl: Kubectl, cron_job: str, *action: str) -> dict[str, Any]:
    """A Job of the stack's own backup pod that does something else with it."""
    job: dict[str, Any] = kubectl.get("cronjob", cron_job)["spec"]["jobTemplate"]
    job |= {"apiVersion": "batch/v1", "kind": "Job"}
    job["metadata"]["generateName"] = f"{cron_job}-{action[0]}-"
    # The namespace keeps the log for an hour.
    job["spec"] |= {"ttlSecondsAfterFinished": 3600, "backoffLimit": 0}
    (container,) = job["spec"]["template"]["spec"]["containers"]
    container["args"] = list(action)
    if action[0] == "restore":
        for mount in container["volumeMounts"]:
            mount.pop("readOnly", None)
    return job


def _run(kubectl: Kubectl, job: dict[str, Any]) -> str:
    name = json.loads(kubectl.run("create", "--filename=-", "--output=json", stdin=json.dumps(job)))[
        "metadata"
    ]["name"]
    until = time.monotonic() + LONGEST_SECONDS
    while not (ended := _ended(kubectl, name)):
        if time.monotonic() > until:
            raise ProgramError(f"job {name} did not end")
        time.sleep(1)
    lines = kubectl.run("logs", f"job/{name}", "--container=backup", "--tail=20").strip().splitlines()
    if ended == "Failed":
        raise ProgramError(f"job {name} failed:\n" + "\n".join(lines))
    return lines[-1]


def _ended(kubectl: Kubectl, name: str) -> str | None:
    conditions = kubectl.get("job", name).get("status", {}).get("conditions", [])
    return next(
        (
            was["type"]
            for was in conditions
            if was["type"] in ("Complete", "Failed") and was["status"] == "True"
        ),
        None,
    )
