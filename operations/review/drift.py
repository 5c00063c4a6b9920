"""Differences of a cluster from what the program says: `pulumi preview --refresh`, read the other way round."""

from collections.abc import Iterator, Mapping, Sequence

from operations.review.added import Added
from operations.review.document import flat
from operations.review.markdown import code
from operations.review.verdict import Review, Verdict

PLAYBOOK = """\
If a change was right, bring it into the stack file or the program.
Otherwise `make repair STACK={stack}` takes it back."""

BY_HAND = """\
What was added belongs into the stack file or the program, or is taken back by:
"""


def drifted(reviews: Sequence[Review], added: Mapping[str, Added]) -> Verdict:
    """SAFE without drift, ATTENTION with, FAILED when a cluster or a stack could not be read."""
    if any(review.errors for review in reviews):
        return Verdict.FAILED
    found = any(list(_lines(review)) for review in reviews) or any(more.lines for more in added.values())
    return Verdict.ATTENTION if found else Verdict.SAFE


def drift(reviews: Sequence[Review], added: Mapping[str, Added]) -> str:
    """Every object and field that was changed outside the program, in Markdown; what was added, by stack."""
    by_stack = {review.stack: review for review in reviews}
    sections = [_section(review, added.get(review.stack, Added())) for review in reviews]
    sections += [_only_added(stack, more) for stack, more in added.items() if stack not in by_stack]
    return "\n".join(line for section in sections for line in (*section, ""))


def _section(review: Review, added: Added) -> Iterator[str]:
    if review.errors:
        yield f"{code(review.stack)} could not be looked at:\n"
        yield from (f"    {flat(line)}" for error in review.errors for line in error.splitlines())
        if added.lines:
            yield ""
            yield from _only_added(review.stack, added)
        return
    lines = list(_lines(review))
    if not lines:
        yield from _only_added(review.stack, added)
        return
    yield f"{code(review.stack)} is not what the program says:\n"
    yield from (*lines, *_additions(added))
    yield "\n" + PLAYBOOK.format(stack=flat(review.stack))
    if added.lines:
        yield from ("", *_commands(added))


def _only_added(stack: str, added: Added) -> Iterator[str]:
    if not added.lines:
        yield f"{code(stack)}: no drift"
        return
    yield f"{code(stack)} holds what the program does not know:\n"
    yield from (*_additions(added), "", *_commands(added))


def _additions(added: Added) -> Iterator[str]:
    for name, sentence in added.lines:
        yield f"- {code(name)}: {code(sentence)}"


def _commands(added: Added) -> Iterator[str]:
    yield BY_HAND
    yield from (f"    {flat(command)}" for command in added.commands)


def _lines(review: Review) -> Iterator[str]:
    for touched in review.touched:
        if touched.op == "create":
            yield f"- {code(touched.name)} is gone"
        for row in touched.properties:
            live, said = (code(value) if value is not None else "absent" for value in (row.old, row.new))
            yield f"- {code(touched.name)}: {code(row.path)} is {live}, the program says {said}"
