"""Data flows one way: stack file, settings, __main__.py, components, cluster."""

import ast

import pytest

from tests.unit.recorder import ROOT

COMPONENTS = sorted(ROOT.glob("components/*.py"))
SETTINGS = sorted(ROOT.glob("settings/*.py"))
POLICIES = sorted(ROOT.glob("policies/*.py"))


def imported(path) -> set[str]:
    """Top-level names of the modules a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.split(".")[0]
        for name in plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    }


def read(path) -> set[str]:
    """Attributes a file reads, e.g. `Config` of `pulumi.Config`."""
    return {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.stem)
def test_a_component_knows_no_settings_no_config_no_stack_and_no_environment(path):
    assert not imported(path) & {"settings", "arguments", "os", "operations", "lab"}
    assert not read(path) & {"Config", "get_stack", "get_project", "environ", "getenv"}


@pytest.mark.parametrize("path", SETTINGS, ids=lambda path: path.stem)
def test_settings_know_no_components_and_no_cluster(path):
    assert not imported(path) & {"components", "arguments", "pulumi_kubernetes", "pulumi_random", "os"}


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_policies_judge_what_is_declared_and_know_not_by_whom(path):
    assert not imported(path) & {"components", "arguments", "operations", "lab"}
    assert path.stem == "__main__" or not imported(path) & {"pulumi", "pulumi_policy", "pulumi_kubernetes"}


def test_every_component_has_a_literal_token_of_its_own():
    tokens = [
        node.args[0].value
        for path in COMPONENTS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "__init__"
        and isinstance(node.args[0], ast.Constant)
    ]
    assert len(tokens) == len(set(tokens)) == 16
    assert all(token.startswith("skillflaw:app:") for token in tokens)
