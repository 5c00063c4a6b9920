"""A password that the stack makes is rotated by one edit: the server knows both logins while anybody uses the old one."""

import json

import pytest

from components.login import login_user
from operations.review.preview import read
from operations.review.verdict import Verdict, judge
from tests.edits import edited
from tests.stack_files import stack_file
from tests.unit.previews import digest
from tests.unit.recorder import SENTINEL, Program, engine_config, plain, record, run, whole_program

DATABASE, CACHE = "database.inCluster.passwordVersion", "cache.inCluster.passwordVersion"
SUPERUSER = "superuser.passwordVersion"
SERVERS = {DATABASE: "postgresql", CACHE: "redis"}
SECTIONS = {DATABASE: "database", CACHE: "cache"}


def versions(word: str | None, *paths: str) -> Program:
    return run(edited(dict.fromkeys(paths, word)))


def after(before: dict) -> Program:
    """The lab's committed file, which names no version, on a stack that exported something."""
    return record(whole_program, config=engine_config(stack_file("lab")), before=before)


def containers(program: Program, job: str) -> dict[str, dict]:
    return {container["name"]: container for container in program.pods[job]["containers"]}


def env(container: dict) -> dict[str, object]:
    return {row["name"]: row.get("value", row.get("valueFrom")) for row in container["env"]}


def waits_for(program: Program, name: str) -> set[str]:
    """Logical names of everything that a Job, Deployment or Secret is registered after."""
    [declared] = [it for it in program.leaves.values() if it.name == name]
    return {urn.rpartition("::")[2] for urn in declared.request.dependencies}


@pytest.fixture(scope="module")
def lab() -> Program:
    return run(stack_file("lab"))


@pytest.fixture(scope="module")
def rotated() -> Program:
    return versions("one", DATABASE, CACHE, SUPERUSER)


def test_without_a_version_there_is_no_login_and_no_job(lab):
    assert not {"logins", "logins-before"} & lab.pods.keys()
    assert {it.name for it in lab.of("RandomPassword")} == {
        f"{name}-password" for name in ("database", "cache", "superuser", "backup")
    }
    assert "passwordVersions" not in lab.outputs


@pytest.mark.parametrize("path", SERVERS)
def test_a_version_teaches_its_server_and_no_other(path):
    program = versions("one", path)
    for job, action in (("logins", "open"), ("logins-before", "close")):
        assert {name: it["args"] for name, it in containers(program, job).items()} == {
            SERVERS[path]: [action]
        }


@pytest.mark.parametrize("path", SERVERS)
def test_clients_sign_in_as_the_new_user_and_the_server_keeps_what_it_was_made_with(lab, path):
    program, section = versions("one", path), SECTIONS[path]
    url = plain(program.one("Secret", f"{section}-login-secret").inputs)["stringData"]["url"]
    assert f"//{login_user('one')}:{SENTINEL}" in url.replace("%2F", "/")
    kind = "StatefulSet" if section == "database" else "Deployment"
    assert program.one(kind, section).inputs == lab.one(kind, section).inputs
    for name in ("secret", "password"):
        kind = {"secret": "Secret", "password": "RandomPassword"}[name]
        assert program.one(kind, f"{section}-{name}").inputs == lab.one(kind, f"{section}-{name}").inputs


def test_a_server_learns_before_any_client_asks_and_forgets_after_the_last_replica_rolled(rotated):
    for client in ("bootstrap-key", "bootstrap"):
        assert {"logins", "database-login-now", "cache-login-now"} <= waits_for(rotated, client)
    assert {"database", "cache"} <= waits_for(rotated, "logins")
    assert not {"database-login-now", "cache-login-now"} & waits_for(rotated, "logins")
    for name in ("database-login-now", "cache-login-now"):
        assert "logins" in waits_for(rotated, name)
    assert {"backend", "database-login-now", "cache-login-now"} <= waits_for(rotated, "logins-before")


def test_the_old_login_outlives_the_longest_flow_of_a_replica_that_leaves(rotated):
    grace = rotated.pods["backend"]["terminationGracePeriodSeconds"]
    for container in containers(rotated, "logins-before").values():
        assert env(container)["WAIT"] == str(grace)
    assert rotated.one("Job", "logins-before").inputs["spec"]["activeDeadlineSeconds"] > grace + 300


def test_a_job_reads_who_signs_in_now_where_anybody_does(rotated):
    for name, container in containers(rotated, "logins").items():
        for key in ("user", "password"):
            assert env(container)[f"NOW_{key.upper()}"] == {
                "secretKeyRef": {"name": f"{name}-login", "key": key, "optional": True}
            }


def test_the_secret_of_who_signs_in_now_has_a_fixed_name_and_redis_starts_with_it(rotated):
    secret = rotated.one("Secret", "cache-login-now").inputs
    assert secret["metadata"]["name"] == "redis-login"
    [off, on] = plain(secret)["stringData"]["users.acl"].splitlines()
    assert off == "user default off"
    assert on.startswith(f"user {login_user('one')} on >{SENTINEL}")
    [volume] = [it for it in rotated.pods["cache"]["volumes"] if it["name"] == "login"]
    assert volume["secret"]["secretName"] == "redis-login"
    assert volume["secret"]["optional"]


