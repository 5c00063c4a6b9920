"""Commands about a change before it happens, and about what happened without one; what a workflow's steps call."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from operations import drift as by_hand
from operations import github, identity
from operations.program import ProgramError
from operations.refusal import refusal
from operations.review import gate
from operations.review.added import Added
from operations.review.drift import drift, drifted
from operations.review.markdown import MARKER, markdown
from operations.review.preview import AGAIN, PreviewError, read
from operations.review.text import text
from operations.review.verdict import Review, Verdict, failed, judge

app = typer.Typer(pretty_exceptions_enable=False)


class Form(StrEnum):
    """Forms of a review: for a terminal, for a comment, for other programs."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


FORMS = {Form.TEXT: text, Form.MARKDOWN: markdown, Form.JSON: gate.as_json}


@app.command()
def review(
    previews: Annotated[
        list[Path], typer.Argument(help="What `pulumi preview --json` wrote, a file per stack.")
    ],
    form: Annotated[
        Form, typer.Option("--format", help="For a terminal, a comment, or programs.")
    ] = Form.TEXT,
    reviewed: Annotated[
        Path | None,
        typer.Option(help="A review in JSON that was agreed to: exit 0 unless this one holds more."),
    ] = None,
) -> None:
    """Reviews what a change would lose, interrupt, open and roll, the worst first.

    Exit codes: 0, safe; 3, needs attention; 4, replaces or deletes state; 5, a preview failed or cannot be read.
    """
    reviews = [_reviewed(file) for file in previews]
    typer.echo(FORMS[form](reviews), nl=False)
    verdict = gate.verdict(reviews)
    if reviewed:
        try:
            more = gate.unreviewed(reviews, reviewed)
        except PreviewError as error:
            more, verdict = [str(error)], Verdict.FAILED
        for line in more:
            typer.echo(f"not in the review that was agreed to: {line}", err=True)
        verdict = verdict if more else Verdict.SAFE
    raise typer.Exit(verdict)


@app.command("drift")
def drift_command(
    previews: Annotated[
        list[Path] | None,
        typer.Argument(help="What `pulumi preview --refresh --json` wrote, a file per stack."),
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option(help="A stack in whose cluster to look for fields and objects that were added."),
    ] = None,
) -> None:
    """Reports what was changed in the clusters outside the program, by object and field, and what was added.

    Exit codes: 0, nothing; 3, something; 5, a cluster or a stack could not be looked at.
    """
    if not previews and not stack:
        raise typer.BadParameter("give a preview's file, or --stack, or both")
    reviews = [_reviewed(file) for file in previews or ()]
    added: dict[str, Added] = {}
    if stack:
        name = stack.rpartition("/")[2]
        try:
            added[name] = by_hand.added(stack)
        except (ProgramError, OSError) as error:
            reviews.append(failed(name, str(error)))
    typer.echo(drift(reviews, added), nl=False)
    raise typer.Exit(drifted(reviews, added))


def _reviewed(file: Path) -> Review:
    try:
        return judge(read(file))
    except PreviewError as error:
        return failed(file.stem, str(error))
    except RecursionError:
        return failed(file.stem, f"{file} nests values deeper than the engine writes them: {AGAIN}")


@app.command()
def comment(
    pull_request: Annotated[int, typer.Argument(help="Its number.")],
    file: Annotated[Path, typer.Argument(help="A review in Markdown.")],
) -> None:
    """Makes a review the pull request's one comment of its kind."""
    with refusal(f"cannot comment on {pull_request}"):
        github.comment(pull_request, file, MARKER)


@app.command()
def issue(
    title: Annotated[str, typer.Argument(help="Of the issue that is opened, or edited when one is open.")],
    file: Annotated[Path, typer.Argument(help="Its text, in Markdown.")],
) -> None:
    """Makes a file the text of the one open issue of a title."""
    with refusal(f"cannot write issue {title!r}"):
        github.issue(title, file)


@app.command()
def reviewed(
    commit: Annotated[str, typer.Argument(help="The commit that merged a pull request, in full.")],
    folder: Annotated[Path, typer.Option(help="Where `review.json` is written.")] = Path("reviews"),
) -> None:
    """Fetches the review that a commit's pull request was agreed to with, or an empty one: nothing was agreed to.

    Exit codes: 0, one of the two is written; 2, GitHub does not say which.
    """
    with refusal(f"cannot find the review of {commit}"):
        review = github.reviewed(commit)
        if not review:
            typer.echo(f"no review of {commit} is kept: only what is safe will pass")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "review.json").write_text(review or gate.NOTHING)


@app.command("identity")
def identity_command(
    audience: Annotated[str, typer.Argument(help="Who the token is for.")],
    kubectl: Annotated[
        bool, typer.Option("--kubectl", help="In the form that a kubeconfig's `exec` gives to kubectl.")
    ] = False,
) -> None:
    """Prints a token that says who this CI job is."""
    with refusal(f"cannot get a token for {audience}"):
        typer.echo(identity.credential(audience) if kubectl else identity.token(audience))
