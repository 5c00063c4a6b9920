"""What differs in a cluster from what the program says: `pulumi preview --refresh`, told the other way round."""

from collections.abc import Iterator, Sequence

from operations.review.markdown import code
from operations.review.verdict import Review, Verdict

PLAYBOOK = """\
If a change was right, bring it into the stack file or the program.
Otherwise `make repair STACK={stack}` takes it back."""


def drifted(reviews: Sequence[Review]) -> Verdict:
    """SAFE without drift, ATTENTION with, FAILED when a cluster or a stack could not be read."""
    if any(review.errors for review in reviews):
        return Verdict.FAILED
    return Verdict.ATTENTION if any(list(_lines(review)) for review in reviews) else Verdict.SAFE


def drift(reviews: Sequence[Review]) -> str:
    """Every object and field that was changed beside the program, in Markdown."""
    return "\n".join(line for review in reviews for line in (*_section(review), ""))


def _section(review: Review) -> Iterator[str]:
    if review.errors:
        yield f"{code(review.stack)} could not be looked at:\n"
        yield from (f"    {line}" for error in review.errors for line in error.splitlines())
        return
    lines = list(_lines(review))
    if not lines:
        yield f"{code(review.stack)}: no drift"
        return
    yield f"{code(review.stack)} is not what the program says:\n"
    yield from lines
    yield "\n" + PLAYBOOK.format(stack=review.stack)


def _lines(review: Review) -> Iterator[str]:
    for touched in review.touched:
        if touched.op == "create":
            yield f"- {code(touched.name)} is gone"
        for row in touched.properties:
            live, said = (code(value) if value is not None else "absent" for value in (row.old, row.new))
            yield f"- {code(touched.name)}: {code(row.path)} is {live}, the program says {said}"
