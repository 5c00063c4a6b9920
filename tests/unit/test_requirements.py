"""Packages that are installed: every one that the requirements lead to, by version and hash."""

import re

from tests.unit.recorder import ROOT

LOCK = (ROOT / "requirements-dev.lock").read_text()
LOCKED = dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", LOCK, re.MULTILINE))


def pins() -> dict[str, str]:
    files = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt", *ROOT.glob("*/requirements.txt")]
    return {
        name.lower(): version
        for file in files
        for name, version in re.findall(r"^([\w.-]+)==(\S+)$", file.read_text(), re.MULTILINE)
    }


def test_every_requirement_is_locked_at_its_version_and_more_than_those_are_locked():
    assert pins().items() <= LOCKED.items()
    assert len(LOCKED) > len(pins())


def test_every_locked_package_has_a_hash_and_names_no_index():
    entries = re.split(r"^(?=\w)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) >= len(LOCKED)
    for entry in entries:
        assert "--hash=sha256:" in entry, entry
    assert "index-url" not in LOCK


def test_every_line_of_a_requirements_file_is_a_pin_a_reference_or_a_comment():
    for file in [ROOT / "requirements.txt", ROOT / "requirements-dev.txt", *ROOT.glob("*/requirements.txt")]:
        for line in file.read_text().splitlines():
            assert re.fullmatch(r"[\w.-]+==\S+|-r \S+|#.*|", line), f"{file}: {line}"
