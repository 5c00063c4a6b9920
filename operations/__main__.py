"""The command line: `python -m operations --help`."""

import os
import ssl
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from operations import github, identity
from operations import stack as stacks
from operations.kubectl import Kubectl
from operations.program import ProgramError
from operations.review import gate
from operations.review.drift import drift, drifted
from operations.review.markdown import MARKER, markdown
from operations.review.preview import PreviewError, read
from operations.review.text import text
from operations.review.verdict import Review, Verdict, failed, judge
from operations.validate.plan import Visitor, compose
from operations.validate.report import report
from operations.wire import Endpoint, resolved

# Tracebacks with local variables would show secrets.
app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(highlight=False)


@app.callback()
def operations() -> None:
    """What an operator does to a stack that runs."""


@app.command()
def validate(
    stack: Annotated[str, typer.Option(help="The stack's name; its outputs are all that is known of it.")],
    flow: Annotated[
        str, typer.Option(help="Id or alias of a flow with Chat Input and Chat Output, enabled for MCP.")
    ],
    tool: Annotated[
        str | None, typer.Option(help="The flow's MCP tool, when it is not named like the flow.")
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with an API key; otherwise SKILLFLAW_API_KEY.")
    ] = None,
    ui_user: Annotated[str, typer.Option(help="Owner of the flow, who signs in to the UI.")] = "skillflaw",
    ui_password_file: Annotated[
        Path | None, typer.Option(help="File with the password; otherwise SKILLFLAW_UI_PASSWORD.")
    ] = None,
    ingress_address: Annotated[
        str | None, typer.Option(help="Address the stack's hosts lead to, instead of what DNS says.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="The only authority trusted for the stack's hosts (PEM).")
    ] = None,
) -> None:
    """Section 5 of the guide against the live stack, through the Service and through the ingress.

    Exit codes: 0, every check passed; 1, a check failed; 2, it could not begin (options, outputs, cluster).
    """
    try:
        known = stacks.read(stack)
        visitor = Visitor(
            flow=flow,
            tool=tool,
            key=_secret("SKILLFLAW_API_KEY", api_key_file),
            user=ui_user,
            password=_secret("SKILLFLAW_UI_PASSWORD", ui_password_file) if "app" in known.surfaces else "",
        )
        trust = ssl.create_default_context(cafile=ca_file)
        edge = {surface: Endpoint(origin, trust) for surface, origin in known.surfaces.items()}
        kubectl = Kubectl(known.context, known.namespace)
        with (
            kubectl.port_forward(known.backend_service, known.backend_port) as service,
            resolved({at.host for at in edge.values()}, ingress_address),
        ):
            checks = compose(
                service=Endpoint(service),
                edge=edge,
                allow=known.api_allow,
                kubectl=kubectl,
                visitor=visitor,
                address=ingress_address,
            )
            where = f"context {known.context}, namespace {known.namespace}"
            console.print(f"validating {stack} ({where}): {len(checks)} checks", soft_wrap=True)
            failed = report(checks, console, [secret for secret in (visitor.key, visitor.password) if secret])
    except (ProgramError, OSError) as error:
        console.print(f"cannot validate {stack}: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    raise typer.Exit(1 if failed else 0)


class Form(StrEnum):
    """Of a review: for a terminal, for a comment, for other programs."""

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
    """What a change would lose, interrupt, open and roll, the worst first.

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
    previews: Annotated[list[Path], typer.Argument(help="What `pulumi preview --refresh --json` wrote.")],
) -> None:
    """What was changed in the clusters beside the program, by object and field.

    Exit codes: 0, nothing; 3, something; 5, a cluster or a stack could not be looked at.
    """
    reviews = [_reviewed(file) for file in previews]
    typer.echo(drift(reviews), nl=False)
    raise typer.Exit(drifted(reviews))


def _reviewed(file: Path) -> Review:
    try:
        return judge(read(file))
    except PreviewError as error:
        return failed(file.stem, str(error))


@app.command()
def comment(
    pull_request: Annotated[int, typer.Argument(help="Its number.")],
    file: Annotated[Path, typer.Argument(help="A review in Markdown.")],
) -> None:
    """Makes a review the pull request's one comment of its kind."""
    _told(lambda: github.comment(pull_request, file, MARKER))


@app.command()
def issue(
    title: Annotated[str, typer.Argument(help="Of the issue that is opened, or edited when one is open.")],
    file: Annotated[Path, typer.Argument(help="Its text, in Markdown.")],
) -> None:
    """Makes a file the text of the one open issue of a title."""
    _told(lambda: github.issue(title, file))


@app.command()
def reviewed(
    commit: Annotated[str, typer.Argument(help="A commit that a pull request brought.")],
    folder: Annotated[Path, typer.Option(help="Where `review.json` is written.")] = Path("reviews"),
) -> None:
    """Fetches the review that a commit's pull request was agreed to with, or an empty one: nothing was agreed to."""

    def fetch() -> None:
        if not github.reviewed(commit, folder):
            folder.mkdir(exist_ok=True)
            (folder / "review.json").write_text(gate.NOTHING)
            typer.echo(f"no review of {commit} is kept: only what is safe will pass")

    _told(fetch)


@app.command("identity")
def identity_command(
    audience: Annotated[str, typer.Argument(help="Who the token is for.")],
    kubectl: Annotated[
        bool, typer.Option("--kubectl", help="In the form that a kubeconfig's `exec` gives to kubectl.")
    ] = False,
) -> None:
    """Prints a token that says who this CI job is."""
    _told(lambda: typer.echo(identity.credential(audience) if kubectl else identity.token(audience)))


def _told(act: Callable[[], None]) -> None:
    """Acts, and tells a program's refusal without a traceback."""
    try:
        act()
    except ProgramError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def _secret(variable: str, file: Path | None) -> str:
    value = (file.read_text() if file else os.environ.get(variable, "")).strip()
    if not value:
        raise typer.BadParameter(f"{file} is empty" if file else f"give its file, or set {variable}")
    return value


if __name__ == "__main__":
    app(prog_name="python -m operations")
