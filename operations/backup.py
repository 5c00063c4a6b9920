"""Taking a backup now, listing what is kept, and putting one back."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.kubectl import Kubectl
from operations.program import ProgramError

BACKEND = "skillflaw-backend"
RESTORE = "skillflaw-restore"
"""Name of the Job that restores: there is one of a name, so there is one restore."""
RESTORING = "skillflaw.com/restoring"
"""Annotation of the CronJob while a restore has begun and not ended: which backup, and what to put back afterwards."""
REFUSED = 78
"""Exit code of a script that changed nothing (EX_CONFIG)."""
LONGEST_SECONDS = 6 * 3600
Say = Callable[[str], None]
Object = dict[str, Any]


class RefusedError(ProgramError):
    """Nothing was changed."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A backup as the repository lists it."""

    id: str
    """Short id."""
    time: datetime
    """When it was taken."""
    stack: str
    """The stack that it belongs to: `ORGANIZATION/PROJECT/STACK`."""
    facts: dict[str, str]
    """What is noted with it: `key` (fingerprint), `revision` (of the schema), `server`, and images by name."""


def take(kubectl: Kubectl, cron_job: str) -> str:
    """Runs the stack's backup now. Returns the last line of its log, which names the backup.

    Raises:
        ProgramError: it failed; the message is the end of its log.
    """
    cron = kubectl.get("cronjob", cron_job)
    if begun(cron):
        raise ProgramError(f"a restore of backup {begun(cron)['backup']} has not ended: restore again first")
    # As `kubectl create job --from` makes it: the controller counts it as its own, and begins no other meanwhile.
    job = _job(cron, f"{cron_job}-now-", ("database", "dump"), ("repository", "keep"))
    job["metadata"]["annotations"] = {"cronjob.kubernetes.io/instantiate": "manual"}
    job["metadata"]["ownerReferences"][0] |= {"controller": True}
    return _run(kubectl, job)


def snapshots(kubectl: Kubectl, cron_job: str) -> list[Snapshot]:
    """Every backup in the repository, of other stacks too, the oldest first.

    Raises:
        ProgramError: the repository cannot be read.
    """
    cron = kubectl.get("cronjob", cron_job)
    listed = json.loads(_run(kubectl, _job(cron, f"{cron_job}-list-", ("repository", "list"))) or "[]")
    return sorted((_snapshot(row) for row in listed), key=lambda snapshot: snapshot.time)


def choose(
    known: Sequence[Snapshot], backup: str, *, stack: str, now: datetime, to_empty: bool = False
) -> Snapshot:
    """The backup of an id, or the latest one, of the stack itself; with `to_empty`, of any stack.

    Raises:
        RefusedError: there is none, or which one is the latest cannot be told.
    """
    own = [snapshot for snapshot in known if snapshot.stack == stack]
    if to_empty and own:
        raise RefusedError(f"{stack} has backups of its own: it is not empty; restore without --to-empty")
    among = list(known) if to_empty else own
    if backup == "latest":
        later = [snapshot.id for snapshot in among if snapshot.time > now + timedelta(minutes=5)]
        if later:
            raise RefusedError(
                f"backups from the future ({', '.join(later)}): which is the latest is unknown; give an id"
            )
        if to_empty and len({snapshot.stack for snapshot in among}) > 1:
            raise RefusedError("the repository holds backups of several stacks: give an id")
        found = among[-1:]
    else:
        found = [snapshot for snapshot in among if backup == snapshot.id]
    if not found:
        there = ", ".join(snapshot.id for snapshot in among) or "none"
        raise RefusedError(f"no backup {backup} of {'any stack' if to_empty else stack}; there are: {there}")
    return found[0]