def test_another_version_is_another_user():
    users = [login_user(version) for version in ("1", "2", "", "a word")]
    assert len(set(users)) == len(users)
    # Letters, digits and an underscore: neither a URL nor a configuration file needs them quoted.
    assert all(user.replace("_", "").isalnum() for user in users)


def test_a_version_that_is_left_out_again_is_another_one(lab):
    was = after({"passwordVersions": [CACHE, DATABASE, SUPERUSER]})
    for section in SECTIONS.values():
        password = was.one("RandomPassword", f"{section}-login-password")
        assert password.inputs["keepers"] == {"version": ""}
        assert (
            login_user("") in plain(was.one("Secret", f"{section}-login-secret").inputs)["stringData"]["url"]
        )
    assert was.one("RandomPassword", "superuser-login-password").inputs["keepers"] == {"version": ""}
    assert was.outputs["passwordVersions"] == [CACHE, DATABASE, SUPERUSER]


def test_a_stack_remembers_which_passwords_ever_had_a_version(rotated):
    config = engine_config(edited({DATABASE: "one"}))
    program = record(whole_program, config=config, before={"passwordVersions": [CACHE]})
    assert program.outputs["passwordVersions"] == [CACHE, DATABASE]
    assert rotated.outputs["passwordVersions"] == [CACHE, DATABASE, SUPERUSER]


def test_a_superuser_with_a_version_is_given_the_password_in_the_bootstrap_job_alone(rotated, lab):
    assert [it["name"] for it in rotated.pods["bootstrap"]["containers"]] == ["record", "superuser"]
    assert [it["name"] for it in lab.pods["bootstrap"]["containers"]] == ["record"]
    secret = rotated.names[rotated.one("Secret", "superuser-secret").urn]
    password = {"secretKeyRef": {"name": secret, "key": "password"}}
    [server] = [it for it in rotated.pods["bootstrap"]["initContainers"] if it["name"] == "backend"]
    assert env(server)["SKILLFLAW_API_KEY_SOURCE"] == "env"
    assert env(server)["SKILLFLAW_API_KEY"] == password
    [replica] = rotated.pods["backend"]["containers"]
    assert not {"SKILLFLAW_API_KEY", "SKILLFLAW_API_KEY_SOURCE"} & env(replica).keys()
    assert env(containers(rotated, "bootstrap")["superuser"])["SKILLFLAW_SUPERUSER_PASSWORD"] == password


@pytest.mark.parametrize(("version", "given"), [("2", True), (None, False)])
def test_a_superuser_by_reference_is_given_the_password_of_a_version(version, given):
    reference = {"secretName": "root", "key": "password"} | ({"version": version} if version else {})
    program = run(edited({"superuser.password": reference}))
    assert ("superuser" in containers(program, "bootstrap")) == given


def test_the_key_of_a_bootstrap_wins_over_one_of_the_operators():
    own = {"SKILLFLAW_API_KEY": {"secretName": "own", "key": "key"}}
    program = run(edited({SUPERUSER: "2", "backend.secretEnv": own}))
    [server] = [it for it in program.pods["bootstrap"]["initContainers"] if it["name"] == "backend"]
    [key] = [row for row in server["env"] if row["name"] == "SKILLFLAW_API_KEY"]
    assert key["valueFrom"]["secretKeyRef"]["name"].startswith("superuser-secret-")
    [replica] = program.pods["backend"]["containers"]
    assert env(replica)["SKILLFLAW_API_KEY"] == {"secretKeyRef": {"name": "own", "key": "key"}}


@pytest.mark.parametrize("path", [DATABASE, CACHE, SUPERUSER])
def test_a_rotation_is_called_one_and_loses_nothing(tmp_path, lab, path):
    def review(before: Program, now: Program):
        file = tmp_path / "prod.json"
        file.write_text(json.dumps(digest(before, now)))
        return judge(read(file))

    one, two = versions("one", path), versions("two", path)
    name = path.partition(".")[0]
    for before, now in ((lab, one), (one, two)):
        judged = review(before, now)
        assert judged.verdict == Verdict.ATTENTION
        assert f"makes another password, and ends the one before: {name}-login-password" in judged.warnings
        assert not any("another database" in line for line in judged.warnings)


def test_another_database_with_a_login_is_still_another_database(tmp_path):
    external = {"secretName": "theirs", "key": "url"}
    egress = [{"cidr": "10.0.0.0/8", "ports": [5432]}]
    before = run(edited({"database": {"external": external}, "network.egress": egress}))
    file = tmp_path / "prod.json"
    file.write_text(json.dumps(digest(before, versions("one", DATABASE))))
    judged = judge(read(file))
    assert judged.verdict == Verdict.DESTRUCTIVE
    assert any("uses another database" in line for line in judged.gives_up)
