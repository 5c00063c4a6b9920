"""How a stack is: what is well, what is worth a look and what is broken, by programs that answer as recorded."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from operations.__main__ import app
from operations.program import ProgramError, output_of
from operations.status.inside_pods import INSIDE as SCRIPT
from tests.stack_files import stack_file
from tests.unit.recorder import ROOT
from tests.unit.running import (
    ARCHIVER,
    CERTIFICATES,
    CRON_JOBS,
    DEPLOYMENTS,
    DF,
    FORBIDDEN,
    INSIDE,
    JOBS,
    LIVE,
    NODES,
    OPERATOR,
    PODS,
    SECRETS,
    STANDBYS,
    Running,
    ago,
    certificate,
    condition,
    programs,
    tls,
)
from tests.unit.test_operated_database import file as operated_file
from tests.unit.test_operations_validate import shown  # noqa: F401  a fixture

WELL, LOOK, BROKEN, UNASKED = 0, 1, 2, 3
CODES = {"well": WELL, "look": LOOK, "broken": BROKEN}


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Runs `operations status` on the lab's stack after some changes; gives each line's verdict and words by its name."""
    monkeypatch.setenv("PATH", f"{programs(tmp_path)}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)

    def runs(*changes, config=None, words=("--json",)):
        running = Running(config or stack_file("lab"))
        for change in changes:
            change(running)
        running.answer(tmp_path)
        done = CliRunner().invoke(app, ["status", "--stack=lab", *words])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return runs


def lines(done):
    return {row["name"]: (row["verdict"], row["says"]) for row in json.loads(done.stdout)["lines"]}


def other_than_well(done):
    """Lines that are not well; the exit code is the worst one's."""
    found = lines(done)
    worst = max(CODES[verdict] for verdict, _ in found.values())
    assert done.exit_code == worst
    assert json.loads(done.stdout)["verdict"] == next(name for name, code in CODES.items() if code == worst)
    return {name: row for name, row in found.items() if row[0] != "well"}


def says(path, answer):
    return lambda running: running.answers.__setitem__(path, answer)


def inside(**facts):
    return lambda running: running.answers[INSIDE].update(facts)


def operated():
    return operated_file()


# --- a stack that is well ------------------------------------------------------------------------


def test_a_stack_that_is_well_says_so_in_each_line_and_exits_with_zero(ask):
    done = ask()
    assert other_than_well(done) == {}
    found = {name: words for name, (_, words) in lines(done).items()}
    assert found["application"] == "answers, version 1.8.4"
    assert re.fullmatch(r"2/2 ready in a, b; backend:\w+", found["skillflaw-backend"])
    assert found["postgresql"].startswith("1/1 ready in a; postgres:")
    assert (
        found["database"] == "one PostgreSQL in the cluster, without a standby: PostgreSQL 15.4 takes writes"
    )
    assert found["connections"] == "12 of 97 in use; the pools may take 22, twice that during a rollout"
    assert "fingerprint 0123456789abcdef, as the data's" in found["secret key"]
    assert found["backup"].startswith(
        "5 h ago, restored once then, in claim skillflaw-backups; the newest moment"
    )
    assert "no write-ahead log" in found["backup"]
    assert found["certificate api"].startswith("api.skillflaw.test: 79 days left, Secret skillflaw-api-tls")
    assert found["volume postgresql-data"] == "40 % full, 585 MiB left"
    assert "make drift STACK=lab" in found["drift"]
    assert "standbys" not in found


def test_a_person_sees_one_screen_with_a_mark_in_front_of_each_line(ask):
    done = ask(words=())
    assert done.exit_code == WELL
    screen = done.stdout.splitlines()
    assert len(screen) <= 50
    assert screen[0].startswith("lab (context skillflaw-lab, namespace skillflaw)")
    assert [line[0] for line in screen if line[0] in "✓?✗"].count("✓") == len(lines(ask()))
    assert screen[-1].startswith("well: ")


def test_nothing_is_asked_of_the_cluster_but_to_read_and_to_execute_three_programs(ask, tmp_path):
    ask()
    asked = set((tmp_path / "asked").read_text().split())
    assert {path for path in asked if not path.startswith(("/api", "/get/", "/version"))} == {INSIDE, DF}


def test_a_database_with_standbys_names_its_primary_and_how_far_each_standby_is(ask):
    done = ask(config=operated())
    assert other_than_well(done) == {}
    found = {name: words for name, (_, words) in lines(done).items()}
    assert found["standbys"] == "primary database-1; database-2 streaming (quorum), 0 bytes behind"
    assert found["operator"] == "CloudNativePG 1.28.1, 2 pods on node-1, node-2"
    assert found["database"].startswith("run by CloudNativePG")
    assert found["Cluster database"].startswith("2/2 ready in a, b")


STORE = {"endpoint": "https://s3.test", "bucket": "copies", "secretName": "store", "prefix": "lab"}


def test_an_archived_database_names_the_moments_between_which_it_can_be_restored(ask):
    done = ask(config=operated_file(objectStore=STORE))
    assert other_than_well(done) == {}
    found = {name: words for name, (_, words) in lines(done).items()}
    assert re.fullmatch(
        r"newest point in time [-0-9]+ [:0-9]+ UTC, in s3://copies/lab/database; oldest [-0-9]+ [:0-9]+ UTC; "
        r"base backup 6 h ago",
        found["archive"],
    )
    assert "no write-ahead log" not in found["backup"]


# Ages, not moments: a moment would grow older between the collection of the tests and the test.
def window(**ages):
    def change(running):
        moments = {key: ago(**age) for key, age in ages.items()}
        running.one("ObjectStore", "database")["status"]["serverRecoveryWindow"] = {"database": moments}

    return change


def archiver(**ages):
    def change(running):
        moments = {key: ago(**age) for key, age in ages.items()}
        running.answers[ARCHIVER] = {"archived": None, "failed": None} | moments

    return change


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        (archiver(archived={"minutes": 9}, failed={"seconds": 9}), "look", "does not reach the bucket"),
        (archiver(archived={"minutes": 19}, failed={"seconds": 9}), "broken", "does not reach the bucket"),
        (archiver(failed={"seconds": 9}), "broken", "does not reach the bucket"),
        (archiver(archived={"hours": 9}, failed={"hours": 10}), "well", "newest point in time"),
        (says(ARCHIVER, ProgramError(FORBIDDEN)), "look", "could not be asked"),
        (window(), "broken", "no base backup is whole yet"),
        (window(lastFailedBackupTime={"hours": 1}), "broken", "the last base backup failed, 60 min ago"),
        (window(lastSuccessfulBackupTime={"days": 3}), "broken", "base backup 3 d ago"),
        (
            window(lastSuccessfulBackupTime={"hours": 3}, lastFailedBackupTime={"hours": 1}),
            "look",
            "the last base backup failed",
        ),
        (
            lambda running: running.objects.remove(running.one("ObjectStore", "database")),
            "look",
            "has no ObjectStore",
        ),
    ],
)
def test_an_archive_that_would_not_bring_back_what_was_just_written_is_not_well(ask, change, verdict, words):
    name, (judged, said) = next(
        row
        for row in lines(ask(change, config=operated_file(objectStore=STORE))).items()
        if row[0] == "archive"
    )
    assert (name, judged) == ("archive", verdict), said
    assert words in said


