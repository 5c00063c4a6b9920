"""Thousands of broken stack files: one clear list each, no traceback, no resource, no secret."""

import copy
import string

import pulumi
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from settings.load import parse
from settings.problems import SettingsError
from settings.sections import Settings
from settings.shape import keys
from tests.stack_files import stack_file
from tests.unit.recorder import SENTINEL, engine_config, record, whole_program

LAB = stack_file("lab")

words = st.text(string.ascii_letters, min_size=1, max_size=12)
not_an_object = st.one_of(st.integers(), st.lists(st.integers(), max_size=2), st.booleans(), words)
not_a_count = st.one_of(
    st.integers(max_value=0), st.integers(min_value=10**6), words, st.lists(words), st.floats(0.1, 0.9)
)
not_a_name = st.one_of(st.just(""), words.map(lambda word: f"{word}_!"), st.lists(words), st.just({}))
not_a_quantity = st.one_of(words.map(lambda word: f"{word}Gi"), st.just("0"), st.just("-1"), st.just("4GB"))

BROKEN = {
    "backend.longestFlowSeconds": not_a_count,
    "backend.uid": st.one_of(st.integers(max_value=0), words),
    "backend.resources.limits.memory": not_a_quantity,
    "frontend.replicas": not_a_count,
    "docs.port": not_a_count,
    "namespace.name": not_a_name,
    "images.backend": st.one_of(not_a_name, st.just("name:tag:tag"), st.just("UPPER/case")),
    "surfaces.api.host": st.one_of(not_a_name, st.just("localhost"), st.just("https://api.example.com")),
    "surfaces.api.allow": st.one_of(st.just([]), words, st.just({})),
    "edge.ingress.className": not_a_name,
    "storage.size": not_a_quantity,
    "storage.accessMode": words,
    "secretKey.acceptLoss": words,
    "superuser.username": st.one_of(st.just(""), st.just("with space"), st.just({})),
    "network.egress": st.one_of(words, st.just({})),
    "protection.enabled": st.one_of(st.lists(words), st.just("perhaps"), st.integers(min_value=2)),
    "cache.inCluster.memory": not_a_quantity,
    "database.inCluster.size": not_a_quantity,
    "cluster.context": st.one_of(st.just(""), st.just({}), st.lists(words)),
}
"""Dotted paths, and values that are wrong there."""

SECTIONS = list(keys(Settings))
KNOWN = {*SECTIONS, "kubeconfig"}


def put(config: dict, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for key in parents:
        config = config.setdefault(key, {})
    config[last] = value


@st.composite
def broken_files(draw) -> tuple[dict, set[str]]:
    """A stack file with one to five mistakes in different sections, and the paths of the mistakes."""
    config, paths = copy.deepcopy(LAB), set()
    sections = draw(st.lists(st.sampled_from(SECTIONS), unique=True, min_size=1, max_size=5))
    for section in sections:
        kinds = ["not an object", "unknown key"]
        bad = [path for path in BROKEN if path.split(".")[0] == section]
        kind = draw(st.sampled_from(kinds + ["bad value"] * 3 * bool(bad)))
        if kind == "bad value":
            path = draw(st.sampled_from(bad))
            put(config, path, draw(BROKEN[path]))
        elif kind == "unknown key":
            path = f"{section}.x{draw(words)}"
            put(config, path, draw(st.sampled_from([SENTINEL, {"value": SENTINEL}, [SENTINEL]])))
        else:
            path = section
            config[section] = draw(not_an_object)
        paths.add(path)
    if draw(st.booleans()):
        key = draw(words.filter(lambda word: word not in KNOWN))
        config[key] = SENTINEL
        paths.add(key)
    if draw(st.booleans()):
        config["kubeconfig"] = SENTINEL
        paths.add("kubeconfig")
    return config, paths


@settings(max_examples=2000, deadline=None)
@given(broken_files())
def refuse(broken):
    config, paths = broken
    pulumi.runtime.set_all_config(engine_config(config), [])
    with pytest.raises(SettingsError) as refused:
        whole_program()
    problems = refused.value.problems
    assert paths <= {problem.path for problem in problems}
    assert all(p.path and p.found and p.allowed and p.remedy for p in problems)
    assert len(set(map(str, problems))) == len(problems)
    assert SENTINEL not in str(refused.value)


def test_a_broken_file_gives_one_list_with_every_mistake_and_no_resource():
    # One engine for all files: not one of them may have registered anything but the stack itself.
    assert [declared.kind for declared in record(refuse).leaves.values()] == []


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=5,
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Every place in a stack file."""
    inner = value.items() if isinstance(value, dict) else ()
    return ([path] if path else []) + [spot for key, item in inner for spot in places(item, (*path, key))]


@settings(max_examples=500, deadline=None)
@example(("cluster",), {"fixed": None})
@example(("docs", "resources", "requests", "cpu"), 1e25)
@example(("docs", "resources", "requests", "cpu"), "9" * 5000)
@example(("cache", "inCluster", "memory"), 10**40)
@example(("storage", "size"), "9" * 5000)
@given(st.sampled_from(places(LAB)), anything)
def test_anything_anywhere_is_accepted_or_refused_but_never_crashes(place, value):
    config = copy.deepcopy(LAB)
    holder = config
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    assert all(p.path and p.found and p.allowed and p.remedy for p in problems_of(config))


def problems_of(config: dict) -> tuple:
    """Problems for which a stack file is refused; none when it is accepted."""
    try:
        parse(config, set())
    except SettingsError as refused:
        return refused.problems
    return ()
