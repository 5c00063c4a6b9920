"""The newest program over the state of each released version: nothing that holds data is replaced or deleted.

A release adds `tests/fixtures/states/VERSION` (`python -m tests.engine.release`): the stack file of a stack `released`, and
what `pulumi stack export` says of it. Its secrets belong to a simulated cluster that is long gone.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.layout import SIMULATED
from operations.review.preview import read
from operations.review.verdict import Review, Verdict, judge
from tests.engine.recording import FIXTURES
from tests.engine.stack import Stack
from tests.stack_files import with_new_spellings

RELEASES = sorted((FIXTURES / "states").iterdir())


@pytest.fixture(params=RELEASES, ids=lambda release: release.name)
def released(
    request: pytest.FixtureRequest, environment: dict[str, str], program: Path, tmp_path: Path
) -> Iterator[Stack]:
    """A stack of a released version, as its state tells; nothing of it is in the cluster."""
    file = shutil.copy(request.param / "Pulumi.released.yaml", program)
    with Stack(program, "released", environment) as stack:
        config = yaml.safe_load(Path(file).read_text())["config"]
        stack.sections = {
            key.removeprefix("skillflaw:"): section for key, section in config.items() if "skillflaw:" in key
        }
        stack.sections = with_new_spellings(stack.sections)
        stack.pulumi("stack", "import", f"--file={request.param / 'state.json'}", f"--stack={stack.name}")
        # Who is not let in is shown what the program and the state say; whoever is let in, that the objects are missing.
        kubeconfig = json.loads(SIMULATED.kubeconfig.read_text())
        kubeconfig["users"][0]["user"]["as"] = "stranger"
        (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
        stack.environment = environment | {"KUBECONFIG": str(tmp_path / "kubeconfig")}
        yield stack
        stack.environment = environment


def previewed(stack: Stack, folder: Path) -> Review:
    file = folder / "preview.json"
    file.write_text(stack.pulumi("preview", "--json", check=False).stdout)
    return judge(read(file))


def test_nothing_that_holds_data_is_replaced_or_deleted(released, tmp_path):
    review = previewed(released, tmp_path)
    assert review.errors == ()
    assert review.lost == ()
    assert review.verdict < Verdict.DESTRUCTIVE


def test_a_loss_would_be_seen(released, tmp_path):
    released.sections["storage"]["className"] = "local"
    released.forget("frozen")  # which refuses it before any review
    review = previewed(released, tmp_path)
    assert [row.name for row in review.lost] == ["PersistentVolumeClaim skillflaw-backend-data"]
