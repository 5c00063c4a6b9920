"""Where reviewers read and what they agreed to, on GitHub; through gh, which holds the credentials."""

from pathlib import Path

from operations.program import output_of

REPOSITORY = "repos/{owner}/{repo}"
"""gh fills it in from the checkout."""


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


def reviewed(commit: str, folder: Path) -> bool:
    """Puts what the preview workflow wrote for the pull request that brought `commit` into `folder`.

    Returns:
        False when no pull request brought it, or none of its previews is kept any more.

    Raises:
        ProgramError: gh is not installed, or GitHub says no.
    """
    head = output_of(
        "gh", "api", f"{REPOSITORY}/commits/{commit}/pulls", "--jq=.[0].head.sha // empty"
    ).strip()
    if not head:
        return False
    runs = output_of("gh", "run", "list", "--workflow=preview.yml", f"--commit={head}", "--event=pull_request",
                     "--status=completed", "--limit=1", "--json=databaseId", "--jq=.[].databaseId")  # fmt: skip
    if not runs.strip():
        return False
    output_of("gh", "run", "download", runs.strip(), "--name=review", f"--dir={folder}")
    return True