def test_an_archive_that_was_just_asked_for_has_no_base_backup_yet_and_is_worth_a_look(ask):
    def fresh(running):
        store = running.one("ObjectStore", "database")
        store["metadata"]["creationTimestamp"] = ago(minutes=2)
        store["status"] = {}

    verdict, said = lines(ask(fresh, config=operated_file(objectStore=STORE)))["archive"]
    assert verdict == "look", said


def test_an_external_database_tells_only_what_the_backend_sees_of_it(ask):
    config = stack_file("lab") | {
        "database": {"external": {"secretName": "db", "key": "url"}},
        "network": {"edge": [{"namespace": "traefik"}], "egress": [{"cidr": "10.9.0.0/16", "ports": [5432]}]},
    }
    done = ask(config=config)
    assert other_than_well(done) == {}
    assert lines(done)["database"][1].startswith("external; its standbys and backups are its owner's")
    assert "postgresql" not in lines(done)


# --- what is not well ----------------------------------------------------------------------------


def deployment(name="skillflaw-backend", **status):
    return lambda running: running.one("Deployment", name)["status"].update(status)


def scaled(running):
    row = running.one("Deployment", "skillflaw-backend")
    row["spec"]["replicas"] = 0
    row["status"] = {"observedGeneration": 1}
    running.pods = [each for each in running.pods if "backend" not in each["metadata"]["name"]]


