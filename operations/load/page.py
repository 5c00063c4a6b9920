"""The page about a measurement, with its plots next to it."""

from collections.abc import Callable
from pathlib import Path

from operations.load.measured import Connections, Load, Step, Use
from operations.load.plot import svg
from operations.load.proposal import fragment, held_back
from operations.status.facts import Unknown

PAGE = "README.md"
NONE = "–"


def write(load: Load, folder: Path) -> Path:
    """Writes the page and its plots into a folder, and returns the page."""
    for name, (title, lines) in _plots(load).items():
        (folder / f"{name}.svg").write_text(svg(title, [str(step.users) for step in load.steps], lines))
    page = folder / PAGE
    page.write_text(text(load))
    return page


def text(load: Load) -> str:
    """The page, as Markdown."""
    proposed, best = fragment(load), load.best
    parts = [
        f"# Load of `{load.stack}`",
        f"{load.at:%Y-%m-%d %H:%M} UTC, flow `{load.flow}` through `{load.host}`. Goal: p95 at most"
        f" {load.goal.p95_seconds:g} s, at most {load.goal.failed_percent:g} % failed. {load.ended}.",
        _table(load),
        *_notes(load),
        *(f"![{title}]({name}.svg)" for name, (title, _) in _plots(load).items() if load.steps),
        "## What held the last step back",
        "\n".join(f"- {line}" for line in _held_back(load)),
        "## What the stack file may ask for",
    ]
    if proposed and best:
        each = best.sent.rate / len(best.backend)
        parts += [
            f"For {best.sent.rate:.1f} requests/s of this flow, which {len(best.backend)} pods carried ({each:.1f} each),"
            " with one more where there are several, so that one may be away. For another load scale the number of pods"
            " with it, as long as nothing else holds it back.",
            f"```yaml\n{proposed}```",
        ]
    else:
        parts.append(_nothing(load))
    return "\n\n".join(parts) + "\n"


def _nothing(load: Load) -> str:
    if load.best is None:
        return "Nothing: no step kept the goal."
    return "Nothing: what the backend's pods used could not be read."


def _table(load: Load) -> str:
    head = (
        *("clients", "requests/s", "p50", "p95", "failed", "backend"),
        *("CPU of the backend", "CPU per request", "memory", "connections"),
    )
    rows = [f"| {' | '.join(_cells(step))} |" for step in load.steps]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *rows])


def _cells(step: Step) -> list[str]:
    sent = step.sent
    return [
        str(step.users),
        f"{sent.rate:.1f}",
        _written(sent.p50, "{:.3f} s"),
        _written(sent.p95, "{:.3f} s"),
        f"{sent.failed} of {sent.requests}",
        f"{len(step.backend)} pods",
        _written(step.cores, "{:.2f} cores"),
        _written(step.milliseconds, "{:.0f} ms"),
        _written(step.mib, "{:.0f} MiB"),
        NONE
        if isinstance(step.connections, Unknown)
        else f"{step.connections.used} of {step.connections.most}",
    ]


def _written(value: float | None, as_: str) -> str:
    return NONE if value is None else as_.format(value)


def _notes(load: Load) -> list[str]:
    lines = []
    for step in load.steps:
        lines += [f"{step.users} clients, failure: `{_inert(reason)}`" for reason in step.sent.reasons]
        for fact in (step.pods, step.connections):
            if isinstance(fact, Unknown):
                lines.append(f"{step.users} clients, not known: `{_inert(fact.why)}`")
    return ["\n".join(f"- {line}" for line in lines)] if lines else []


def _inert(words: str) -> str:
    """Words of a server inside a code span."""
    return words.replace("`", "'").replace("\n", " ")


def _held_back(load: Load) -> list[str]:
    if not load.steps:
        return ["There was none."]
    found = held_back(load.steps[-1])
    return found or [
        "Nothing that was measured: the nodes' own processors, or what the flow calls, if it slowed down at all."
    ]


Lines = dict[str, list[float | None]]


def _plots(load: Load) -> dict[str, tuple[str, Lines]]:
    """Title and lines of each plot, by the name of its file."""
    steps = load.steps
    return {
        "requests": ("Good answers per second", {"requests/s": [step.sent.rate for step in steps]}),
        "latency": (
            "Time of a request, in seconds",
            {"p50": [step.sent.p50 for step in steps], "p95": [step.sent.p95 for step in steps]},
        ),
        "cpu": ("CPU per pod, in cores", _by_pod(load, lambda use: use.cores)),
        "memory": ("Memory per pod, in MiB", _by_pod(load, lambda use: use.mib)),
        "connections": (
            "Connections of the database",
            {
                "used": [_connections(step, lambda it: it.used) for step in steps],
                "allowed": [_connections(step, lambda it: it.most) for step in steps],
            },
        ),
    }


def _connections(step: Step, value: Callable[[Connections], float]) -> float | None:
    return None if isinstance(step.connections, Unknown) else value(step.connections)


def _by_pod(load: Load, value: Callable[[Use], float]) -> Lines:
    by_step = [{} if isinstance(step.pods, Unknown) else step.pods for step in load.steps]
    names = sorted({name for pods in by_step for name in pods})
    return {name: [value(pods[name]) if name in pods else None for pods in by_step] for name in names}
