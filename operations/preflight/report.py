"""What the checks said: a line each, then everything that lacks with what to do about it."""

from rich.console import Console

from operations.preflight.problem import Outcome
from operations.program import ProgramError


def report(outcomes: list[Outcome | ProgramError], console: Console) -> int:
    """Shows the outcomes and returns the command's exit code: 0, nothing lacks; 1, something does; 2, not all was seen."""
    problems = [problem for each in outcomes if isinstance(each, Outcome) for problem in each.problems]
    unseen = [each for each in outcomes if isinstance(each, ProgramError)]
    for each in outcomes:
        if isinstance(each, ProgramError):
            _say(console, f"? {each}")
        else:
            _say(console, f"{'✗' if each.problems else '✓'} {each.looked_at}")
    for what, found, remedy in problems:
        _say(console, f"\n✗ {what}\n  found:  {found}\n  remedy: {remedy}")
    if problems:
        _say(console, f"\nlacking: {len(problems)}")
    if unseen:
        _say(console, f"\nnot seen: {len(unseen)}; whoever runs this must be allowed to read it")
    if problems:
        return 1
    return 2 if unseen else 0


def _say(console: Console, text: str) -> None:
    # Names and selectors in a cluster may look like markup.
    console.print(text, soft_wrap=True, markup=False)