def on_one_node(running):
    for each in running.pods:
        each["spec"]["nodeName"] = "node-1"


def removed(kind, name):
    return lambda running: running.objects.remove(running.one(kind, name))


def every(kind):
    def change(running):
        running.objects = [row for row in running.objects if row["kind"] != kind]

    return change


def edited(running):
    row = running.one("Deployment", "skillflaw-frontend")
    row["spec"]["template"]["spec"]["containers"][0]["image"] = "elsewhere/frontend:2"


def unschedulable(running):
    each = running.pod("skillflaw-backend")
    message = "0/2 nodes are available: 2 Insufficient cpu."
    each["status"] = {
        "phase": "Pending",
        "conditions": [condition("PodScheduled", False, reason="Unschedulable", message=message)],
    }
    each["spec"].pop("nodeName")
    running.one("Deployment", "skillflaw-backend")["status"]["readyReplicas"] = 1


def waits(reason, message=""):
    def change(running):
        each = running.pod("redis")
        each["status"]["conditions"] = [condition("PodScheduled"), condition("Ready", False)]
        row = each["status"]["containerStatuses"][0]
        row["state"] = {"waiting": {"reason": reason, "message": message}}
        running.one("Deployment", "redis")["status"]["readyReplicas"] = 0

    return change


def restarted(**when):
    def change(running):
        row = running.pod("redis")["status"]["containerStatuses"][0]
        row["restartCount"] = 3
        row["lastState"] = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": ago(**when)}}

    return change


def leaving(running):
    running.pod("redis")["metadata"]["deletionTimestamp"] = ago(hours=1)


def cordoned(running):
    running.answers[NODES]["items"][0]["spec"]["unschedulable"] = True


def cron(annotations=None, **spec):
    def change(running):
        row = running.one("CronJob", "skillflaw-backup")
        row["spec"] |= spec
        row["metadata"]["annotations"] |= annotations or {}

    return change


def backed_up(when):
    def change(running):
        row = running.one("CronJob", "skillflaw-backup")
        row["spec"]["schedule"] = "0 3 * * *"
        row["status"] = {"lastSuccessfulTime": when} if when else {}

    return change


def failed_backup(running):
    cron = running.one("CronJob", "skillflaw-backup")
    spec = cron["spec"]["jobTemplate"]["spec"]
    job = {
        "kind": "Job",
        "metadata": {"name": "skillflaw-backup-1", "labels": {"app": "skillflaw-backup"}},
        "spec": spec,
        "status": {"startTime": ago(hours=1), "conditions": [condition("Failed")]},
    }
    running.objects.append({"apiVersion": "batch/v1"} | job)
    running.answers[LIVE] = {"items": []}


def certified(**life):
    return lambda running: running.secrets.__setitem__(0, tls("skillflaw-api-tls", certificate(**life)))


def uncertified(running):
    running.secrets = running.secrets[1:]


def unrenewed(running):
    ready = condition("Ready", False, message="the account of the issuer was refused")
    running.answers[CERTIFICATES] = {
        "items": [{"metadata": {"name": "skillflaw-api-tls"}, "status": {"conditions": [ready]}}]
    }


def failed_bootstrap(running):
    for row in running.objects:
        if row["kind"] == "Job":
            row["status"] = {
                "conditions": [condition("Failed", message="Job has reached the specified backoff limit")]
            }


