"""The command line: `python -m operations --help`."""

import contextlib
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from operations import adopt as adoption
from operations import backup as backups
from operations import changes
from operations import recover as recovery
from operations import release as releases
from operations import stack as stacks
from operations.diagnose import archive
from operations.kubectl import Kubectl
from operations.preflight import images as used
from operations.preflight import plan as preflights
from operations.preflight.report import report as lacking
from operations.program import ProgramError
from operations.refusal import refusal
from operations.status import gather
from operations.status.asked import asked as asking
from operations.status.report import as_json
from operations.status.report import report as shown
from operations.wire import Endpoint, resolved

StackName = Annotated[
    str, typer.Option("--stack", help="The stack's name; its outputs are all that is known of it.")
]
NewStackName = Annotated[
    str, typer.Option("--stack", help="The stack's name; its preview is all that is known of it.")
]

# Tracebacks with local variables would show secrets.
app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(changes.app)
console = Console(highlight=False)


@app.callback()
def operations() -> None:
    """Commands of an operator on a stack that runs."""


@app.command()
def validate(
    stack: StackName,
    flow: Annotated[
        str, typer.Option(help="Id or alias of a flow with Chat Input and Chat Output, enabled for MCP.")
    ],
    tool: Annotated[
        str | None, typer.Option(help="The flow's MCP tool, when it is not named like the flow.")
    ] = None,
    long_flow: Annotated[
        str | None,
        typer.Option(
            help="A flow that takes longer than a minute: its stream must pass the public host whole."
        ),
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

    Exit codes: 0, every check passed; 1, a check failed; 2, it could not begin (options, outputs, cluster, a rollout
    that has not ended after 15 minutes).
    """
    # The clients of openai and mcp take a second to import, which no other command needs.
    from operations.validate.plan import Visitor, compose
    from operations.validate.report import report

    with refusal(f"cannot validate {stack}"):
        known = stacks.read(stack)
        visitor = Visitor(
            flow=flow,
            tool=tool,
            long_flow=long_flow,
            key=_secret("SKILLFLAW_API_KEY", api_key_file),
            user=ui_user,
            password=_secret("SKILLFLAW_UI_PASSWORD", ui_password_file) if "app" in known.surfaces else "",
        )
        trust = ssl.create_default_context(cafile=ca_file)
        edge = {surface: Endpoint(origin, trust) for surface, origin in known.surfaces.items()}
        with known.kubectl() as kubectl:
            # `pulumi up` may have ended before its last rollout had begun.
            kubectl.wait_for_rollouts()
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
                where = f"context {known.context or 'of its kubeconfig'}, namespace {known.namespace}"
                console.print(f"validating {stack} ({where}): {len(checks)} checks", soft_wrap=True)
                secrets = [secret for secret in (visitor.key, visitor.password) if secret]
                failed = report(checks, console, secrets)
    raise typer.Exit(1 if failed else 0)


@app.command()
def status(
    stack: StackName,
    json_: Annotated[
        bool, typer.Option("--json", help="For programs: docs/operating.md has the shape.")
    ] = False,
) -> None:
    """How the stack is, on one screen, by reading only: what is well (✓), worth a look (?), broken (✗).

    Exit codes: 0, all is well; 1, something is worth a look; 2, something is broken; 3, it could not be asked.
    """
    with refusal(f"cannot ask {stack}", 3), asking(stack) as asked:
        known = gather.status(asked)
    if json_:
        document, code = as_json(known)
        typer.echo(document)
    else:
        code = shown(known, console)
    raise typer.Exit(code)


@app.command()
def diagnose(
    stack: StackName,
    to: Annotated[
        Path | None,
        typer.Option(help="Archive to write; otherwise diagnose-STACK-TIME.tar.gz in this folder."),
    ] = None,
) -> None:
    """Packs what a maintainer asks for: objects, events, logs, versions and status, without a value of any Secret.

    Exit codes: 0, written; 2, not written, since it could not be kept free of secrets, or for want of an answer.
    """
    with refusal(f"cannot diagnose {stack}"), asking(stack) as asked:
        file = to or Path(f"diagnose-{stack.rpartition('/')[2]}-{asked.now:%Y%m%dT%H%M%S}.tar.gz")
        lacking = archive.write(asked, file)
        console.print(f"{file}: look into it before you send it", soft_wrap=True, markup=False)
        if lacking:
            console.print("not read:", *lacking, sep="\n  ", soft_wrap=True, markup=False)


@app.command()
def load(
    stack: StackName,
    flow: Annotated[
        str, typer.Option(help="Id or alias of the flow that is run, with Chat Input and Output.")
    ],
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with an API key; otherwise SKILLFLAW_API_KEY.")
    ] = None,
    users: Annotated[
        int, typer.Option(min=1, max=512, help="Most clients at a time; steps are 1, 2, 4, … up to it.")
    ] = 32,
    step_seconds: Annotated[
        int, typer.Option(min=20, max=600, help="Duration of a step; flows under way then come to their end.")
    ] = 60,
    requests: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Most requests of all steps together.")
    ] = 50_000,
    p95_seconds: Annotated[
        float, typer.Option(min=0.01, max=120, help="The goal: 95 of 100 requests take no longer.")
    ] = 2.0,
    failed_percent: Annotated[float, typer.Option(min=0, max=100, help="The goal: no more fail.")] = 1.0,
    to: Annotated[
        Path | None,
        typer.Option(help="Folder to make for page and plots; otherwise load-STACK-TIME in this one."),
    ] = None,
    ingress_address: Annotated[
        str | None, typer.Option(help="Address the stack's hosts lead to, instead of what DNS says.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="The only authority trusted for the stack's hosts (PEM).")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the measurement, for programs.")] = False,
) -> None:
    """Raises the load on the stack's public host step by step until the goal is broken, and proposes what fits.

    Each request runs the flow as the key's owner, at the cost of whatever the flow calls. A Ctrl-C leaves the page too.

    Exit codes: 0, written, with a proposal; 1, written without one; 2, it could not begin.
    """
    from operations.load import page
    from operations.load.measure import measure, public, rising
    from operations.load.measured import Goal
    from operations.load.measured import as_json as document
    from operations.load.proposal import fragment
    from operations.load.sender import Sender

    def say(words: str) -> None:
        typer.echo(words, err=True)

    with refusal(f"cannot load {stack}"), asking(stack) as asked:
        origin = public(asked.outputs)
        key = _secret("SKILLFLAW_API_KEY", api_key_file)
        sender = Sender(origin=origin, flow=flow, key=key, address=ingress_address, ca_file=ca_file)
        sender.check()
        folder = to or Path(f"load-{stack.rpartition('/')[2]}-{asked.now:%Y%m%dT%H%M%S}")
        folder.mkdir()
        counts = rising(users)
        say(
            f"loading {stack} (namespace {asked.outputs.namespace}): flow {flow} through {origin}\n"
            f"  {len(counts)} steps of {step_seconds} s with {', '.join(map(str, counts))} clients at a time;"
            f" at most {requests} requests, about {len(counts) * step_seconds / 60:.0f} min\n"
            f"  ends at the first step with a p95 above {p95_seconds:g} s or more than {failed_percent:g} % failures;"
            " messages of the flow stay in sessions load-…"
        )
        goal = Goal(p95_seconds=p95_seconds, failed_percent=failed_percent)
        found = measure(asked, sender, goal, users=users, seconds=step_seconds, requests=requests, say=say)
        written = page.write(found, folder)
    say(f"{found.ended}.\n{written}")
    proposed = fragment(found)
    if json_:
        typer.echo(document(found, proposal=proposed))
    else:
        typer.echo(proposed or "nothing is proposed: see the page", nl=not proposed)
    raise typer.Exit(0 if proposed else 1)


@app.command()
def preflight(stack: NewStackName) -> None:
    """Before `pulumi up`: everything that the stack refers to and its cluster lacks, by reading only.

    Exit codes: 0, nothing lacks; 1, something lacks; 2, it could not look (stack, preview, cluster, permissions).
    """
    with refusal(f"cannot look ahead of {stack}"), preflights.prepare(stack) as prepared:
        console.print(f"{stack} ({prepared.where}), namespace {prepared.wanted.namespace}", soft_wrap=True)
        raise typer.Exit(lacking(prepared.run(), console))


@app.command()
def images(stack: NewStackName) -> None:
    """Every image of the stack, one per line, sorted: what a mirror must hold.

    Exit codes: 0, listed; 2, the preview failed.
    """
    with refusal(f"cannot list the images of {stack}"):
        console.print(*used.images(preflights.wanted_by(stack)), sep="\n", soft_wrap=True)


@app.command()
def backup(
    stack: StackName,
    list_: Annotated[bool, typer.Option("--list", help="List what the repository holds instead.")] = False,
) -> None:
    """Takes a backup now, in addition to the scheduled ones.

    Exit codes: 0, taken, and restored once in its trial server, or listed; 2, not.
    """
    with refusal(f"cannot back up {stack}"), _backups(stack) as (kubectl, cron_job):
        if not list_:
            console.print(backups.take(kubectl, cron_job), soft_wrap=True)
            return
        for it in backups.snapshots(kubectl, cron_job):
            facts = " ".join(f"{name}={value}" for name, value in it.facts.items() if name != "run")
            console.print(f"{it.id}  {it.time:%Y-%m-%d %H:%M:%S%z}  {it.stack}  {facts}", soft_wrap=True)


@app.command()
def restore(
    stack: StackName,
    backup: Annotated[str, typer.Option(help="Id of the backup, or latest.")],
    to_empty: Annotated[
        bool, typer.Option("--to-empty", help="Of another stack, into this one that has no backups yet.")
    ] = False,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Of an older image of the backend than the one that runs.")
    ] = False,
) -> None:
    """Replaces the stack's database and files by a backup's; the backend is stopped meanwhile.

    It is stopped only after it was proved that everything can be put back. Run it again after an interruption.

    Exit codes: 0, restored and serving; 2, refused (the backend runs as before) or failed.
    """
    with refusal(f"cannot restore {stack}"), _backups(stack) as (kubectl, cron_job):
        done = backups.restore(kubectl, cron_job, backup, console.print, to_empty=to_empty, migrate=migrate)
        console.print(done, soft_wrap=True)


@app.command()
def recover(stack: StackName) -> None:
    """Releases the lock of a killed `pulumi up` and finds again what was being created. Then run `pulumi up`.

    Exit codes: 0, recovered; 2, not.
    """
    with refusal(f"cannot recover {stack}"):
        console.print(f"{stack}: recovered", *recovery.recover(stack), sep="\n  ")


@app.command()
def adopt(
    stack: StackName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before anything is changed.")] = False,
) -> None:
    """Takes what exists in the cluster into a stack that has no state of it, without touching a Secret or a claim.

    Exit codes: 0, adopted, and a second `pulumi up` would change nothing; 2, refused or failed.
    """
    with refusal(f"cannot adopt into {stack}"), adoption.plan(stack) as plan:
        console.print(f"{stack} would own in namespace {plan.kubectl.namespace}:", *plan.taken, sep="\n  ")
        if not yes:
            typer.confirm("Take them over?", abort=True)
        kept = adoption.adopt(stack, plan)
        console.print("Kept, byte for byte:", *kept, sep="\n  ")


@app.command()
def release(
    stack: StackName,
    components: Annotated[
        list[str],
        typer.Argument(
            help="What another volume or server takes the place of: {', '.join(releases.COMPONENTS)}."
        ),
    ],
) -> None:
    """Lets go of components for a migration: the next `pulumi up` leaves in the cluster what it no longer declares.

    Exit codes: 0, released; 2, refused.
    """
    with refusal(f"cannot release of {stack}"):
        kept = releases.release(stack, components)
        console.print(
            "Stay in the cluster when the stack file no longer asks for them:", *map(str, kept), sep="\n  "
        )
        console.print(
            "To delete them one day:", *(each.deletion for each in kept), sep="\n  ", soft_wrap=True
        )


@contextlib.contextmanager
def _backups(stack: str) -> Iterator[tuple[Kubectl, str]]:
    known = stacks.read(stack)
    if not known.backup_cron_job:
        raise ProgramError("it has no backups: write backup.schedule into its stack file and run pulumi up")
    with known.kubectl() as kubectl:
        yield kubectl, known.backup_cron_job


def _secret(variable: str, file: Path | None) -> str:
    value = (file.read_text() if file else os.environ.get(variable, "")).strip()
    if not value:
        raise typer.BadParameter(f"{file} is empty" if file else f"give its file, or set {variable}")
    return value


if __name__ == "__main__":
    app(prog_name="python -m operations")
