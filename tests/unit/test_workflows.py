"""The workflows: who may do what with which code, and that their steps are commands of the project."""

import os
import re
import subprocess
import textwrap
from fnmatch import fnmatch

import pytest
import typer
import yaml

from operations import drift
from operations.__main__ import app
from operations.diagnose import archive
from operations.load.watch import METRICS
from operations.status.asked import PATHS
from tests.edits import EDITS, VALUES, edited
from tests.stack_files import stack_file
from tests.unit.recorder import ROOT, run

FILES = sorted((ROOT / ".github").rglob("*.yml"))
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in FILES if path.parent.name == "workflows"}
STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml") if "lab" not in path.name)
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
IDENTITY = {"id-token": "write", "contents": "read"}


DOCUMENT = (ROOT / "docs" / "ci.md").read_text()
BLOCKS = [
    document
    for block in re.findall(r"^ *```yaml\n(.*?)^ *```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    for document in yaml.safe_load_all(textwrap.dedent(block))
]
ROLES = {block["metadata"]["name"]: block["rules"] for block in BLOCKS if block.get("kind") == "ClusterRole"}
(GITLAB,) = (block for block in BLOCKS if "stages" in block)


def jobs():
    return [(f"{name}.{job}", row) for name, flow in WORKFLOWS.items() for job, row in flow["jobs"].items()]


def steps(job, action):
    """Inputs that a job's steps give to an action."""
    return [step.get("with", {}) for step in job.get("steps", ()) if action in step.get("uses", "")]


def runs():
    parsed = [yaml.safe_load(path.read_text()) for path in FILES]
    holders = [holder for file in parsed for holder in file.get("jobs", {"": file.get("runs")}).values()]
    return [step["run"] for holder in holders for step in holder.get("steps", ()) if "run" in step]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_code_of_others_is_pinned_to_a_commit_with_its_version_beside_it(path):
    used = re.findall(r"uses: .*$", path.read_text(), re.MULTILINE)
    assert [line for line in used if not line.startswith("uses: ./") and not PINNED.match(line)] == []


def test_a_workflow_grants_nothing_but_reading_and_a_job_asks_for_the_rest():
    for name, workflow in WORKFLOWS.items():
        assert workflow["permissions"] in ({}, {"contents": "read"}), name
    granted = {name: job["permissions"] for name, job in jobs() if "permissions" in job}
    deploying = IDENTITY | {"actions": "read", "pull-requests": "read"}
    assert granted == {
        "preview.preview": IDENTITY,
        "preview.review": {"contents": "read", "pull-requests": "write"},
        "deploy.dev": deploying,
        "deploy.prod": deploying,
        "deploy-stack.deploy": deploying,
        "drift.drift": IDENTITY | {"issues": "write"},
    }


def test_no_workflow_runs_a_pull_requests_code_with_rights_of_the_target():
    triggers = {name: set(workflow[True]) for name, workflow in WORKFLOWS.items()}
    assert triggers == {
        "checks": {"pull_request", "push"},
        "preview": {"pull_request"},
        "deploy": {"push"},
        "deploy-stack": {"workflow_call"},
        "drift": {"schedule", "workflow_dispatch"},
    }


def test_no_checkout_leaves_a_token_in_the_folder():
    given = {
        name: [step.get("persist-credentials") for step in steps(job, "actions/checkout")]
        for name, job in jobs()
    }
    assert {name: kept for name, kept in given.items() if kept} == {
        "checks.checks": [False],
        "preview.preview": [False],
        "preview.review": [False],
        "deploy-stack.deploy": [False],
        "drift.drift": [False],
    }


def test_whoever_may_comment_runs_only_the_base_branchs_code():
    jobs = WORKFLOWS["preview"]["jobs"]
    base = "${{ github.event.pull_request.base.sha }}"
    for name, job in jobs.items():
        writes = "write" in {
            job.get("permissions", {}).get(scope) for scope in ("pull-requests", "contents", "issues")
        }
        refs = [step.get("ref") for step in steps(job, "actions/checkout")]
        assert refs == ([base] if writes else [None] if name == "preview" else []), name
    assert WORKFLOWS["preview"][True]["pull_request"] == {
        "branches": WORKFLOWS["deploy"][True]["push"]["branches"]
    }


def test_the_base_branchs_code_gets_the_changes_previews_as_files_alone():
    preview, review = (WORKFLOWS["preview"]["jobs"][name] for name in ("preview", "review"))
    (written,), (read,) = steps(preview, "upload-artifact"), steps(review, "download-artifact")
    # The whole folder, for how pulumi ended lies next to what it wrote; and no other, for there is code.
    assert written["path"] == read["path"] == "previews/"
    assert fnmatch(written["name"], read["pattern"])
    names = [step.get("uses", step.get("run", "")).split("@")[0] for step in review["steps"]]
    assert names.index("actions/checkout") < names.index("./.github/actions/environment")
    assert names.index("./.github/actions/environment") < names.index("actions/download-artifact")
    assert "environment" not in review


def test_what_was_agreed_to_is_kept_once_it_could_be_read_and_in_the_place_of_any_forgery():
    review = WORKFLOWS["preview"]["jobs"]["review"]
    names = [step.get("uses", step.get("run", "")) for step in review["steps"]]
    (commented,) = (place for place, name in enumerate(names) if "operations comment" in name)
    (kept,) = (place for place, name in enumerate(names) if "upload-artifact" in name)
    assert commented < kept
    assert steps(review, "upload-artifact") == [{"name": "review", "path": "reviews/", "overwrite": True}]


def test_each_purpose_has_an_environment_and_so_an_identity_of_its_own():
    held = {name: job["environment"] for name, job in jobs() if "environment" in job}
    assert held == {
        "preview.preview": "preview",
        "drift.drift": "drift",
        "deploy-stack.deploy": "${{ inputs.stack }}",
    }


def test_the_checks_know_no_secret_and_no_environment():
    text = (ROOT / ".github" / "workflows" / "checks.yml").read_text()
    assert not re.search(r"secrets|environment:|vars\.|id-token", text)


def test_a_fork_learns_why_it_gets_no_preview():
    preview = WORKFLOWS["preview"]["jobs"]
    # Not by `head.repo.fork`: it is true for every branch of a repository that is itself a fork.
    head = "github.event.pull_request.head.repo.full_name"
    assert preview["fork"]["if"] == f"{head} != github.repository"
    assert preview["fork"]["steps"][0]["run"].startswith('echo "::notice::')
    assert preview["preview"]["if"] == f"{head} == github.repository"


def test_every_stack_file_but_the_labs_is_previewed_deployed_and_looked_at_for_drift():
    assert WORKFLOWS["preview"]["jobs"]["preview"]["strategy"]["matrix"]["stack"] == STACKS
    assert WORKFLOWS["drift"]["jobs"]["drift"]["strategy"]["matrix"]["stack"] == STACKS
    deployed = WORKFLOWS["deploy"]["jobs"]
    assert sorted(job["with"]["stack"] for job in deployed.values()) == STACKS
    reviewing = "\n".join(step.get("run", "") for step in WORKFLOWS["preview"]["jobs"]["review"]["steps"])
    assert f'STACKS="{" ".join(STACKS)}"' in reviewing
    assert " ".join(f"previews/{stack}.json" for stack in STACKS) in reviewing


def test_production_follows_development_and_no_deploy_is_cancelled():
    deploy = WORKFLOWS["deploy"]
    assert deploy["jobs"]["prod"]["needs"] == "dev"
    assert deploy["concurrency"] == {"group": "deploy", "cancel-in-progress": False}


def test_a_deploy_previews_and_compares_before_and_validates_after():
    steps = [step.get("run", "") for step in WORKFLOWS["deploy-stack"]["jobs"]["deploy"]["steps"]]
    words = (
        "operations reviewed",
        "make preview",
        "--reviewed=",
        "operations preflight",
        "make deploy",
        "operations validate",
    )
    places = [next(index for index, step in enumerate(steps) if word in step) for word in words]
    assert places == sorted(places)


def test_nothing_that_fails_in_a_deploy_is_passed_over():
    text = (ROOT / ".github" / "workflows" / "deploy-stack.yml").read_text()
    assert not re.search(r"\|\||continue-on-error|always\(\)|failure\(\)|cancelled\(\)", text)


def test_every_step_is_a_command_of_the_project():
    commands = typer.main.get_command(app).commands
    makefile = (ROOT / "Makefile").read_text()
    for step in runs():
        if step.startswith(("echo ", "sudo install ")):
            continue
        command = re.fullmatch(
            r"(?:make (?P<target>[\w-]+)|\.venv/bin/python -m operations (?P<name>\w+))\b[^;&]*", step
        )
        assert command, step
        assert command["name"] in commands or f"\n{command['target']}:" in makefile, step


def test_no_step_pastes_an_expression_into_the_shell():
    pasted = {expression for step in runs() for expression in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", step)}
    assert pasted == set()


PULUMI_PROGRAM = """#!/bin/sh
echo "$*" >> asked
echo '{{"steps": []}}'
exit {code}
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Runs targets in a folder of their own, with a pulumi that notes what it is asked and ends with a given code."""
    monkeypatch.delenv("STACK", raising=False)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "operations").symlink_to(ROOT / "operations")
    (tmp_path / "bin").mkdir()

    def run(*words, code=0, **variables):
        program = tmp_path / "bin" / "pulumi"
        program.write_text(PULUMI_PROGRAM.format(code=code))
        program.chmod(0o755)
        path = f"{program.parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["make", f"--makefile={ROOT / 'Makefile'}", *words],
            cwd=tmp_path,
            env=os.environ | {"PATH": path} | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("code", [0, 1, 255])
@pytest.mark.parametrize(("target", "file"), [("preview", "dev.json"), ("drift", "drift-dev.json")])
def test_how_pulumi_ended_is_kept_next_to_what_it_wrote(make, tmp_path, target, file, code):
    make(target, "STACK=dev", code=code)
    previews = tmp_path / "previews"
    assert {path.name for path in previews.iterdir()} == {file, f"{file}.exit"}
    assert (previews / file).read_text() == '{"steps": []}\n'
    assert (previews / f"{file}.exit").read_text() == f"{code}\n"


@pytest.mark.parametrize("code", [0, 1, 255])
def test_a_preview_that_fails_goes_on_to_its_review(make, code):
    assert make("preview", "STACK=dev", code=code).returncode == 0


@pytest.mark.parametrize("target", ["deploy", "repair"])
def test_an_update_that_fails_stops_the_job(make, target):
    assert make(target, "STACK=dev").returncode == 0
    assert make(target, "STACK=dev", code=1).returncode != 0


@pytest.mark.parametrize("target", ["preview", "deploy", "repair", "drift"])
def test_without_a_name_no_stack_is_touched(make, tmp_path, target):
    for variables in ({}, {"STACK": ""}):
        done = make(target, **variables)
        assert done.returncode != 0
        assert "name the stack, as in STACK=dev" in done.stderr
    assert not (tmp_path / "asked").exists()


def test_a_stacks_name_is_a_word_of_the_command_and_no_command(make, tmp_path):
    name = "dev; touch broken"
    make("--keep-going", "preview", "deploy", "repair", "drift", STACK=name)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split(" --stack=")[1].split(" --")[0] for line in asked] == [name] * 4
    assert not (tmp_path / "broken").exists()