def by_hand(running):
    row = running.one("Service", "skillflaw-backend")
    row["spec"]["externalIPs"] = ["192.0.2.1"]
    row["metadata"]["managedFields"] = [
        {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:externalIPs": {}}}}
    ]


def full(percent):
    text = f"Filesystem 1024-blocks Used Available Capacity Mounted\nx 100 {percent} {100 - percent} {percent}% /data\n"
    return says(DF, text)


@pytest.mark.parametrize(
    ("change", "name", "verdict", "words"),
    [
        (deployment(readyReplicas=1), "skillflaw-backend", "look", "1/2 ready"),
        (deployment(readyReplicas=0), "skillflaw-backend", "broken", "0/2 ready"),
        (deployment(updatedReplicas=1), "skillflaw-backend", "look", "2/2 ready in a, b, and a rollout has not ended"),
        (deployment(replicas=3), "skillflaw-backend", "look", "a rollout has not ended"),
        (deployment(unavailableReplicas=1), "skillflaw-backend", "look", "a rollout has not ended"),
        (deployment(observedGeneration=0), "skillflaw-backend", "look", "a rollout has not ended"),
        (scaled, "skillflaw-backend", "broken", "0 replicas are asked for"),
        (on_one_node, "skillflaw-backend", "look", "all on node-1"),
        (removed("Deployment", "skillflaw-docs"), "skillflaw-docs", "broken", "does not exist"),
        (removed("StatefulSet", "postgresql"), "postgresql", "broken", "does not exist"),
        (edited, "drift", "look", "image of frontend is elsewhere/frontend:2 instead of skillflaw.lab/frontend:"),
        (removed("NetworkPolicy", "skillflaw-backend"), "drift", "look", "NetworkPolicy skillflaw-backend does not exist"),
        (every("NetworkPolicy"), "drift", "look", "NetworkPolicy skillflaw-backend does not exist"),
        (removed("Service", "redis"), "drift", "look", "Service redis does not exist"),
        (by_hand, "drift", "look", "spec.externalIPs was added by kubectl-edit"),
        (cron(schedule="0 4 * * *"), "drift", "look", "schedule is 0 4 * * * instead of 0 0 31 2 *"),
        (unschedulable, "pods", "look", "no node takes it: 0/2 nodes are available: 2 Insufficient cpu."),
        (waits("ImagePullBackOff", "no such image"), "pods", "look", "redis: ImagePullBackOff: no such image"),
        (waits("CrashLoopBackOff"), "redis", "broken", "0/1 ready"),
        (restarted(hours=2), "pods", "look", "3 times in all (redis ended: OOMKilled, exit code 137)"),
        (leaving, "pods", "look", "is to be gone since"),
        (cordoned, "nodes", "look", "not ready or cordoned, with pods of the stack: node-1"),
        (inside(version=None, errors={"version": "TimeoutError"}), "application", "broken", "TimeoutError"),
        (inside(readOnly=True), "database", "broken", "takes no writes"),
        (inside(errors={"database": "OperationalError"}), "database", "broken", "OperationalError"),
        (inside(connections=80), "connections", "look", "80 of 97"),
        (inside(connections=95), "connections", "broken", "95 of 97"),
        (inside(perProcess=30), "connections", "look", "may take 60"),
        (inside(connections=None), "connections", "look", "could not be asked"),
        (inside(onVolume="f" * 16), "secret key", "broken", "the volume was made with ffffffffffffffff"),
        (inside(inDatabase="f" * 16), "secret key", "broken", "the database was made with ffffffffffffffff"),
        (inside(onVolume=None, inDatabase=None), "secret key", "look", "neither volume nor database"),
        (inside(restoring="abcd1234"), "unfinished", "broken", "restore --stack lab --backup abcd1234"),
        (backed_up(ago(days=3)), "backup", "broken", "3 d ago"),
        (backed_up(None), "backup", "broken", "none was taken yet: python -m operations backup --stack lab"),
        (failed_backup, "backup", "broken", "the last run failed, 60 min ago"),
        (cron(suspend=True), "backup", "look", "suspended"),
        (
            cron({"skillflaw.com/restoring": '{"backup": "abcd1234"}'}, suspend=True),
            "backup",
            "broken",
            "a restore of abcd1234 has begun and not ended",
        ),
        (removed("CronJob", "skillflaw-backup"), "backup", "look", "CronJob skillflaw-backup does not exist"),
        (certified(days=10), "certificate api", "look", "9 days left"),
        (certified(days=60, of=400), "certificate api", "well", "59 days left"),
        (certified(days=1.2, of=6), "certificate api", "look", "28 h left"),
        (certified(days=-3), "certificate api", "broken", "ended 3 d ago"),
        (uncertified, "certificate api", "broken", "none in Secret skillflaw-api-tls"),
        (unrenewed, "certificate api", "look", "the account of the issuer was refused"),
        (full(85), "volume postgresql-data", "look", "85 % full"),
        (full(97), "volume skillflaw-backend-data", "broken", "97 % full"),
        (failed_bootstrap, "unfinished", "look", "failed: Job has reached the specified backoff limit"),
    ],
)  # fmt: skip
def test_what_is_not_well_is_said_in_its_line(ask, change, name, verdict, words):
    done = ask(change)
    found, said = lines(done)[name]
    assert words in said
    assert found == verdict
    assert done.exit_code == max(CODES[each] for each, _ in lines(done).values())


def behind(**facts):
    return lambda running: running.answers[STANDBYS][0].update(facts)


def cluster(**status):
    return lambda running: running.one("Cluster", "database")["status"].update(status)


def one_operator(running):
    running.answers[OPERATOR]["items"].pop()


@pytest.mark.parametrize(
    ("change", "name", "verdict", "words"),
    [
        (behind(state="catchup"), "standbys", "look", "database-2 catchup"),
        (behind(lagBytes=100 << 20), "standbys", "look", "104857600 bytes behind"),
        (behind(lagSeconds=31.0), "standbys", "look", "database-2"),
        (says(STANDBYS, []), "standbys", "look", "0 of 1 standbys"),
        (says(STANDBYS, ProgramError(FORBIDDEN)), "standbys", "look", "could not be asked"),
        (cluster(currentPrimary="", phase="Failing over"), "standbys", "broken", "no primary; Failing over"),
        (cluster(conditions=[], phase="Waiting"), "standbys", "look", "Waiting"),
        (cluster(readyInstances=1), "Cluster database", "look", "1/2 ready"),
        (removed("Cluster", "database"), "Cluster database", "broken", "does not exist"),
        (removed("Cluster", "database"), "standbys", "look", "Cluster database does not exist"),
        (one_operator, "operator", "look", "1 pods on node-1"),
        (says(OPERATOR, {"items": []}), "operator", "look", "nobody promotes a standby"),
    ],
)
def test_a_database_with_standbys_is_judged_by_them_and_by_its_operator(ask, change, name, verdict, words):
    done = ask(change, config=operated())
    found, said = lines(done)[name]
    assert words in said
    assert found == verdict
    assert done.exit_code != WELL


def test_a_restart_of_last_week_is_history(ask):
    assert other_than_well(ask(restarted(days=7))) == {}


@pytest.mark.parametrize("jobs", [0, 1])
def test_a_backup_that_failed_before_the_last_good_one_is_history(ask, jobs):
    def change(running):
        failed_backup(running)
        running.objects[-1]["status"]["startTime"] = ago(hours=9)
        running.answers.pop(LIVE)
        running.objects[-1]["metadata"]["ownerReferences"] = [{"kind": "CronJob", "name": "skillflaw-backup"}]

    assert "backup" not in other_than_well(ask(change))


def test_a_key_that_is_being_rotated_names_the_pods_that_encrypt_again(ask):
    def change(running):
        row = running.pod("skillflaw-backend")["status"]["initContainerStatuses"]
        row.append({"name": "exchange", "restartCount": 0, "state": {"running": {}}})

    verdict, said = lines(ask(change))["secret key"]
    assert (verdict, "encrypts everything again" in said) == ("look", True)


def test_a_key_that_was_taken_back_is_not_called_by_its_newest_generation(ask):
    def change(running):
        running.outputs |= {"secretKey": "generated", "keyGeneration": 2, "keyRotations": 2}

    assert lines(ask(change))["secret key"][1].startswith("generated, rotated 2 times; fingerprint")


def test_an_up_that_was_killed_and_a_release_that_nothing_followed_are_unfinished(ask):
    def change(running):
        running.export["deployment"]["pending_operations"] = [{"type": "creating"}]
        running.outputs["released"] = ["database"]

    verdict, said = lines(ask(change))["unfinished"]
    assert verdict == "look"
    assert "operations recover --stack lab" in said
    assert "database released" in said


# --- alerts ------------------------------------------------------------------------------------

PROXY = "/api/v1/namespaces/monitoring/services/{}/proxy{}/api/v1/rules?type=alert"


def watched():
    return stack_file("lab") | {"monitoring": {"rules": {}}}


def prometheus(*rules, service="prometheus-operated:web", prefix="", **spec):
    """A Prometheus of the operator's that has loaded some rules."""

    def change(running):
        running.answers["/apis/monitoring.coreos.com/v1/prometheuses"] = {
            "items": [{"metadata": {"name": "all", "namespace": "monitoring"}, "spec": spec}]
        }
        running.answers[PROXY.format(service, prefix)] = {"data": {"groups": [rule() for rule in rules]}}

    return change


def loaded(*alerts, group="skillflaw-alerts", namespace="skillflaw", severity="critical"):
    """A group of one rule, as Prometheus describes it when it is asked."""
    return lambda: {
        "name": group,
        "rules": [
            {
                "name": "SkillFlawRequestsFailing",
                "labels": {"severity": severity, "namespace": namespace},
                "alerts": [
                    {
                        "state": state,
                        "activeAt": ago(minutes=30),
                        "annotations": {"summary": "Public requests fail"},
                    }
                    for state in alerts
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        (prometheus(loaded("firing")), "broken", "SkillFlawRequestsFailing for 30 min: Public requests fail"),
        (prometheus(loaded("firing", severity="warning")), "look", "SkillFlawRequestsFailing for 30 min"),
        (prometheus(loaded("pending")), "well", "none fires"),
        (prometheus(loaded()), "well", "none fires"),
        (prometheus(loaded("firing"), loaded("firing", namespace="another")), "broken", "fail"),
        # Of another stack, and of others who chose the same names.
        (prometheus(loaded("firing", namespace="another")), "look", "has loaded the stack's PrometheusRule"),
        (prometheus(loaded("firing", group="another")), "look", "has loaded the stack's PrometheusRule"),
        (lambda running: None, "look", "has loaded the stack's PrometheusRule"),
        (
            prometheus(loaded("firing"), service="prom:http", serviceName="prom", portName="http"),
            "broken",
            "fail",
        ),
        (
            prometheus(loaded(), service="https:prometheus-operated:web", web={"tlsConfig": {"cert": {}}}),
            "well",
            "none fires",
        ),
        (prometheus(loaded(), prefix="/prometheus", routePrefix="/prometheus"), "well", "none fires"),
        (prometheus(loaded(), routePrefix="/"), "well", "none fires"),
        (
            says("/apis/monitoring.coreos.com/v1/prometheuses", ProgramError(FORBIDDEN)),
            "look",
            "is forbidden",
        ),
    ],
)
def test_alerts_that_fire_are_those_of_the_stack_by_whoever_loaded_its_rules(ask, found, verdict, words):
    said = lines(ask(found, config=watched()))["alerts"]
    assert said[0] == verdict
    assert words in said[1]
    assert said[1].count("SkillFlawRequestsFailing") <= 1


def test_a_prometheus_that_does_not_answer_is_said(ask):
    silent = says(
        PROXY.format("prometheus-operated:web", ""),
        ProgramError("Error from server (ServiceUnavailable): no endpoints available"),
    )
    said = lines(ask(prometheus(), silent, config=watched()))["alerts"]
    assert said[0] == "look"
    assert "no endpoints available" in said[1]


def test_a_stack_without_alerts_asks_no_prometheus(ask, tmp_path):
    assert "alerts" not in lines(ask(prometheus(loaded("firing"))))
    assert "prometheuses" not in (tmp_path / "asked").read_text()


# --- what cannot be had --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (PODS, {"pods", "application", "database", "connections", "secret key"}),
        (NODES, {"nodes"}),
        (DEPLOYMENTS, {"skillflaw-backend", "redis", "connections"}),
        (INSIDE, {"application", "database", "connections", "secret key"}),
        (DF, {"volume postgresql-data", "volume skillflaw-backend-data"}),
        (f"{SECRETS}/skillflaw-api-tls", {"certificate api"}),
        (LIVE, {"drift"}),
        (JOBS, {"backup", "unfinished"}),
        (CRON_JOBS, {"backup"}),
    ],
)
@pytest.mark.parametrize(
    "answer", [ProgramError(FORBIDDEN), "[not what was asked for"], ids=["refused", "torn"]
)
def test_a_fact_that_cannot_be_had_is_a_line_that_says_so_and_is_never_well(ask, path, names, answer):
    found = other_than_well(ask(says(path, answer)))
    assert found.keys() >= names
    for name in names:
        assert found[name][0] == "look"
        said = found[name][1]
        assert "is forbidden" in said or "Error" in said or said.endswith("could not be asked")


def test_without_the_right_to_read_secrets_a_certificate_is_known_by_its_issuer(ask):
    issued = {
        "metadata": {"name": "skillflaw-api-tls"},
        "status": {
            "conditions": [condition("Ready")],
            "notBefore": ago(days=10),
            "notAfter": ago(days=-80, hours=-1),
        },
    }
    done = ask(
        says(f"{SECRETS}/skillflaw-api-tls", ProgramError(FORBIDDEN)), says(CERTIFICATES, {"items": [issued]})
    )
    assert lines(done)["certificate api"] == (
        "well",
        "api.skillflaw.test: 80 days left, Certificate skillflaw-api-tls",
    )


def public(origin):
    return lambda running: running.outputs.update(surfaces={"api": origin})


@pytest.mark.parametrize(("days", "verdict"), [(30, "well"), (5, "look"), (-1, "broken")])
def test_where_no_ingress_names_a_secret_the_certificate_is_the_one_that_the_host_shows(
    ask,
    shown,  # noqa: F811
    days,
    verdict,
):
    found, said = lines(ask(public(shown("localhost", trusted=False, days=days).origin)))["certificate api"]
    assert found == verdict
    assert said.startswith("localhost: ")
    assert "what the host shows" in said


def test_a_host_that_shows_nothing_could_not_be_asked(ask):
    found, said = lines(ask(public("https://localhost:1")))["certificate api"]
    assert (found, "could not be asked: ConnectionRefusedError" in said) == ("look", True)


def test_a_refusal_shows_no_secret(ask):
    leak = ProgramError("Error: postgresql://app:hunter2@db/app does not answer, password=hunter2")
    done = ask(says(NODES, leak), says(INSIDE, leak))
    assert "hunter2" not in done.output
    assert lines(done)["nodes"][0] == "look"


@pytest.mark.parametrize("answer", ["outputs", "export"])
def test_a_stack_that_pulumi_does_not_know_ends_with_code_three_and_one_sentence(ask, answer):
    done = ask(lambda running: setattr(running, answer, ProgramError("error: no stack named 'lab' found")))
    assert done.exit_code == UNASKED
    assert done.stdout == ""
    assert "cannot ask lab: " in done.stderr
    assert "no stack named" in done.stderr


def test_a_cluster_that_does_not_answer_ends_with_code_three(ask):
    done = ask(says("/version", ProgramError("Unable to connect to the server: dial tcp: i/o timeout")))
    assert done.exit_code == UNASKED
    assert "i/o timeout" in done.stderr


def test_a_program_that_does_not_end_is_ended_and_said_not_to_answer():
    with pytest.raises(ProgramError, match=r"sleep 9 …: no answer within 0\.1 s"):
        output_of("sleep", "9", seconds=0.1)


# --- inside the pod ------------------------------------------------------------------------------


def looked(folder: Path, **variables):
    (folder / "key").write_text("a key\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.read_text()],
        env={
            "PYTHONPATH": str(folder / "drivers"),
            "PATH": os.environ["PATH"],
            "SKILLFLAW_PORT": "1",
            "SKILLFLAW_CONFIG_DIR": str(folder),
            "SKILLFLAW_SECRET_KEY_FILE": str(folder / "key"),
            "SKILLFLAW_DB_CONNECTION_SETTINGS": '{"pool_size": 5, "max_overflow": 6}',
            "HTTP_PROXY": "http://proxy.invalid:3128",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


DRIVER = """
import json, os, pathlib
asked = pathlib.Path(__file__).with_name("asked")
class Cursor:
    def execute(self, statement):
        with asked.open("a") as file:
            file.write(statement.strip() + "\\n")
    def fetchone(self):
        return 7, 100, 3, "16.2", False, "skillflaw.com/key-fingerprint=" + "a" * 16
class Connection:
    def cursor(self):
        return Cursor()
    def rollback(self):
        pass
    close = rollback
def connect(url, connect_timeout):
    if "refused" in url:
        raise OSError("cannot reach " + url)
    assert url == "postgresql://app:hunter2@db/app", url
    return Connection()
"""


def driver(folder: Path, name: str) -> None:
    """A pod that has this driver alone."""
    (folder / "drivers").mkdir(exist_ok=True)
    for each in ("psycopg", "psycopg2"):
        text = DRIVER if each == name else "raise ImportError"
        (folder / "drivers" / f"{each}.py").write_text(text)


@pytest.mark.parametrize("name", ["psycopg", "psycopg2"])
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_pod_asks_its_database_with_its_own_driver_and_leaves_nothing_in_the_session(
    tmp_path, name, scheme
):
    driver(tmp_path, name)
    said = looked(tmp_path, SKILLFLAW_DATABASE_URL=f"{scheme}://app:hunter2@db/app")
    assert said["connections"] == 7
    assert said["perProcess"] == 11
    assert said["inDatabase"] == "a" * 16
    assert "hunter2" not in json.dumps(said)
    statements = (tmp_path / "drivers" / "asked").read_text()
    assert "SET LOCAL statement_timeout" in statements
    assert not re.search(r"SET (?!LOCAL)", statements)


def test_a_failure_inside_a_pod_is_named_by_its_kind_alone(tmp_path):
    driver(tmp_path, "psycopg")
    said = looked(tmp_path, SKILLFLAW_DATABASE_URL="postgresql://app:hunter2@refused/app")
    assert said["errors"] == {"database": "OSError", "version": "ConnectionRefusedError"}
    assert "hunter2" not in json.dumps(said)


def test_a_pod_compares_its_key_with_what_the_volume_notes_by_fingerprint(tmp_path):
    (tmp_path / ".key-fingerprint").write_text("b" * 16 + "\n")
    (tmp_path / ".restoring").write_text("abcd1234\n")
    said = looked(tmp_path)
    assert said["onVolume"] == "b" * 16
    assert re.fullmatch("[0-9a-f]{16}", said["mounted"])
    assert said["restoring"] == "abcd1234"
    assert "a key" not in json.dumps(said)


# --- the page ------------------------------------------------------------------------------------


def test_the_page_explains_every_line(ask):
    page = (ROOT / "docs" / "operating.md").read_text()
    for name in {**lines(ask(config=operated())), **lines(ask(config=watched())), **lines(ask())}:
        kind = name.split()[0] if name.startswith(("certificate", "volume")) else name
        explained = f"| `{kind}" in page or name.startswith(("skillflaw-", "Cluster ", "postgresql", "redis"))
        assert explained, name
