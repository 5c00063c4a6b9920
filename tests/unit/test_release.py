"""A release: its version, its notes for operators, and the state it leaves behind."""

import json
import re
import tomllib

import pytest

from settings.load import parse
from settings.problems import SettingsError
from settings.renamed import RENAMED
from tests.stack_files import keys_of, stack_file
from tests.unit.recorder import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
HEADINGS = re.findall(r"^## (\d+\.\d+\.\d+)( \(unreleased\))?$", CHANGELOG, re.MULTILINE)
VERSIONS = [version for version, _ in HEADINGS]
RELEASED = {version for version, unreleased in HEADINGS if not unreleased}


def test_the_version_is_the_newest_of_the_changelog():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert VERSIONS[0] == version


def test_a_state_of_every_released_version_is_kept():
    kept = {path.name for path in (ROOT / "tests" / "fixtures" / "states").iterdir()}
    assert kept == RELEASED


def test_a_key_of_a_released_version_is_a_key_still_or_has_a_new_spelling():
    known = set(keys_of(json.loads((ROOT / "stack.schema.json").read_text())))
    for version in RELEASED:
        released = (ROOT / "tests" / "fixtures" / "states" / version / "keys.txt").read_text().split()
        assert "cluster.context" in released
        assert set(released) - known <= RENAMED.keys()
    assert not RENAMED.keys() & known


@pytest.mark.parametrize("path", RENAMED)
def test_a_renamed_key_is_refused_with_its_new_spelling_which_the_changelog_has(path):
    section, _, key = path.partition(".")
    config = stack_file("lab")
    config.setdefault(section, {})[key] = "some"
    with pytest.raises(SettingsError) as refused:
        parse(config, set())
    (problem,) = refused.value.problems
    assert (problem.path, problem.found, problem.remedy) == (
        path,
        "a key of an earlier version",
        RENAMED[path],
    )
    (now,) = re.findall(r"write ([\w.]+):", RENAMED[path])
    assert re.search(rf"^\| `{re.escape(path)}: NAME` \| `{re.escape(now)}: ", CHANGELOG, re.MULTILINE)


def test_only_the_newest_version_may_be_unreleased():
    assert set(VERSIONS[1:]) <= RELEASED


def test_no_kept_state_holds_a_secret_in_plain_text():
    for path in (ROOT / "tests" / "fixtures").rglob("*.json"):
        text = path.read_text()
        # A generated value is 32 letters and digits, a key 44 characters of base64.
        assert not re.search(r'"plaintext"|redis://:[^@"]+@|postgresql://[^:"]+:[^@"\[]+@', text), path
