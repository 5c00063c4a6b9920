"""The table of edits, as the real engine plans them over the running stack."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.edits import EDITS, PROTECTED, edited

STATEFUL = PROTECTED | {"superuser-secret"}
RENEWED = {"another password for the superuser": {"superuser-secret"}}
"""What an edit replaces on purpose."""
OF_BACKUPS = {"backup-claim", "backup-password", "backup-secret"}
"""What goes with the backups of a stack that asks for none any more; protection keeps it."""


@pytest.fixture(scope="module")
def plans(running) -> dict[str, dict[str, set[str]]]:
    """Steps of an `up` after each edit: logical names by operation."""
    before = running.sections
    own = {name: before[name] for name in ("cluster", "namespace")}

    def plan(name: str) -> dict[str, set[str]]:
        edits, _ = EDITS[name]
        return running.preview(edited(edits) | own)

    with ThreadPoolExecutor(2) as at_once:
        return dict(zip(EDITS, at_once.map(plan, EDITS), strict=True))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_moves_exactly_what_it_must_and_replaces_nothing_stateful(plans, edit):
    plan, (_, expected) = plans[edit], EDITS[edit]
    assert set().union(*plan.values()) == expected
    assert not plan.get("replace", set()) & STATEFUL - RENEWED.get(edit, set())
    assert not plan.get("delete", set()) & STATEFUL - OF_BACKUPS
