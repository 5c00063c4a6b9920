"""A release: its version, its notes for operators, and the state it leaves behind."""

import re
import tomllib

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


def test_only_the_newest_version_may_be_unreleased():
    assert set(VERSIONS[1:]) <= RELEASED


def test_no_kept_state_holds_a_secret_in_plain_text():
    for path in (ROOT / "tests" / "fixtures").rglob("*.json"):
        text = path.read_text()
        # A generated value is 32 letters and digits, a key 44 characters of base64.
        assert not re.search(r'"plaintext"|redis://:[^@"]+@|postgresql://[^:"]+:[^@"\[]+@', text), path