def restore(
    kubectl: Kubectl,
    cron_job: str,
    backup: str,
    say: Say,
    *,
    to_empty: bool = False,
    migrate: bool = False,
) -> str:
    """Replaces database and files by a backup's. The backend is stopped once it is proved that everything can be put back.

    `backup` is its id, or `latest`; `to_empty` takes the backup of another stack; `migrate` lets the bootstrap migrate the
    data of an older image. A restore that was interrupted goes on by the same call.

    Raises:
        ProgramError: nothing was changed and the backend runs as before (RefusedError), or not all was restored; then
            neither this stack's pods nor a `pulumi up` start the backend until a restore ends well.
    """
    known = snapshots(kubectl, cron_job)
    cron = kubectl.get("cronjob", cron_job)
    interrupted = bool(begun(cron))
    chosen = choose(
        known, backup, stack=_variable(cron, "IDENTITY"), now=datetime.now(UTC), to_empty=to_empty
    )
    _same_code(cron, chosen, migrate=migrate)
    prepare = _bootstrap(kubectl)
    before = _begin(kubectl, cron, chosen.id)
    pod = ("repository", "fetch", chosen.id)
    try:
        say(f"proving that backup {chosen.id} can be restored, while {BACKEND} runs")
        _run(kubectl, _job(cron, RESTORE, pod, ("database", "prove"), writes=True))
    except ProgramError:
        if not interrupted:
            _end(kubectl, cron_job, before)
        raise
    replicas = before["replicas"]
    say(f"stopping {BACKEND}: {replicas} pods")
    kubectl.run("scale", "deployment", BACKEND, "--replicas=0")
    kubectl.run("wait", "pod", f"--selector=app={BACKEND}", "--for=delete", f"--timeout={LONGEST_SECONDS}s")
    say(f"restoring {chosen.id}")
    try:
        done = _run(kubectl, _job(cron, RESTORE, pod, ("database", "restore"), writes=True))
    except ProgramError as error:
        if not isinstance(error, RefusedError) or interrupted:
            raise ProgramError(f"{error}\n{BACKEND} stays stopped: restore again") from None
        say(f"starting {BACKEND} as it was")
        _start(kubectl, replicas)
        _end(kubectl, cron_job, before)
        raise
    deployed = _deployed(kubectl)
    code = _images(cron).get("backend", deployed)
    if deployed != code and not migrate:
        _end(kubectl, cron_job, before)
        return (
            f"{done}\n{BACKEND} stays stopped, for its pods would be {deployed}: run pulumi up, which makes them {code} and"
            f" starts them; with an autoscaler, `kubectl scale deployment/{BACKEND} --replicas={replicas}` after it"
        )
    say("preparing what the backend starts on")
    try:
        _run(kubectl, _owned(prepare, cron))
    except ProgramError as error:
        raise ProgramError(
            f"{error}\nbackup {chosen.id} was restored, and its schema does not fit images.backend: write the image it was"
            f" made with ({chosen.facts.get('backend')}), run pulumi up, and restore again"
        ) from None
    say(f"starting {BACKEND}")
    _start(kubectl, replicas)
    _end(kubectl, cron_job, before)
    return done


# --- one restore at a time ---------------------------------------------------------------------


def begun(cron: Object) -> Object:
    """What a restore noted when it began: the backup, and how things were before; empty while none has."""
    note: Object = json.loads((cron["metadata"].get("annotations") or {}).get(RESTORING, "{}"))
    return note


def _begin(kubectl: Kubectl, cron: Object, backup: str) -> Object:
    """Suspends the schedule and notes what was before; of two that try, the server lets one."""
    name = cron["metadata"]["name"]
    before = begun(cron) or {
        "replicas": kubectl.get("deployment", BACKEND)["spec"]["replicas"],
        "suspend": bool(cron["spec"].get("suspend")),
    }
    note = json.dumps(before | {"backup": backup})
    metadata = {"resourceVersion": cron["metadata"]["resourceVersion"], "annotations": {RESTORING: note}}
    patch = json.dumps({"metadata": metadata, "spec": {"suspend": True}})
    kubectl.run("patch", "cronjob", name, "--type=merge", f"--patch={patch}")
    running = [
        job["metadata"]["name"]
        for job in kubectl.items("jobs")
        if job["metadata"].get("labels", {}).get("app") == name and not _condition(job)
    ]
    if running:
        if not begun(cron):
            _end(kubectl, name, before)
        raise RefusedError(f"{', '.join(running)} still runs: wait for its end, and restore again")
    return before


def _end(kubectl: Kubectl, cron_job: str, before: Object) -> None:
    patch = json.dumps(
        {"metadata": {"annotations": {RESTORING: None}}, "spec": {"suspend": before["suspend"]}}
    )
    kubectl.run("patch", "cronjob", cron_job, "--type=merge", f"--patch={patch}")


def _start(kubectl: Kubectl, replicas: int) -> None:
    kubectl.run("scale", "deployment", BACKEND, f"--replicas={replicas}")
    kubectl.run("rollout", "status", "deployment", BACKEND, f"--timeout={LONGEST_SECONDS}s")


def _same_code(cron: Object, chosen: Snapshot, *, migrate: bool) -> None:
    made, runs = chosen.facts.get("backend"), _images(cron).get("backend")
    if made != runs and not migrate:
        raise RefusedError(
            f"backup {chosen.id} was made by {made}, and {runs} runs: write that image, run pulumi up, and restore again,"
            " also where that pulumi up ends with the refusal of an image that is too old for the schema. Or, if the one"
            " that runs is newer and is to stay, restore with --migrate"
        )


def _images(cron: Object) -> dict[str, str]:
    """Images of the stack by what they are for, as the last `pulumi up` wrote them, also one that did not end."""
    return dict(line.split("=", 1) for line in _variable(cron, "IMAGES").split())


def _deployed(kubectl: Kubectl) -> str:
    """The image of the backend's pods."""
    spec = kubectl.get("deployment", BACKEND)["spec"]["template"]["spec"]
    return str(next(each["image"] for each in spec["containers"] if each["name"] == "backend"))


# --- Jobs --------------------------------------------------------------------------------------


def _containers(cron: Object) -> dict[str, Object]:
    spec = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return {container["name"]: container for container in (*spec["initContainers"], *spec["containers"])}


def _variable(cron: Object, name: str) -> str:
    rows = [row for container in _containers(cron).values() for row in container["env"]]
    return next(str(row["value"]) for row in rows if row["name"] == name)


