"""`make environment`: before the first `pulumi preview`, which makes a `.venv` of its own, and after it."""

import os
import re
import shutil
import subprocess

import pytest

from tests.unit.recorder import ROOT


@pytest.fixture
def planned(tmp_path):
    """What `make environment` would run in a clone, line by line."""
    for name in ("Makefile", "requirements-dev.lock"):
        shutil.copy(ROOT / name, tmp_path)

    def plan() -> str:
        done = subprocess.run(
            ["make", "--dry-run", "environment"],
            cwd=tmp_path,
            env=os.environ | {"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    plan.clone = tmp_path
    return plan


def test_without_an_environment_a_shared_one_is_linked(planned):
    assert re.search(r"ln -sfn \S+/venvs/[0-9a-f]{12} \.venv", planned())
    assert ".venv/bin/python -m pip install" not in planned()


def test_the_environment_that_pulumi_made_is_filled_and_no_link_lands_in_it(planned):
    (planned.clone / ".venv" / "bin").mkdir(parents=True)
    assert ".venv/bin/python -m pip install" in planned()
    # The shell asks whether the environment is the clone's own before it links.
    assert '[ -n ".venv" ] || ln' in planned()


def test_what_was_filled_once_is_not_filled_again_until_a_requirement_changes(planned):
    (planned.clone / ".venv" / "bin").mkdir(parents=True)
    [stamp] = set(re.findall(r"touch (\.venv/complete-[0-9a-f]{12})", planned()))
    (planned.clone / stamp).touch()
    assert "pip install" not in planned()
    with (planned.clone / "requirements-dev.lock").open("a") as lock:
        lock.write("# another requirement\n")
    assert "pip install" in planned()


def test_every_python_has_an_environment_of_its_own(planned, monkeypatch):
    before = planned()
    other = planned.clone / "bin" / "python3"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho another python\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{other.parent}:{os.environ['PATH']}")
    assert set(re.findall(r"venvs/\w+", before)).isdisjoint(re.findall(r"venvs/\w+", planned()))
