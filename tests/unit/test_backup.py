"""Backups: when, what, on what, and who may read what they hold."""

import pytest

from settings.load import parse
from settings.problems import SettingsError
from tests.stack_files import stack_file
from tests.unit.recorder import Program, run


def lab(**sections) -> Program:
    return run(stack_file("lab") | sections)


def pod(program: Program) -> dict:
    return program.pods["backup"]


def job(program: Program) -> dict:
    return program.one("CronJob", "backup").inputs["spec"]


@pytest.mark.parametrize("schedule", ["0 3 * * *", "*/15 0-6,22 1 1-12/3 0", "59 23 31 12 6"])
def test_a_schedule_that_cron_knows_is_taken(schedule):
    assert job(lab(backup={"schedule": schedule}))["schedule"] == schedule


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "daily",
        "0 3 * *",
        "60 3 * * *",
        "0 24 * * *",
        "0 3 0 * *",
        "0 5-3 * * *",
        "*/0 * * * *",
        "0 3 * * 7",
    ],
)
def test_a_schedule_that_cron_does_not_know_is_refused_by_name(schedule):
    with pytest.raises(SettingsError) as refused:
        parse(stack_file("lab") | {"backup": {"schedule": schedule}}, set())
    (problem,) = refused.value.problems
    assert problem.path == "backup.schedule"
    assert problem.allowed.startswith("a cron schedule")


def test_without_a_schedule_there_is_no_backup_and_no_volume_for_it():
    program = lab(backup={})
    assert not [declared for declared in program.objects if declared.name.startswith("backup")]
    assert program.outputs.get("backupCronJob") is None


def test_a_backup_of_an_external_database_needs_the_image_whose_tools_make_it():
    stack = stack_file("lab")
    images = {name: image for name, image in stack["images"].items() if name != "postgres"}
    external = {
        "images": images,
        "database": {"external": {"secretName": "db", "key": "url"}},
        "network": {
            "edge": [{"namespace": "traefik"}],
            "egress": [{"cidr": "10.20.0.0/16", "ports": [5432]}],
        },
    }
    with pytest.raises(SettingsError) as refused:
        parse(stack | external, set())
    assert [problem.path for problem in refused.value.problems] == ["images.postgres"]
    parse(stack | external | {"backup": {}}, set())


def test_a_backup_needs_the_image_that_keeps_it():
    stack = stack_file("lab")
    images = {name: image for name, image in stack["images"].items() if name != "restic"}
    with pytest.raises(SettingsError) as refused:
        parse(stack | {"images": images}, set())
    assert [problem.path for problem in refused.value.problems] == ["images.restic"]


@pytest.mark.parametrize("key", ["size", "className", "existingClaim"])
def test_a_key_of_the_released_version_is_refused_with_its_new_spelling(key):
    with pytest.raises(SettingsError) as refused:
        parse(stack_file("lab") | {"backup": {"schedule": "0 3 * * *", key: "x"}}, set())
    (problem,) = refused.value.problems
    assert problem.path == f"backup.{key}"
    assert f"backup.to: {{claim: {{{key}: " in problem.remedy


def test_runs_never_overlap_and_never_hang_for_ever():
    spec = job(lab())
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["timeZone"] == "Etc/UTC"
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] < 24 * 3600


def test_the_data_is_read_only_to_a_backup():
    spec = pod(lab())
    for container in (*spec["initContainers"], *spec["containers"]):
        mounts = {mount["name"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
        assert mounts.get("data", True), container["name"]


def test_a_backup_reads_the_files_as_the_one_who_wrote_them():
    program = lab(backend=stack_file("lab")["backend"] | {"uid": 23456, "gid": 23457})
    context = pod(program)["securityContext"]
    assert (context["runAsUser"], context["fsGroup"]) == (23456, 23457)


def test_a_volume_of_one_node_is_backed_up_on_that_node():
    program = lab(storage={"accessMode": "ReadWriteOnce"}, backend={"scale": {"replicas": 1}})
    assert "podAffinity" in pod(program)["affinity"]
    assert "affinity" not in pod(lab())


def test_the_trial_server_is_reached_by_its_own_pod_only():
    trial, _ = pod(lab())["initContainers"]
    assert trial["restartPolicy"] == "Always"
    assert "listen_addresses=127.0.0.1" in trial["args"]
    assert "ports" not in trial


def test_backups_on_a_claim_of_others_make_none():
    program = lab(backup={"schedule": "0 3 * * *", "to": {"claim": {"existingClaim": "elsewhere"}}})
    claims = [volume.get("persistentVolumeClaim", {}).get("claimName") for volume in pod(program)["volumes"]]
    assert "elsewhere" in claims
    assert not [claim for claim in program.of("PersistentVolumeClaim") if claim.name == "backup-claim"]


STORE = {
    "endpoint": "https://s3.test:9000/",
    "bucket": "copies",
    "prefix": "a/b",
    "region": "eu",
    "secretName": "store",
}


def variables(container: dict) -> dict:
    return {row["name"]: row.get("value", row.get("valueFrom")) for row in container["env"]}


def test_backups_in_a_bucket_leave_the_cluster_and_need_no_claim():
    program = lab(backup={"schedule": "0 3 * * *", "to": {"objectStore": STORE}})
    (repository,) = pod(program)["containers"]
    assert variables(repository)["RESTIC_REPOSITORY"] == "s3:https://s3.test:9000/copies/a/b"
    assert variables(repository)["AWS_SECRET_ACCESS_KEY"] == {
        "secretKeyRef": {"name": "store", "key": "AWS_SECRET_ACCESS_KEY"}
    }
    assert not [claim for claim in program.of("PersistentVolumeClaim") if claim.name == "backup-claim"]


def test_only_the_keeper_holds_the_password_and_the_keys_of_the_bucket():
    program = lab(backup={"schedule": "0 3 * * *", "to": {"objectStore": STORE}})
    secrets = {"RESTIC_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    for container in pod(program)["initContainers"]:
        assert not secrets & variables(container).keys(), container["name"]
    assert secrets <= variables(pod(program)["containers"][0]).keys()


def test_a_backup_is_its_stacks_own_whoever_shares_the_repository():
    (repository,) = pod(lab())["containers"]
    organization, project, stack = variables(repository)["IDENTITY"].split("/")
    assert all((organization, project, stack))


def test_a_url_of_its_own_leads_a_backup_past_the_pooler():
    own = {"secretName": "direct", "key": "url", "version": "2"}
    program = lab(backup={"schedule": "0 3 * * *", "databaseUrl": own})
    _, database = pod(program)["initContainers"]
    assert variables(database)["DATABASE_URL"] == {"secretKeyRef": {"name": "direct", "key": "url"}}
    annotations = program.templates["backup"]["metadata"]["annotations"]
    assert "DATABASE_URL 2" in annotations["skillflaw.com/secret-versions"]
