"""Every edit of a stack file changes exactly what it must."""

import pytest

from tests.edits import EDITS, edited
from tests.stack_files import stack_file
from tests.unit.force_new import FORCE_NEW, identity
from tests.unit.recorder import Program, run


def changed(before: Program, after: Program) -> set[str]:
    """Logical names of what was added, removed or altered, components aside."""
    old, new = before.leaves, after.leaves
    return {
        (old.get(urn) or new[urn]).name
        for urn in old.keys() | new.keys()
        if urn not in old or urn not in new or old[urn].inputs != new[urn].inputs
    }


@pytest.fixture(scope="module")
def lab():
    return run(stack_file("lab"))


@pytest.fixture(scope="module", params=EDITS)
def edit(request):
    edits, expected = EDITS[request.param]
    return run(edited(edits)), expected


def test_an_edit_changes_exactly_what_it_must(lab, edit):
    after, expected = edit
    assert changed(lab, after) == expected


def test_no_edit_replaces_an_object_that_is_in_use(lab, edit):
    after, _ = edit
    for urn, declared in lab.leaves.items():
        if urn in after.leaves and declared.kind in FORCE_NEW:
            assert identity(declared.kind, declared.inputs) == identity(
                declared.kind, after.leaves[urn].inputs
            ), urn


def test_every_kind_the_program_declares_is_in_the_table_or_replaced_on_purpose(lab):
    on_purpose = {"ConfigMap", "Secret", "Job"}
    assert {declared.kind for declared in lab.objects} <= FORCE_NEW.keys() | on_purpose
