"""Load through the public host of the lab's stack: `operations load` as an operator runs it."""

import json

import pytest

from lab.layout import REAL
from lab.mint import Minted
from settings.load import parse
from tests.live.conftest import committed, minted, stack
from tests.live.operate import operation
from tests.stack_files import merged, stack_file

__all__ = ["committed", "minted", "stack"]
pytestmark = [pytest.mark.drill, pytest.mark.timeout(600)]


def test_load_is_raised_within_its_bounds_and_ends_in_a_proposal_that_is_a_stack_file(
    minted: Minted, tmp_path
):
    folder = tmp_path / "measured"
    done = operation(
        "lab", "load", f"--flow={minted.flow}", f"--api-key-file={minted.api_key_file}",
        "--users=2", "--step-seconds=45", "--requests=2000", "--p95-seconds=20", "--json",
        f"--to={folder}", f"--ingress-address={REAL.nodes[0].address}", f"--ca-file={REAL.pki / 'ca.crt'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert [row["users"] for row in document["steps"]] == [1, 2]
    assert sum(row["sent"]["requests"] for row in document["steps"]) <= 2000
    for row in document["steps"]:
        assert row["sent"]["failed"] == 0
        assert row["sent"]["seconds"] < 75
        assert len(row["backend"]) == 2
        assert set(row["backend"]) <= row["pods"].keys()
        assert 0 < row["connections"]["used"] < row["connections"]["most"] == 97
    assert parse(merged(stack_file("lab"), document["proposal"]), set()).backend.scale.most == 3
    assert document["proposal"] in (folder / "README.md").read_text()
    assert {file.suffix for file in folder.iterdir()} == {".md", ".svg"}
    assert minted.api_key_file.read_text() not in done.stdout + done.stderr
    assert "through https://api.skillflaw.test" in done.stderr
