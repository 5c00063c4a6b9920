"""The comparison with a hand-written program is a fair one."""

import ast

import pytest

from bench import flat
from bench.registrations import registrations
from bench.stack import stack_file
from tests.unit.recorder import run


@pytest.mark.parametrize("name", ["lab", "prod", "dev"])
def test_the_flat_program_declares_what_the_program_declares(name, tmp_path):
    sections = stack_file(name)
    leaves = [it for it in run(sections).leaves.values() if not it.type.startswith("pulumi:")]
    flat.write(tmp_path, registrations(sections), "lab", ordered=True)
    calls = [
        (node.func.attr, node.args[0].value)
        for node in ast.walk(ast.parse((tmp_path / "__main__.py").read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.keywords and node.args
    ]
    assert sorted(calls) == sorted(
        [*((it.kind, it.name) for it in leaves), ("Provider", "cluster")],
    )


def test_the_ordered_program_waits_for_what_the_program_waits_for():
    sections = stack_file("lab")
    leaves = run(sections).leaves
    known: dict[str, list[str]] = {}
    for resource in registrations(sections):
        assert known.keys() >= set(resource.dependencies), resource.urn
        known[resource.urn] = resource.dependencies
    waited = {
        (it.kind, it.name): {leaves[urn].name for urn in it.request.dependencies if urn in leaves}
        for it in leaves.values()
        if not it.type.startswith("pulumi:")
    }
    names = {urn: urn.rpartition("::")[2] for urn in known}
    assert waited == {
        (urn.split("::")[2].rpartition(":")[2], names[urn]): {names[each] for each in dependencies}
        for urn, dependencies in known.items()
    }


def test_many_copies_are_that_many_declarations():
    once, often = (registrations(stack_file("dev"), copies) for copies in (1, 3))
    assert len(often) == 3 * len(once)
