"""Which backup is meant, and when a restore is refused before anything is touched."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from operations.backup import REFUSED, RESTORING, RefusedError, Snapshot, begun, choose, restore, take
from operations.kubectl import Kubectl
from operations.program import ProgramError
from tests.stack_files import stack_file
from tests.unit.recorder import plain, run

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
OWN, OTHER = "organization/skillflaw/prod", "organization/skillflaw/dev"


def snapshot(name: str, hours: float, stack: str = OWN) -> Snapshot:
    return Snapshot(id=name, time=NOW + timedelta(hours=hours), stack=stack, facts={})


KEPT = [snapshot("aaaa", -48), snapshot("bbbb", -24), snapshot("cccc", -1, OTHER)]


@pytest.mark.parametrize(("asked", "meant"), [("latest", "bbbb"), ("bbbb", "bbbb"), ("aaaa", "aaaa")])
def test_a_backup_is_the_stacks_own(asked, meant):
    assert choose(KEPT, asked, stack=OWN, now=NOW).id == meant


@pytest.mark.parametrize("asked", ["cccc", "9notes.txt", "2024-archive", ""])
def test_what_is_no_backup_of_the_stack_is_refused_with_those_that_are(asked):
    with pytest.raises(RefusedError, match="there are: aaaa, bbbb"):
        choose(KEPT, asked, stack=OWN, now=NOW)


def test_the_latest_is_not_guessed_when_a_clock_was_wrong():
    kept = [*KEPT, snapshot("dddd", 24)]
    with pytest.raises(RefusedError, match=r"from the future \(dddd\)"):
        choose(kept, "latest", stack=OWN, now=NOW)
    assert choose(kept, "bbbb", stack=OWN, now=NOW).id == "bbbb"
    assert choose(kept, "dddd", stack=OWN, now=NOW).id == "dddd"


def test_an_empty_stack_takes_another_ones_backup_and_one_with_backups_does_not():
    assert choose(KEPT, "cccc", stack="organization/skillflaw/new", now=NOW, to_empty=True).id == "cccc"
    with pytest.raises(RefusedError, match="several stacks"):
        choose(KEPT, "latest", stack="organization/skillflaw/new", now=NOW, to_empty=True)
    with pytest.raises(RefusedError, match="backups of its own"):
        choose(KEPT, "cccc", stack=OWN, now=NOW, to_empty=True)
    with pytest.raises(RefusedError, match="of any stack; there are: none"):
        choose([], "latest", stack=OWN, now=NOW, to_empty=True)


# --- the order of a restore ----------------------------------------------------------------------


class Cluster(Kubectl):
    """What kubectl would say of the stack `lab`, and a record of what it was told."""

    def __init__(self, **ends: int) -> None:
        program = run(stack_file("lab"))
        cron = plain(program.one("CronJob", "backup").inputs)
        job = plain(program.one("Job", "bootstrap").inputs)
        cron["metadata"] |= {"uid": "some-uid", "resourceVersion": "7"}
        cron["spec"]["suspend"] = False
        job["metadata"] |= {"name": "bootstrap-1", "creationTimestamp": "2026-01-01T00:00:00Z"}
        job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
        self.ends = ends
        self.objects: dict[tuple[str, str], dict] = {
            ("cronjob", "skillflaw-backup"): cron,
            ("deployment", "skillflaw-backend"): plain(program.one("Deployment", "backend").inputs),
            ("job", "bootstrap-1"): job,
        }
        self.did: list[str] = []
        database = containers(cron)["database"]
        images = next(row["value"] for row in database["env"] if row["name"] == "IMAGES")
        self.tags = ["skillflaw", "key=00", *images.split()]
        self.stack = next(
            row["value"] for row in containers(cron)["repository"]["env"] if row["name"] == "IDENTITY"
        )

    def get(self, kind, name):
        return json.loads(json.dumps(self.objects[kind, name]))

    def items(self, kinds):
        if kinds == "jobs":
            return [it for (kind, _), it in self.objects.items() if kind == "job"]
        return [it["pod"] for (kind, _), it in self.objects.items() if kind == "job" and "pod" in it]

    def run(self, *words, stdin=None):
        return getattr(self, f"_{words[0]}")(*words[1:], stdin=stdin)

    def _create(self, *_, stdin):
        job = json.loads(stdin)
        name = job["metadata"].get("name") or f"{job['metadata']['generateName']}{len(self.objects)}"
        assert ("job", name) not in self.objects, "AlreadyExists"
        (main,) = job["spec"]["template"]["spec"]["containers"]
        action = (main.get("args") or ["bootstrap"])[0]
        code = self.ends.get(action, 0)
        ended = "Failed" if code else "Complete"
        job["metadata"]["name"] = name
        job["status"] = {"conditions": [{"type": ended, "status": "True"}]}
        terminated = {"name": main["name"], "state": {"terminated": {"exitCode": code}}}
        labels = {"batch.kubernetes.io/job-name": name}
        job["pod"] = {"metadata": {"labels": labels}, "status": {"containerStatuses": [terminated]}}
        job["log"] = f"log of {action}"
        if action == "list":
            row = {
                "short_id": "aaaa",
                "time": "2026-01-01T00:00:00.123456789Z",
                "hostname": self.stack,
                "tags": self.tags,
            }
            job["log"] = json.dumps([row])
        self.objects["job", name] = job
        self.did.append(action)
        return json.dumps(job)

    def _logs(self, job, *_, stdin):
        return self.objects["job", job.removeprefix("job/")]["log"]

    def _patch(self, kind, name, _, patch, stdin):
        change = json.loads(patch.removeprefix("--patch="))
        cron = self.objects[kind, name]
        assert change["metadata"].pop("resourceVersion", "7") == cron["metadata"]["resourceVersion"], (
            "Conflict"
        )
        annotations = cron["metadata"].setdefault("annotations", {}) | change["metadata"]["annotations"]
        cron["metadata"]["annotations"] = {
            key: value for key, value in annotations.items() if value is not None
        }
        cron["spec"] |= change["spec"]
        self.did.append("suspend" if change["spec"]["suspend"] else "resume")

    def _scale(self, _, name, replicas, stdin):
        self.objects["deployment", name]["spec"]["replicas"] = int(replicas.partition("=")[2])
        self.did.append(replicas.removeprefix("--replicas="))

    def _delete(self, kind, name, *_, stdin):
        del self.objects[kind, name]

    def _wait(self, *_, stdin):
        return ""

    _rollout = _wait

    def restore(self, **options):
        return restore(self, "skillflaw-backup", "aaaa", lambda words: None, **options)

    @property
    def is_as_before(self) -> bool:
        cron = self.get("cronjob", "skillflaw-backup")
        replicas = self.get("deployment", "skillflaw-backend")["spec"]["replicas"]
        return (
            replicas == 2
            and not cron["spec"]["suspend"]
            and RESTORING not in cron["metadata"].get("annotations", {})
        )


def containers(cron: dict) -> dict[str, dict]:
    spec = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return {it["name"]: it for it in (*spec["initContainers"], *spec["containers"])}


def test_the_backend_stops_after_the_proof_and_starts_after_the_bootstrap():
    cluster = Cluster()
    assert cluster.restore() == "log of restore"
    assert cluster.did == ["list", "suspend", "prove", "0", "restore", "bootstrap", "2", "resume"]
    assert cluster.is_as_before


def test_a_refused_proof_stops_nothing():
    cluster = Cluster(prove=REFUSED)
    with pytest.raises(RefusedError, match="log of prove"):
        cluster.restore()
    assert cluster.did == ["list", "suspend", "prove", "resume"]
    assert cluster.is_as_before


def test_a_restore_that_changed_nothing_starts_the_backend_as_it_was():
    cluster = Cluster(restore=REFUSED)
    with pytest.raises(RefusedError):
        cluster.restore()
    assert cluster.did == ["list", "suspend", "prove", "0", "restore", "2", "resume"]
    assert cluster.is_as_before


@pytest.mark.parametrize(("ends", "code"), [("restore", 1), ("restore", 137), ("bootstrap", 1)])
def test_a_restore_that_was_interrupted_leaves_the_backend_stopped_and_goes_on_with_the_same_command(
    ends, code
):
    cluster = Cluster(**{ends: code})
    with pytest.raises(ProgramError):
        cluster.restore()
    assert not cluster.is_as_before
    assert cluster.get("deployment", "skillflaw-backend")["spec"]["replicas"] == 0
    with pytest.raises(ProgramError, match="has not ended"):
        take(cluster, "skillflaw-backup")
    cluster.ends = {}
    cluster.restore()
    assert cluster.is_as_before


def test_a_restore_waits_for_no_backup_and_takes_none_on():
    cluster = Cluster()
    running = {"metadata": {"name": "skillflaw-backup-1", "labels": {"app": "skillflaw-backup"}}, "spec": {}}
    cluster.objects["job", "skillflaw-backup-1"] = running
    with pytest.raises(RefusedError, match="skillflaw-backup-1 still runs"):
        cluster.restore()
    assert "prove" not in cluster.did
    assert cluster.is_as_before


def test_a_backup_of_another_image_asks_for_that_image_or_for_a_migration():
    cluster = Cluster()
    cluster.tags = ["skillflaw", "backend=some/backend:0"]
    with pytest.raises(RefusedError, match="some/backend:0"):
        cluster.restore()
    assert cluster.did == ["list"]
    cluster.restore(migrate=True)
    assert cluster.is_as_before


def test_a_restore_for_an_image_that_the_pods_do_not_have_yet_leaves_them_stopped_until_an_up():
    cluster = Cluster()
    (backend,) = cluster.objects["deployment", "skillflaw-backend"]["spec"]["template"]["spec"]["containers"]
    backend["image"] = "newer/backend:2"
    said = cluster.restore()
    assert cluster.did == ["list", "suspend", "prove", "0", "restore", "resume"]
    assert "stays stopped, for its pods would be newer/backend:2: run pulumi up" in said
    assert "--replicas=2" in said
    assert not begun(cluster.get("cronjob", "skillflaw-backup"))


def test_a_migration_that_was_asked_for_starts_whatever_image_the_pods_have():
    cluster = Cluster()
    (backend,) = cluster.objects["deployment", "skillflaw-backend"]["spec"]["template"]["spec"]["containers"]
    backend["image"] = "newer/backend:2"
    cluster.restore(migrate=True)
    assert cluster.is_as_before


def test_jobs_are_the_cronjobs_and_only_a_restore_may_write():
    cluster = Cluster()
    take(cluster, "skillflaw-backup")
    cluster.restore()
    made = [it for (kind, name), it in cluster.objects.items() if kind == "job" and name != "bootstrap-1"]
    assert {it["metadata"]["ownerReferences"][0]["uid"] for it in made} == {"some-uid"}
    controlled = [it for it in made if it["metadata"]["ownerReferences"][0].get("controller")]
    assert [it["log"] for it in controlled] == ["log of keep"]
    for job in made:
        spec = job["spec"]["template"]["spec"]
        both = [*spec.get("initContainers", ()), *spec["containers"]]
        mounts = {it["name"]: mount for it in both for mount in it["volumeMounts"] if mount["name"] == "data"}
        if job["log"] == "log of restore":
            assert [it["name"] for it in both] == ["trial", "repository", "database"]
            assert not any(mount.get("readOnly") for mount in mounts.values())
        elif "bootstrap" not in job["metadata"]["name"]:
            assert all(mount["readOnly"] for mount in mounts.values())
