"""A measurement from its first step to its last: load is raised until a bound is reached or the goal is broken."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from operations.load.measured import Goal, Load, Step
from operations.load.sender import Sender
from operations.load.watch import Watch
from operations.program import ProgramError
from operations.review.preview import at
from operations.stack import Stack
from operations.status.asked import Asked

INTERRUPTED = "It was interrupted"


def public(outputs: Stack) -> str:
    """The origin through which the public runs flows: the API's host, or the web UI's.

    Raises:
        ProgramError: there is none.
    """
    api = outputs.surfaces.get("api") if {"run", "management"} & set(outputs.api_allow) else None
    if origin := api or outputs.surfaces.get("app"):
        return origin
    shown = ", ".join(sorted(outputs.surfaces)) or "none"
    raise ProgramError(
        f"no public host runs flows (surfaces: {shown}); load goes through surfaces.api with `run` in its allow, or"
        " through surfaces.app: write one into the stack file and run pulumi up"
    )


def rising(most: int) -> list[int]:
    """Numbers of clients: 1, 2, 4, … up to the most."""
    return [2**power for power in range(most.bit_length()) if 2**power < most] + [most]


def measure(
    asked: Asked,
    sender: Sender,
    goal: Goal,
    *,
    users: int,
    seconds: int,
    requests: int,
    say: Callable[[str], None],
) -> Load:
    """Raises the load until the goal is broken or a bound is reached, and says of each step what came of it.

    Args:
        users: the most clients at a time.
        seconds: duration of each step.
        requests: the most requests of all steps together.

    Raises:
        ProgramError: nobody could be asked, or nothing be sent, before the first step ended.
    """
    steps: list[Step] = []
    left, ended = requests, f"All steps up to {users} clients kept the goal"
    plan = rising(users)
    try:
        with _ended_by_signal():
            for number, count in enumerate(plan, 1):
                say(f"step {number}/{len(plan)}: {count} clients for {seconds} s")
                done = step(asked, sender, count, seconds, left)
                steps.append(done)
                left -= done.sent.requests
                say(f"  {_said(done)}")
                if broken := goal.broken_by(done.sent):
                    ended = f"It ended at {count} clients: {broken}"
                    break
                if left <= 0:
                    ended = f"It ended after {requests} requests, the most that were allowed"
                    break
    except KeyboardInterrupt:
        ended = INTERRUPTED
    except ProgramError as error:
        if not steps:
            raise
        ended = f"It ended for want of an answer: {error}"
    return Load(
        stack=asked.stack,
        host=sender.origin,
        flow=sender.flow,
        at=asked.now,
        goal=goal,
        autoscaled_to=_autoscaled_to(asked),
        steps=tuple(steps),
        ended=ended,
    )


def step(asked: Asked, sender: Sender, users: int, seconds: int, requests: int) -> Step:
    """So many clients for a while, and what they took. Raises ProgramError when nothing could be sent."""
    watch = Watch(asked, seconds)
    sent = sender.send(users, seconds, requests, watch.look)
    watch.look()
    return Step(
        users=users, sent=sent, backend=watch.backend, pods=watch.pods(), connections=watch.connections()
    )


def _said(step: Step) -> str:
    sent = step.sent
    parts = [f"{sent.rate:.1f} requests/s", f"{sent.failed} of {sent.requests} failed"]
    if sent.p50 is not None and sent.p95 is not None:
        parts.insert(1, f"p50 {sent.p50:.3f} s, p95 {sent.p95:.3f} s")
    if step.cores is not None and step.milliseconds is not None:
        parts.append(
            f"{len(step.backend)} pods use {step.cores:.2f} cores, {step.milliseconds:.0f} ms a request"
        )
    return ", ".join(parts)


def _autoscaled_to(asked: Asked) -> int | None:
    found = (row for row in asked.declared if row["kind"] == "HorizontalPodAutoscaler")
    return next((int(at(row, "spec", "maxReplicas")) for row in found), None)


@contextlib.contextmanager
def _ended_by_signal() -> Iterator[None]:
    """A job that is cancelled leaves its report, as a Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
