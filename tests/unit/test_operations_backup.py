"""Which backup is meant, and when a restore is refused before anything is touched."""

from datetime import UTC, datetime, timedelta

import pytest

from operations.backup import RefusedError, Snapshot, choose

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
OWN, OTHER = "organization/skillflaw/prod", "organization/skillflaw/dev"


def snapshot(name: str, hours: float, stack: str = OWN) -> Snapshot:
    return Snapshot(id=name, time=NOW + timedelta(hours=hours), stack=stack, facts={})


KEPT = [snapshot("aaaa", -48), snapshot("bbbb", -24), snapshot("cccc", -1, OTHER)]


@pytest.mark.parametrize(("asked", "meant"), [("latest", "bbbb"), ("bbbb", "bbbb"), ("aaaa", "aaaa")])
def test_a_backup_is_the_stacks_own(asked, meant):
    assert choose(KEPT, asked, stack=OWN, now=NOW).id == meant


@pytest.mark.parametrize("asked", ["cccc", "9notes.txt", "2024-archive", ""])
def test_what_is_no_backup_of_the_stack_is_refused_with_those_that_are(asked):
    with pytest.raises(RefusedError, match="there are: aaaa, bbbb"):
        choose(KEPT, asked, stack=OWN, now=NOW)


def test_the_latest_is_not_guessed_when_a_clock_was_wrong():
    kept = [*KEPT, snapshot("dddd", 24)]
    with pytest.raises(RefusedError, match=r"from the future \(dddd\)"):
        choose(kept, "latest", stack=OWN, now=NOW)
    assert choose(kept, "bbbb", stack=OWN, now=NOW).id == "bbbb"
    assert choose(kept, "dddd", stack=OWN, now=NOW).id == "dddd"


def test_an_empty_stack_takes_another_ones_backup_and_one_with_backups_does_not():
    assert choose(KEPT, "cccc", stack="organization/skillflaw/new", now=NOW, to_empty=True).id == "cccc"
    with pytest.raises(RefusedError, match="several stacks"):
        choose(KEPT, "latest", stack="organization/skillflaw/new", now=NOW, to_empty=True)
    with pytest.raises(RefusedError, match="backups of its own"):
        choose(KEPT, "cccc", stack=OWN, now=NOW, to_empty=True)
    with pytest.raises(RefusedError, match="of any stack; there are: none"):
        choose([], "latest", stack=OWN, now=NOW, to_empty=True)
