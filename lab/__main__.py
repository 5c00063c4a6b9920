"""`python -m lab`: a real cluster on this machine, and SkillFlaw on it."""

import os
import shlex
import subprocess
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import operations.stack
from lab import addons, cluster, engine, machine, mint, process, toolchain
from lab.errors import LabError
from lab.layout import DOMAIN, PROJECT, REAL, SIMULATED, Lab
from lab.progress import Progress

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None)
console = Console(soft_wrap=True)

Simulated = Annotated[
    bool,
    typer.Option(
        "--simulated", help="The flavour whose nodes are simulated: an API server for engine tests."
    ),
]
CREDENTIALS = REAL.state / "validate"


def _lab(simulated: bool) -> Lab:
    return SIMULATED if simulated else REAL


@app.command()
def up(simulated: Simulated = False) -> None:
    """Builds what is missing, starts the cluster, runs `pulumi up` of the stack `lab` and validates it."""
    lab = _lab(simulated)
    machine.claim(lab)
    progress = Progress(console, 1 + cluster.steps(lab) + (0 if simulated else 2))
    tools, images = cluster.build_parts(lab, progress)
    cluster.up(lab, tools, images, progress)
    if simulated:
        console.print(f"Simulated cluster ready after {progress.seconds:.0f} s: {lab.kubeconfig}")
        return
    os.environ.update(engine.environment(lab, tools))
    with progress.step("pulumi up --stack=lab") as report:
        changes = engine.up(lab, tools, report)
    console.print("  " + ", ".join(f"{count} {what}" for what, count in sorted(changes.items())))
    with progress.step("validate") as report:
        report("an API key and a flow")
        minted = _mint()
        report("every check of the production guide")
        checks = subprocess.run(
            [sys.executable, "-m", "operations", "validate", *_validate_options(minted)], check=False
        )
    if checks.returncode:
        raise typer.Exit(1)
    _reachable(lab)
    console.print(f"Done in {progress.seconds:.0f} s.")


@app.command()
def down(simulated: Simulated = False) -> None:
    """Ends every process of the lab and removes its network, mounts, cgroups and state."""
    machine.claim(_lab(simulated))
    cluster.down(_lab(simulated))


@app.command()
def status(simulated: Simulated = False) -> None:
    """Lists the parts that run, and the state of nodes and pods."""
    lab = _lab(simulated)
    table = Table("part", "process", box=None)
    for name in cluster.parts(lab):
        pid = process.find(lab, name)
        table.add_row(name, str(pid) if pid else "not running")
    console.print(table)
    if cluster.running(lab):
        tools = toolchain.prepare(lambda words: None)
        console.print(addons.kubectl(lab, tools, "get", "nodes,pods", "--all-namespaces", "--output=wide"))


@app.command()
def logs(node: Annotated[str, typer.Argument(help="A node, or any program of the lab.")]) -> None:
    """Prints the logs of a node's programs."""
    files = sorted((REAL.state / "logs").glob(f"{node}*.log"))
    if not files:
        known = sorted(file.stem for file in (REAL.state / "logs").glob("*.log"))
        raise LabError(f"no log of {node!r}; there are {', '.join(known) or 'none: the lab is down'}")
    for file in files:
        console.rule(file.stem)
        console.out(file.read_text(errors="replace"), end="", highlight=False)


@app.command()
def images() -> None:
    """Builds the images that the cache lacks and lists them."""
    machine.claim(REAL)
    _, built = cluster.build_parts(REAL, Progress(console, 1))
    for image in built.values():
        size = image.archive.stat().st_size / 2**20
        console.out(f"{size:6.0f} MiB  {image.reference}  {image.archive}", highlight=False)


@app.command()
def env() -> None:
    """Prints the shell variables with which `pulumi` and `kubectl` mean the lab: `eval "$(python -m lab env)"`."""
    tools = toolchain.prepare(lambda words: None)
    variables = engine.environment(REAL, tools)
    del variables[process.MARK]  # the shell is not the lab's, and outlives it
    for name, value in variables.items():
        console.out(f"export {name}={shlex.quote(value)}", highlight=False)


@app.command()
def actionlint() -> None:
    """Lints the workflows of the project."""
    program = toolchain.actionlint(lambda words: None)
    workflows = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
    raise typer.Exit(subprocess.run([program, *workflows], cwd=PROJECT, check=False).returncode)


@app.command("mint")
def mint_command() -> None:
    """Makes the API key and the flow that `operations validate` needs, and prints its options."""
    os.environ.update(engine.environment(REAL, toolchain.prepare(lambda words: None)))
    console.out(shlex.join(_validate_options(_mint())), highlight=False)


def _mint() -> mint.Minted:
    return mint.mint(operations.stack.read(engine.STACK), CREDENTIALS)


def _validate_options(minted: mint.Minted) -> list[str]:
    return [
        f"--stack={engine.STACK}",
        f"--flow={minted.flow}",
        f"--ui-user={minted.user}",
        f"--api-key-file={minted.api_key_file}",
        f"--ui-password-file={minted.ui_password_file}",
        f"--ingress-address={REAL.nodes[0].address}",
        f"--ca-file={REAL.pki / 'ca.crt'}",
    ]


def _reachable(lab: Lab) -> None:
    address = lab.nodes[0].address
    hosts = [f"{name}.{DOMAIN}" for name in ("api", "app", "docs")]
    lines = {
        "reachable": ", ".join(f"https://{host}" for host in hosts) + f" at {address}",
        "for a browser": f'echo "{address} {" ".join(hosts)}" >> /etc/hosts',
        "certificate authority": lab.pki / "ca.crt",
        "API key, UI password": CREDENTIALS,
        "pulumi and kubectl": 'eval "$(.venv/bin/python -m lab env)"',
    }
    for what, where in lines.items():
        console.print(f"  {what:<22} {where}", highlight=False, markup=False)


def main() -> None:
    try:
        app()
    except LabError as error:
        Console(stderr=True, soft_wrap=True).print(str(error), style="red", highlight=False, markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
