"""Data flows one way: stack file, settings, deployment, components, cluster; and every folder knows only what it may."""

import ast

import pytest

from tests.unit.recorder import ROOT

PROGRAM = {"__main__", "deployment", "arguments", "outputs", "components", "settings"}
OURS = PROGRAM | {"detection", "policies", "operations", "lab", "bench", "tests"}
"""Everything at the top of the repository that can be imported."""

MAY_IMPORT = {
    "components": set(),
    "outputs.py": set(),
    "detection": set(),
    "settings": {"outputs", "detection"},
    "arguments.py": {"components", "settings"},
    "deployment.py": {"arguments", "components", "outputs", "settings"},
    "__main__.py": {"deployment", "settings"},
    "policies": {"settings", "detection"},
    "operations": {"outputs", "detection"},
    "lab": {"operations"},
    "bench": {"lab", "settings", "deployment"},
    "tests/unit": OURS - {"lab"},
    "tests/stack_files.py": set(),
    "tests/edits.py": {"tests"},
}
"""Parts of the repository that each part may import, in addition to itself."""

SDK = {"pulumi", "pulumi_kubernetes", "pulumi_random", "pulumi_policy"}
MAY_USE = {
    "components": {"pulumi", "pulumi_kubernetes", "pulumi_random"},
    "outputs.py": set(),
    "detection": set(),
    "settings": {"pulumi"},
    "deployment.py": {"pulumi", "pulumi_kubernetes"},
    "arguments.py": {"pulumi"},
    "__main__.py": {"pulumi"},
    "policies": set(),
    "policies/__main__.py": {"pulumi", "pulumi_policy"},
    "operations": set(),
    "lab": {"pulumi"},
    "bench": {"pulumi"},
}
"""Pulumi's packages that each part may use."""


def files(part: str) -> list:
    """Python files of a file or a folder."""
    path = ROOT / part
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def imported(path) -> set[str]:
    """Top-level names of the modules that a file imports from outside its own package."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.split(".")[0] for name in plain | named}


def read(path) -> set[str]:
    """Attributes a file reads, e.g. `Config` of `pulumi.Config`."""
    return {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}


EVERY_FILE = [
    path
    for part in ("components", "settings", "detection", "policies", "operations", "lab", "bench")
    for path in files(part)
]
EVERY_FILE += [ROOT / part for part in MAY_IMPORT if part.endswith(".py") and "/" not in part]


def test_every_part_of_the_repository_has_a_wall():
    found = {path.name for path in ROOT.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    assert {part.split("/")[0] for part in MAY_IMPORT} == found
    assert {name.removesuffix(".py") for name in found} == OURS


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_it_may(part):
    own = part.removesuffix(".py").split("/")[0]
    assert {
        str(path.relative_to(ROOT)): unknown
        for path in files(part)
        if (unknown := imported(path) & OURS - MAY_IMPORT[part] - {own})
    } == {}


@pytest.mark.parametrize("part", MAY_USE)
def test_a_part_uses_only_what_it_may_of_pulumi(part):
    assert {
        str(path.relative_to(ROOT)): unknown
        for path in files(part)
        if (unknown := imported(path) & SDK - MAY_USE.get(str(path.relative_to(ROOT)), MAY_USE[part]))
    } == {}


INSIDE = ROOT / "components" / "scripts"
"""Programs that components hand to containers, whose environment is their input."""


@pytest.mark.parametrize(
    "path", [path for path in files("components") if path.parent != INSIDE], ids=lambda path: path.stem
)
def test_a_component_knows_no_config_no_stack_no_environment_and_not_the_name_of_its_package(path):
    assert not imported(path) & {"components", "os"}
    assert not read(path) & {"Config", "get_stack", "get_project", "environ", "getenv"}


@pytest.mark.parametrize("path", files("settings"), ids=lambda path: path.stem)
def test_settings_read_no_environment(path):
    assert "os" not in imported(path)


def test_what_is_not_a_test_uses_no_library_of_tests():
    assert [path for path in EVERY_FILE if imported(path) & {"unittest", "pytest"}] == []


def test_every_component_has_a_literal_token_of_its_own():
    tokens = [
        node.args[0].value
        for path in files("components")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "__init__"
        and isinstance(node.args[0], ast.Constant)
    ]
    assert len(tokens) == len(set(tokens)) == 21
    assert all(token.startswith("skillflaw:app:") for token in tokens)


def test_a_physical_name_is_spelled_in_one_place():
    names = ROOT / "components" / "names.py"
    values = {
        node.value.value
        for node in ast.parse(names.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    } - {"skillflaw"}
    spelled = {
        path.name: again
        for path in files("components")
        if path != names
        and (
            again := {
                node.value
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and node.value in values
            }
        )
    }
    # There they are the application's word for a kind of cache, a container that dumps, and fields of a Cluster.
    assert spelled == {
        "runtime.py": {"redis"},
        "backup.py": {"database"},
        "operated_database.py": {"bootstrap", "database", "postgresql"},
    }
