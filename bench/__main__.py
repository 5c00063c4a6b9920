"""Prints what the program costs as a table, and writes it to docs/cost.md: `make bench`."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import flat, growth
from bench.preview import Cost, preview
from bench.registrations import registrations
from bench.stack import Stack, copy_program, run, stack_file
from lab import cluster, engine, toolchain
from lab.layout import PROJECT, SIMULATED
from settings.load import parse

PAIRS = 7
PAGE = PROJECT / "docs" / "cost.md"
HEAD = f"""\
# What the program costs

Measured by `make bench` on the simulated lab, medians of {PAIRS} runs; what is compared was run in turns, in the same run.
The lab's own language host ran it. The official one took about 1 s more for each command: it looks for the environment and
asks `pip list` (the 19 commands of `tests/engine/test_language_host.py`: 22 s, and 43 s with the official one).

A preview of the production stack without a change, on a slow machine (3.45 s of one run), is: 1.02 s until the program
begins (the engine, the host, Python with `pulumi`), 0.84 s of imports (nearly all of it the SDK's `core.v1` and
`batch.v1`), 0.04 s for the stack file and its rules, 0.13 s to declare everything, 1.09 s in which engine and provider
answer, and 0.33 s until the engine has ended.

| what | measured | goal |
|---|---|---|
"""


class Row(NamedTuple):
    what: str
    measured: str
    goal: str

    def __str__(self) -> str:
        return f"| {' | '.join(self)} |"


EMPTY = "import pulumi\n"
ONE_OBJECT = f"""
import pulumi
import pulumi_kubernetes as k8s
cluster = k8s.Provider("cluster", context={SIMULATED.name!r}, kubeconfig="")
metadata = k8s.meta.v1.ObjectMetaArgs(namespace="default")
k8s.core.v1.ConfigMap("one", metadata=metadata, data={{}}, opts=pulumi.ResourceOptions(provider=cluster))
"""


@contextmanager
def up(name: str, source: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Callable[[], Cost]]:
    """A Python stack of that source, up, and the measurement of a preview that changes nothing."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text((PROJECT / "Pulumi.yaml").read_text())
    (folder / "__main__.py").write_text(source)
    (folder / ".venv").symlink_to((PROJECT / ".venv").resolve())
    _pulumi(folder, environment, "stack", "init", name, "--secrets-provider=passphrase")
    _pulumi(folder, environment, "up", f"--stack={name}", "--yes", "--skip-preview")
    yield lambda: preview(folder, name, environment, "--expect-no-changes")
    _pulumi(folder, environment, "destroy", f"--stack={name}", "--yes", "--remove")


def _pulumi(folder: Path, environment: Mapping[str, str], *words: str) -> None:
    run(folder, environment, "pulumi", *words, "--non-interactive")


def in_turns(*measure: Callable[[], Cost]) -> list[Cost]:
    """Medians of several measurements that take turns, so that whatever else the machine does meets each of them."""
    rounds = [[one() for one in measure] for _ in range(PAIRS)]
    return [
        Cost(
            statistics.median(cost.seconds for cost in costs),
            statistics.median(cost.mebibytes for cost in costs),
        )
        for costs in zip(*rounds, strict=True)
    ]


def against_a_flat_program(stack: Stack, folder: Path) -> Iterator[Row]:
    resources = registrations(stack.sections)

    def flat_program(name: str, ordered: bool) -> Callable[[], Cost]:
        made = folder / name
        made.mkdir()
        flat.write(made, resources, stack.sections["cluster"]["context"], ordered=ordered)
        _pulumi(made, stack.environment, "stack", "init", name, "--secrets-provider=passphrase")
        return lambda: preview(made, name, stack.environment)

    ours, theirs, literal = in_turns(
        lambda: preview(stack.program, stack.name, stack.environment),
        flat_program("ordered", True),
        flat_program("literal", False),
    )
    what = f"preview of {len(resources)} new objects, against a flat program of the same objects"
    yield Row(
        f"{what} in the same order: wall",
        f"{ours.seconds:.2f} s / {theirs.seconds:.2f} s = {ours.seconds / theirs.seconds:.2f}",
        "≤ 1.10",
    )
    yield Row(
        f"{what}, every value written down, so that none waits for another: wall",
        f"{ours.seconds:.2f} s / {literal.seconds:.2f} s = {ours.seconds / literal.seconds:.2f}",
        "",
    )
    ratio = ours.mebibytes / theirs.mebibytes
    yield Row(
        f"{what} in the same order: peak memory",
        f"{ours.mebibytes:.0f} MiB / {theirs.mebibytes:.0f} MiB = {ratio:.2f}",
        "≤ 1.05",
    )


