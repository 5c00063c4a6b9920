"""Stack files that the program refuses, and those of the project that it takes."""

import json

from tests.engine.stack import shipped

DIGEST = f"sha256:{'0' * 64}"


def test_an_unsafe_stack_file_is_refused_whole_and_nothing_is_registered(fresh):
    fresh.sections["storage"]["accessMode"] = "ReadWriteOnce"
    fresh.sections["surfaces"]["app"]["host"] = "api.skillflaw.test"
    fresh.sections["bakend"] = {}
    done = fresh.up(check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "the stack file has 3 problems" in said
    for key in ("storage.accessMode", "surfaces.app.host", "bakend"):
        assert key in said
    assert "Traceback" not in said
    assert "unhandled" not in said
    assert "non-zero exit code" not in said
    state = json.loads(fresh.pulumi("stack", "export", f"--stack={fresh.name}").stdout)
    registered = {row["type"] for row in state["deployment"]["resources"]}
    assert registered <= {"pulumi:pulumi:Stack", "pulumi:providers:pulumi"}
    assert f"namespace/{fresh.name}" not in fresh.kubectl("get", "namespaces", "--output=name").split()


def test_a_migration_of_running_state_is_refused_by_name(whole):
    whole.sections["storage"]["className"] = "local"
    whole.sections["database"] = {"external": {"secretName": "elsewhere", "key": "url"}}
    whole.sections["backend"]["uid"] = 20002
    said = whole.refusal()
    for key in ("storage.className", "database", "backend.uid"):
        assert f"\n    {key}\n" in said
    assert "protection.migrating" in said


def test_the_production_file_asks_for_digests_and_is_taken_with_them(fresh):
    fresh.sections = shipped("prod")
    said = fresh.refusal()
    for key in ("images.backend", "images.frontend"):
        assert f"\n    {key}\n" in said
    assert "@sha256:" in said

    for name, image in fresh.sections["images"].items():
        fresh.sections["images"][name] = f"{image}@{DIGEST}"
    assert set(fresh.preview()) == {"create"}


def test_the_development_file_is_taken_as_it_is(fresh):
    fresh.sections = shipped("dev")
    assert set(fresh.preview()) == {"create"}