def test_make_asks_pulumi_for_what_is_meant(make, tmp_path):
    make("--keep-going", "preview", "drift", "deploy", "repair", "STACK=dev")
    assert (tmp_path / "asked").read_text().splitlines() == [
        "preview --policy-pack=policies --stack=dev --json --non-interactive",
        "preview --refresh --stack=dev --json --non-interactive",
        "up --policy-pack=policies --stack=dev --yes --skip-preview --non-interactive",
        "up --refresh --stack=dev --yes --skip-preview --non-interactive",
    ]


def rights(role):
    """Rights of a documented role: (API group, resource, verb)."""
    return {
        (group, resource, verb)
        for rule in ROLES[role]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def declared():
    """Every (API group, resource) that a stack may declare."""
    gateway = {"edge": {"gateway": {"name": "edge", "namespace": "edge"}}}
    lab, routed = stack_file("lab"), edited(EDITS["autoscaling"][0] | gateway)
    watched = lab | {"monitoring": {"metrics": {}, "rules": {}}, "network": {"policies": False}}
    operated = lab | VALUES["a database whose changes are archived"]
    for kind in {
        leaf.type for config in (lab, routed, watched, operated) for leaf in run(config).leaves.values()
    }:
        if kind.startswith("kubernetes:"):
            _, version, name = kind.split(":")
            plural = re.sub(r"y$", "ie", re.sub(r"ss$", "sse", name.lower())) + "s"
            yield version.rpartition("/")[0].removeprefix("core"), plural


def test_the_documented_roles_reach_every_kind_that_the_program_declares():
    kinds = set(declared())
    read = rights("skillflaw-read") | rights("skillflaw-read-secrets")
    assert {(*kind, verb) for kind in kinds for verb in ("get", "list", "watch")} <= read
    written = {(*kind, verb) for kind in kinds for verb in ("create", "delete", "patch", "update")}
    assert written <= rights("skillflaw-up")
    # And nothing that it does not declare.
    named = {resource for _, resource, _ in read}
    assert named == {resource for _, resource in kinds}
    assert {resource for _, resource, verb in rights("skillflaw-up") if verb == "patch"} == named


def test_the_documented_roles_let_drift_look_at_every_kind_that_could_be_added():
    roles = ("skillflaw-read", "skillflaw-read-secrets", "skillflaw-drift")
    given = {verb_of for role in roles for verb_of in rights(role)}
    for kind in (
        *drift.KINDS,
        *(f"{plural}.{group}" for group, plurals in drift.SERVED.items() for plural in plurals),
    ):
        plural, _, group = kind.partition(".")
        assert (group, plural, "list") in given, kind
    assert {verb for *_, verb in rights("skillflaw-drift")} == {"get", "list"}


def test_the_documented_roles_let_status_and_diagnose_read_everything_that_they_ask_for():
    roles = (
        "skillflaw-read",
        "skillflaw-read-secrets",
        "skillflaw-drift",
        "skillflaw-preflight",
        "skillflaw-status",
    )
    given = {verb_of for role in roles for verb_of in rights(role)}
    asked = {(path.split("/")[2], path.rpartition("/")[2]) for path in PATHS.values()} | {
        (version.rpartition("/")[0], resource)
        for version, resources in archive.KINDS.items()
        for resource in resources
    }
    asked |= {("", resource) for resource in ("events", "nodes", "pods", "secrets")}
    assert {(*kind, "list") for kind in asked} <= given
    assert {("", "pods/exec", "create"), ("", "pods/log", "get")} <= given
    assert (*METRICS.split("/")[2:3], "pods", "get") in given


def test_what_any_branch_may_use_reads_no_secret_and_writes_nothing():
    given = rights("skillflaw-read")
    assert {verb for *_, verb in given} == {"get", "list", "watch"}
    assert not {resource for _, resource, _ in given} & {"secrets", "*"}
    (binding,) = (block for block in BLOCKS if block.get("kind") == "RoleBinding")
    assert binding["roleRef"]["name"] == "skillflaw-read"
    assert [subject["name"].rpartition(":")[2] for subject in binding["subjects"]] == ["preview"]


def test_on_gitlab_too_the_target_branchs_code_judges_and_drift_is_looked_for_on_main():
    before = GITLAB["review"]["before_script"]
    (checkout,) = (place for place, line in enumerate(before) if line.startswith("git checkout"))
    assert "$CI_MERGE_REQUEST_DIFF_BASE_SHA" in before[checkout]
    assert before.index("make environment") > checkout
    assert "extends" not in GITLAB["review"]
    assert '$CI_COMMIT_BRANCH == "main"' in GITLAB["drift"]["rules"][0]["if"]


def test_each_stack_is_handled_on_gitlab_as_on_github():
    assert [GITLAB[job]["parallel"]["matrix"][0]["STACK"] for job in ("preview", "drift")] == [STACKS, STACKS]
    assert f'make review STACKS="{" ".join(STACKS)}"' in GITLAB["review"]["script"]
    jobs = {name: job for name, job in GITLAB.items() if isinstance(job, dict)}
    assert sorted(name for name, job in jobs.items() if job.get("extends") == ".deploy") == STACKS
