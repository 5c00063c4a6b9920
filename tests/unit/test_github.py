"""Requests to GitHub, noted by a gh that sends none."""

import json

import pytest
from typer.testing import CliRunner

from operations.__main__ import app
from operations.github import ARTIFACT, BRANCH, WORKFLOW
from tests.unit.recorder import ROOT

FAKE = """#!/bin/sh
cd {folder}
printf '%s\\n' "$*" >> asked
case "$*" in
  *"/pulls?"*) answer=pulls;;
  *"/actions/runs?"*) answer=runs;;
  *"/artifacts?"*) answer=$(expr "$*" : '.*/runs/\\([0-9]*\\)/')-artifacts;;
  "run download"*) answer=$3-download;;
  *--paginate*) answer=comments;;
  *"issue list"*) answer=issues;;
esac
if [ -e "$answer-refused" ]; then cat "$answer-refused" >&2; exit 1; fi
if [ -e "$answer-kept" ]; then cp "$answer-kept" "$(expr "$*" : '.*--dir=\\(.*\\)')/review.json"; exit; fi
cat "$answer" 2>/dev/null || true
"""


@pytest.fixture
def gh(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(FAKE.format(folder=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def asked(gh):
    return (gh / "asked").read_text().splitlines()


def test_the_first_review_of_a_pull_request_becomes_a_new_comment(gh):
    assert run("comment", 7, "review.md").exit_code == 0
    assert asked(gh)[1:] == [
        "api repos/{owner}/{repo}/issues/7/comments --method=POST --field=body=@review.md"
    ]


def test_a_later_review_is_written_over_the_first_comment_that_is_ours(gh):
    (gh / "comments").write_text("41\n42\n")
    assert run("comment", 7, "review.md").exit_code == 0
    looked, edited = asked(gh)
    assert 'startswith("<!-- skillflaw-review -->")' in looked
    assert edited == "api repos/{owner}/{repo}/issues/comments/41 --method=PATCH --field=body=@review.md"


def test_drift_opens_one_issue_and_edits_it_from_then_on(gh):
    title = "Drift of the stack prod"
    assert run("issue", title, "drift.md").exit_code == 0
    assert asked(gh)[-1] == f"issue create --title={title} --body-file=drift.md"
    (gh / "issues").write_text(f"3\tDrift of the stack production\n5\t{title}\n")
    assert run("issue", title, "drift.md").exit_code == 0
    assert asked(gh)[-1] == "issue edit 5 --body-file=drift.md"


def pull(**changes):
    """A pull request as GitHub lists it for the commit that merged it."""
    return {
        "merged_at": "2026-11-25T20:00:00Z",
        "merge_commit_sha": "def",
        "base": {"ref": "main"},
        "head": {"sha": "abc"},
    } | changes


def run_of(number, **changes):
    """A run as GitHub lists it."""
    return {
        "id": number,
        "path": ".github/workflows/preview.yml",
        "head_repository": {"full_name": "us/skillflaw"},
        "repository": {"full_name": "us/skillflaw"},
    } | changes


@pytest.fixture
def merged(gh):
    """Answers of GitHub to the question what `def` merged; each call changes some."""

    def answers(pulls=None, runs=None, artifacts=None):
        (gh / "pulls").write_text(json.dumps([pull()] if pulls is None else pulls))
        runs = [run_of(99)] if runs is None else runs
        (gh / "runs").write_text(json.dumps({"total_count": len(runs), "workflow_runs": runs}))
        for row in runs:
            listed = [{"name": "review", "expired": False}]
            listed = (artifacts or {}).get(row["id"], listed)
            (gh / f"{row['id']}-artifacts").write_text(json.dumps({"artifacts": listed}))
            (gh / f"{row['id']}-download-kept").write_text(json.dumps({"stacks": {f"from {row['id']}": {}}}))
        return gh

    return answers


def agreed(gh):
    """The stacks in the review that `operations reviewed` writes; their name says which run it is from."""
    done = run("reviewed", "def")
    assert done.exit_code == 0, done.output
    stacks = json.loads((gh / "reviews" / "review.json").read_text())["stacks"]
    assert ("only what is safe will pass" in done.output) == (not stacks)
    return list(stacks)


def test_the_review_that_was_agreed_to_is_the_one_of_the_pull_request_that_the_commit_merged(merged):
    gh = merged()
    assert agreed(gh) == ["from 99"]
    *questions, download = asked(gh)
    assert questions == [
        "api repos/{owner}/{repo}/commits/def/pulls?per_page=100",
        "api repos/{owner}/{repo}/actions/runs?head_sha=abc&event=pull_request&status=completed&per_page=100",
        "api repos/{owner}/{repo}/actions/runs/99/artifacts?name=review&per_page=100",
    ]
    assert download.startswith("run download 99 --name=review --dir=")


@pytest.mark.parametrize(
    "pulls",
    [
        [],
        [pull(merged_at=None)],
        [pull(base={"ref": "feature"})],
        [pull(merge_commit_sha="other")],
        [pull(merge_commit_sha=None, merged_at=None)],
    ],
    ids=["none", "open", "into another branch", "merged by another commit", "open and never tried"],
)
def test_only_the_pull_request_that_the_commit_merged_into_main_is_agreed_to(merged, pulls):
    gh = merged(pulls=pulls)
    assert agreed(gh) == []
    assert len(asked(gh)) == 1


def test_among_several_pull_requests_with_the_commit_the_merged_one_counts(merged):
    gh = merged(pulls=[pull(base={"ref": "feature"}, head={"sha": "feature"}), pull()])
    assert agreed(gh) == ["from 99"]
    assert "head_sha=abc&" in asked(gh)[1]


@pytest.mark.parametrize(
    "run",
    [
        run_of(66, head_repository={"full_name": "stranger/skillflaw"}),
        run_of(66, head_repository=None),
        run_of(66, path=".github/workflows/checks.yml"),
        run_of(66, path=".github/workflows/another/preview.yml"),
    ],
    ids=["a fork's", "a deleted fork's", "another workflow's", "one of the same name"],
)
def test_a_run_that_is_not_the_repositorys_own_preview_counts_for_nothing(merged, run):
    assert agreed(merged(runs=[run])) == []
    assert agreed(merged(runs=[run, run_of(99)])) == ["from 99"]


def test_a_runs_path_may_name_the_ref_that_it_was_read_from(merged):
    assert agreed(merged(runs=[run_of(99, path=".github/workflows/preview.yml@refs/pull/7/merge")])) == [
        "from 99"
    ]


def test_the_newest_review_that_is_kept_counts(merged):
    runs = [run_of(99), run_of(98)]
    assert agreed(merged(runs=runs)) == ["from 99"]
    assert agreed(merged(runs=runs, artifacts={99: []})) == ["from 98"]


@pytest.mark.parametrize(
    "artifacts",
    [[], [{"name": "review", "expired": True}], [{"name": "preview-dev", "expired": False}]],
    ids=["none", "expired", "another"],
)
def test_without_a_review_that_is_kept_nothing_was_agreed_to(merged, artifacts):
    gh = merged(artifacts={99: artifacts})
    assert agreed(gh) == []
    assert not any("download" in line for line in asked(gh))


def test_an_artifact_without_a_review_in_json_is_none(merged):
    gh = merged()
    (gh / "99-download-kept").unlink()
    assert agreed(gh) == []


def test_without_any_run_nothing_was_agreed_to(merged):
    assert agreed(merged(runs=[])) == []


@pytest.mark.parametrize(
    "words",
    [
        "no valid artifacts found to download",
        "no artifact matches any of the names or patterns provided",
        "error downloading review: HTTP 410: Artifact has expired (https://api.github.com/…/zip)",
        "error downloading review: HTTP 404: Not Found (https://api.github.com/…/zip)",
    ],
)
def test_a_review_that_goes_between_the_list_and_the_download_is_none(merged, words):
    gh = merged()
    (gh / "99-download-refused").write_text(words)
    assert agreed(gh) == []


@pytest.mark.parametrize(("runs", "stacks"), [([], []), ([run_of(99)], ["from 99"])])
def test_a_review_of_an_earlier_deploy_does_not_stay(merged, runs, stacks):
    gh = merged(runs=runs)
    (gh / "reviews").mkdir()
    (gh / "reviews" / "review.json").write_text('{"stacks": {"earlier": {}}}')
    assert agreed(gh) == stacks


@pytest.mark.parametrize("answer", ["pulls", "runs", "99-artifacts", "99-download"])
@pytest.mark.parametrize(
    "words",
    [
        "gh: Server Error (HTTP 502)",
        "gh: Resource not accessible by integration (HTTP 403)",
        "To get started with GitHub CLI, please run:  gh auth login",
    ],
)
def test_when_github_does_not_say_what_was_agreed_to_the_command_fails(merged, answer, words):
    gh = merged()
    (gh / f"{answer}-refused").write_text(words)
    done = run("reviewed", "def")
    assert done.exit_code == 2
    assert words in done.output
    assert not (gh / "reviews").exists()


def test_an_answer_that_is_no_json_fails_in_one_sentence(merged):
    gh = merged()
    (gh / "runs").write_text("<html>please sign in</html>")
    done = run("reviewed", "def")
    assert done.exit_code == 2
    assert "the answer is no JSON" in done.output


def test_the_branch_and_the_workflow_that_reviews_are_taken_from_are_those_of_the_workflows():
    workflows = ROOT / ".github" / "workflows"
    assert f"branches: [{BRANCH}]" in (workflows / "deploy.yml").read_text()
    assert f"name: {ARTIFACT}\n" in (ROOT / WORKFLOW).read_text()


def test_a_machine_without_gh_gets_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("comment", 7, "review.md")
    assert done.exit_code == 2
    assert "gh is not installed" in done.output
