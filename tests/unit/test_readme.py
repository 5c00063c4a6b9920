"""The README and its pages: what they name is there, and what is there is named."""

import re
from pathlib import Path

from operations import changes
from operations.__main__ import app
from tests.unit.recorder import ROOT

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]


def section(heading: str) -> str:
    (found,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    return found


def words(text: str) -> set[str]:
    """Words of the code spans of a text."""
    return {word for span in re.findall(r"`([^`]+)`", text) for word in span.split()}


def paths(text: str) -> set[str]:
    """Words of the code spans that are paths of the repository; the environment is not in it."""
    return {word for word in words(text) if re.fullmatch(r"\w[\w.-]*(/[\w.-]*)+|\w+\.py", word)}


def missing(page: Path) -> set[str]:
    """Links of a page that lead to no file."""
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text())
    return {link for link in links if "://" not in link and not (page.parent / link).exists()}


GUARANTEES, FOLDERS = section("What it guarantees"), section("Folders")


def test_every_path_in_the_tables_of_guarantees_and_folders_exists():
    named = paths(GUARANTEES) | paths(FOLDERS)
    assert {"tests/scan", "tests/unit/test_rules.py", "detection/", "outputs.py"} <= named
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_guarantee_is_shown_by_tests_or_by_a_target_of_the_makefile():
    targets = {
        f"make {name}" for name in re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    }
    shown_by = [row.rsplit(" | ", 1)[1] for row in GUARANTEES.splitlines() if row.startswith("| ")][1:]
    assert len(shown_by) > 10
    for cell in shown_by:
        command = re.match(r"`([^`]+)`", cell)[1]
        assert command in targets or re.fullmatch(r"pytest( tests/[\w/.]+)+", command), cell


def test_every_folder_of_code_and_every_module_is_in_the_table_of_folders():
    there = {f"{path.name}/" for path in ROOT.iterdir() if any(path.glob("*.py"))}
    there |= {path.name for path in ROOT.glob("*.py")}
    there |= {f"tests/{path.name}" for path in (ROOT / "tests").iterdir() if any(path.glob("test_*.py"))}
    assert there - paths(FOLDERS) == {"tests/"}


def test_every_link_of_a_page_to_another_one_leads_somewhere():
    assert {page.name: links for page in PAGES if (links := missing(page))} == {}


def anchor(heading: str) -> str:
    """A heading as links name it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_section_and_command_is_found_from_the_top_of_the_operators_page():
    page = (ROOT / "docs" / "operating.md").read_text()
    index, rest = re.search(r"## Find it\n(.*?)\n(## .*)", page, re.DOTALL).groups()
    headings = re.findall(r"^###? (.*)", rest, re.MULTILINE)
    assert set(re.findall(r"\(#([^)]*)\)", index)) == {anchor(heading) for heading in headings}
    commands = {
        it.name or it.callback.__name__ for each in (app, changes.app) for it in each.registered_commands
    }
    assert set(re.findall(r"`operations (\w+)`", index)) == commands
