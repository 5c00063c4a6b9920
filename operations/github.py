"""Reviews and agreements on GitHub, through gh, which holds the credentials."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from operations.program import ProgramError, output_of

REPOSITORY = "repos/{owner}/{repo}"
"""gh fills it in from the checkout."""

BRANCH = "main"
"""The branch that is deployed: what was agreed to for any other one is no agreement to a deploy."""

WORKFLOW = ".github/workflows/preview.yml"
ARTIFACT = "review"

GONE = re.compile(r"no valid artifacts|no artifact matches|HTTP (404|410)")
"""Words of gh about an artifact that was deleted, or expired, after it was listed."""


def comment(pull_request: int, file: Path, marker: str) -> None:
    """Makes the file the pull request's one comment that begins with `marker`: edits it, or writes the first.

    Raises:
        ProgramError: gh is not installed, or GitHub says no.
    """
    ours = f'.[] | select(.user.type == "Bot" and (.body | startswith("{marker}"))) | .id'
    comments = f"{REPOSITORY}/issues/{pull_request}/comments"
    known = output_of("gh", "api", comments, "--paginate", f"--jq={ours}").split()
    if known:
        edited = f"{REPOSITORY}/issues/comments/{known[0]}"
        output_of("gh", "api", edited, "--method=PATCH", f"--field=body=@{file}")
    else:
        output_of("gh", "api", comments, "--method=POST", f"--field=body=@{file}")


def issue(title: str, file: Path) -> None:
    """Makes the file the text of the open issue of that title: edits it, or opens one.

    Raises:
        ProgramError: gh is not installed, or GitHub says no.
    """
    listed = output_of("gh", "issue", "list", "--state=open", "--limit=1000", "--json=number,title",
                       "--jq=.[] | [.number, .title] | @tsv")  # fmt: skip
    rows = [line.partition("\t") for line in listed.splitlines()]
    known = [number for number, _, named in rows if named == title]
    if known:
        output_of("gh", "issue", "edit", known[0], f"--body-file={file}")
    else:
        output_of("gh", "issue", "create", f"--title={title}", f"--body-file={file}")


def reviewed(commit: str) -> str | None:
    """The review in JSON of the pull request that `commit` merged, as the preview workflow kept it.

    Only a run of the repository's own branch counts: a fork's run executes the fork's workflow, which may keep any file
    as a review.

    Returns:
        None when nothing was agreed to: no pull request was merged by `commit`, or no review of it is kept.

    Raises:
        ProgramError: gh is not installed or not signed in, or GitHub does not answer.
    """
    kept = (_review(run) for head in _merged_heads(commit) for run in _runs(head))
    return next((review for review in kept if review), None)


def _merged_heads(commit: str) -> Iterator[str]:
    """The last commit of each pull request that `commit` merged."""
    for pull in _asked(f"{REPOSITORY}/commits/{commit}/pulls?per_page=100"):
        if pull["merged_at"] and pull["base"]["ref"] == BRANCH and pull["merge_commit_sha"] == commit:
            yield pull["head"]["sha"]


def _runs(head: str) -> Iterator[int]:
    """The ended runs of the preview workflow for a pull request's last commit, the newest first."""
    query = f"head_sha={head}&event=pull_request&status=completed&per_page=100"
    for run in _asked(f"{REPOSITORY}/actions/runs?{query}")["workflow_runs"]:
        # The path may end in the ref it was read from; a repository that was deleted is none.
        ours = (run["head_repository"] or {}).get("full_name") == run["repository"]["full_name"]
        if ours and run["path"].partition("@")[0] == WORKFLOW:
            yield run["id"]


def _review(run: int) -> str | None:
    """The review in JSON that a run keeps, or None."""
    kept = _asked(f"{REPOSITORY}/actions/runs/{run}/artifacts?name={ARTIFACT}&per_page=100")["artifacts"]
    if all(artifact["name"] != ARTIFACT or artifact["expired"] for artifact in kept):
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            output_of("gh", "run", "download", str(run), f"--name={ARTIFACT}", f"--dir={folder}")
            return (Path(folder) / "review.json").read_text()
        except FileNotFoundError:
            return None
        except ProgramError as error:
            if GONE.search(str(error)):
                return None
            raise


def _asked(path: str) -> Any:
    """GitHub's answer to a GET."""
    answer = output_of("gh", "api", path)
    try:
        return json.loads(answer)
    except ValueError:
        raise ProgramError(f"gh api {path}: the answer is no JSON") from None