def _job(cron: Object, name: str, *steps: tuple[str, ...], writes: bool = False) -> Object:
    """A Job of the CronJob's own pod in which containers do something else, one after the other.

    Each of `steps` is a container and its arguments. A name that ends with a dash is made unique.
    """
    template: Object = json.loads(json.dumps(cron["spec"]["jobTemplate"]))
    pod = template["spec"]["template"]["spec"]
    containers = _containers({"spec": {"jobTemplate": template}})
    for container, *words in steps:
        containers[container]["args"] = words
        if writes:
            for mount in containers[container]["volumeMounts"]:
                if mount["name"] == "data":
                    mount.pop("readOnly", None)
    ordered = [containers[container] for container, *_ in steps]
    trial = [containers["trial"]] if "database" in [container for container, *_ in steps] else []
    pod["initContainers"], pod["containers"] = [*trial, *ordered[:-1]], ordered[-1:]
    template["spec"]["backoffLimit"] = 0
    metadata = template["metadata"] | {"generateName" if name.endswith("-") else "name": name}
    return _owned({"metadata": metadata, "spec": template["spec"]}, cron)


def _owned(job: Object, cron: Object) -> Object:
    """The Job as the CronJob's: who deletes that, deletes it, and with its pod what holds the claims."""
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": cron["metadata"]["name"],
        "uid": cron["metadata"]["uid"],
    }
    metadata = job["metadata"] | {"ownerReferences": [owner]}
    # The namespace keeps the log for an hour.
    spec = job["spec"] | {"ttlSecondsAfterFinished": 3600}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _bootstrap(kubectl: Kubectl) -> Object:
    """The stack's newest bootstrap Job, to be run again."""
    jobs = [
        job
        for job in kubectl.items("jobs")
        if job["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "bootstrap"
        and any(c["name"] == "backend" for c in job["spec"]["template"]["spec"].get("initContainers", ()))
        and not job["metadata"].get("ownerReferences")
    ]
    if not jobs:
        raise RefusedError("the stack has no bootstrap Job: run pulumi up first")
    newest = max(jobs, key=lambda job: str(job["metadata"]["creationTimestamp"]))
    template = newest["spec"]["template"]
    labels = {key: value for key, value in template["metadata"]["labels"].items() if "job-name" not in key}
    labels = {key: value for key, value in labels.items() if "controller-uid" not in key}
    spec = {key: newest["spec"][key] for key in ("activeDeadlineSeconds", "backoffLimit", "podFailurePolicy")}
    spec["template"] = {"metadata": template["metadata"] | {"labels": labels}, "spec": template["spec"]}
    return {"metadata": {"generateName": "bootstrap-restored-", "labels": labels}, "spec": spec}


def _run(kubectl: Kubectl, job: Object) -> str:
    name = job["metadata"].get("name")
    if name:
        _make_way(kubectl, name)
    made = json.loads(kubectl.run("create", "--filename=-", "--output=json", stdin=json.dumps(job)))
    name = made["metadata"]["name"]
    until = time.monotonic() + LONGEST_SECONDS
    while not (ended := _condition(kubectl.get("job", name))):
        if time.monotonic() > until:
            raise ProgramError(f"job {name} did not end")
        time.sleep(1)
    main = job["spec"]["template"]["spec"]["containers"][0]["name"]
    container, code = (main, 0) if ended == "Complete" else _failed(kubectl, name, main)
    tail = "--tail=20" if code else "--tail=1"
    said = kubectl.run("logs", f"job/{name}", f"--container={container}", tail).strip()
    if ended == "Complete":
        return said
    kind = RefusedError if code == REFUSED else ProgramError
    raise kind(f"job {name} failed:\n{said}")


def _make_way(kubectl: Kubectl, name: str) -> None:
    """Removes the Job of a restore that ended; one that runs stays, and the name is taken."""
    for job in kubectl.items("jobs"):
        if job["metadata"]["name"] == name and _condition(job):
            kubectl.run("delete", "job", name, "--wait", "--cascade=foreground")


def _failed(kubectl: Kubectl, job: str, main: str) -> tuple[str, int]:
    """The container that failed, and its exit code."""
    for pod in kubectl.items("pods"):
        if pod["metadata"].get("labels", {}).get("batch.kubernetes.io/job-name") != job:
            continue
        status = pod["status"]
        for row in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            code = row["state"].get("terminated", {}).get("exitCode", 0)
            if code and row["name"] != "trial":
                return row["name"], code
    return main, 1


def _condition(job: Object) -> str | None:
    """`Complete` or `Failed`, once it is one of them."""
    return next(
        (
            was["type"]
            for was in job.get("status", {}).get("conditions", [])
            if was["type"] in ("Complete", "Failed") and was["status"] == "True"
        ),
        None,
    )


def _snapshot(row: Object) -> Snapshot:
    tags = (tag.partition("=") for tag in row.get("tags", ()))
    return Snapshot(
        id=row["short_id"],
        time=datetime.fromisoformat(row["time"]),
        stack=row["hostname"],
        facts={name: value for name, _, value in tags if value},
    )
