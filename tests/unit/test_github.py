"""What is asked of GitHub, by a gh that notes it."""

import json

import pytest
from typer.testing import CliRunner

from operations.__main__ import app

FAKE = """#!/bin/sh
printf '%s\\n' "$*" >> {folder}/asked
case "$*" in
  *pulls*) cat {folder}/head 2>/dev/null;;
  *"run list"*) cat {folder}/run 2>/dev/null;;
  *"run download"*) mkdir -p {folder}/reviews && echo '{{"stacks": {{"dev": {{}}}}}}' > {folder}/reviews/review.json;;
  *--paginate*) cat {folder}/comments 2>/dev/null;;
  *"issue list"*) cat {folder}/issues 2>/dev/null;;
esac
exit 0
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


def test_the_review_that_was_agreed_to_is_the_one_of_the_commits_pull_request(gh):
    (gh / "head").write_text("abc\n")
    (gh / "run").write_text("99\n")
    assert run("reviewed", "def").exit_code == 0
    commits, runs, download = asked(gh)
    assert "/commits/def/pulls" in commits
    assert "--commit=abc" in runs
    assert download == "run download 99 --name=review --dir=reviews"
    assert json.loads((gh / "reviews" / "review.json").read_text())["stacks"] == {"dev": {}}


@pytest.mark.parametrize("head", ["", "abc"])
def test_without_a_pull_request_or_its_review_nothing_was_agreed_to(gh, head):
    (gh / "head").write_text(head)
    done = run("reviewed", "def")
    assert done.exit_code == 0
    assert "only what is safe will pass" in done.output
    assert json.loads((gh / "reviews" / "review.json").read_text())["stacks"] == {}


def test_a_machine_without_gh_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("comment", 7, "review.md")
    assert done.exit_code == 2
    assert "gh is not installed" in done.output