def no_change_of_prod(stack: Stack, folder: Path) -> Iterator[Row]:
    stack.sections = stack_file("prod") | {"namespace": stack.sections["namespace"]}
    # Nothing publishes an address on simulated nodes.
    stack.sections["edge"]["awaitAddress"] = False
    stack.up()
    with (
        up("empty", EMPTY, folder / "empty", stack.environment) as empty,
        up("one", ONE_OBJECT, folder / "one", stack.environment) as one,
    ):
        ours, single, nothing = in_turns(
            lambda: preview(stack.program, stack.name, stack.environment, "--expect-no-changes"), one, empty
        )
    stack.pulumi("state", "unprotect", f"--stack={stack.name}", "--all", "--yes")
    for what, cost, goal in (
        ("the production stack", ours, "≤ 2 s"),
        ("a stack of one ConfigMap (the SDK's import, the provider's start)", single, ""),
    ):
        yield Row(
            f"preview without a change of {what}, against an empty Python stack",
            f"{cost.seconds:.2f} s - {nothing.seconds:.2f} s = {cost.seconds - nothing.seconds:.2f} s",
            goal,
        )


def time_to_ready(stack: Stack) -> Iterator[Row]:
    began = time.monotonic()
    stack.up()
    yield Row(
        "`pulumi up` of the whole topology from nothing, where every pod is ready at once",
        f"{time.monotonic() - began:.1f} s",
        "≤ 10 s",
    )


IMPORTS = """
import time, pulumi
began = time.perf_counter()
import settings
print(1000 * (time.perf_counter() - began))
"""


def settings() -> Iterator[Row]:
    imported = [
        float(
            subprocess.run(
                [sys.executable, "-c", IMPORTS], cwd=PROJECT, capture_output=True, check=True
            ).stdout
        )
        for _ in range(PAIRS)
    ]
    yield Row("settings imported, msgspec with them", f"{statistics.median(imported):.0f} ms", "")
    sections, timed = stack_file("lab"), []
    for _ in range(50):
        began = time.perf_counter()
        parse(sections, set())
        timed.append(1000 * (time.perf_counter() - began))
    yield Row("settings read and every rule checked", f"{statistics.median(timed):.1f} ms", "≤ 20 ms")
    for what, collected, goal in (("without", False, "≤ 1.2"), ("with", True, "")):
        once = statistics.median(
            growth.seconds_per_copy(sections, 1, collected=collected) for _ in range(PAIRS)
        )
        many = growth.seconds_per_copy(sections, 50, collected=collected)
        yield Row(
            f"the program when one process declares it 50 times, against once, {what} the garbage collector",
            f"{1000 * many:.0f} ms / {1000 * once:.0f} ms = {many / once:.2f}",
            goal,
        )


def main() -> int:
    if not cluster.running(SIMULATED):
        print(f"{SIMULATED.name} does not run: python -m lab up --simulated", file=sys.stderr)
        return 2
    with ExitStack() as cleanup:
        folders = [Path(cleanup.enter_context(tempfile.TemporaryDirectory())) for _ in range(4)]
        state, program, other, nothing = folders
        tools = toolchain.prepare(lambda words: None)
        environment = engine.environment(SIMULATED, tools) | {"PULUMI_BACKEND_URL": f"file://{state}"}
        os.environ.update(environment)
        copy_program(program)
        rows = list(settings())
        with Stack(program, "bench", environment) as stack:
            rows += against_a_flat_program(stack, other)
            rows += time_to_ready(stack)
        with Stack(program, "bench-prod", environment) as stack:
            rows += no_change_of_prod(stack, nothing)
    page = HEAD + "".join(f"{row}\n" for row in rows)
    print(page, end="")
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
