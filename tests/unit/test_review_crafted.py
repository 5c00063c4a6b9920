"""Whatever a preview's file holds, a review ends in a sentence."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from operations.__main__ import app
from tests.unit.recorder import ROOT

PREVIEWS = {
    name: json.loads((ROOT / "tests" / "fixtures" / "previews" / f"{name}.json").read_text())
    for name in ("newer-frontend", "newer-postgres", "environment-variable", "own-key", "external-cache")
}
VALUES = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    "::",
    "[secret]",
    [],
    [None],
    ["x"],
    {},
    {"": {}},
    {"name": {}},
    "\x1b\n`|",
]
OPS = ["create", "update", "delete", "replace", "same", "refresh", "read", "discard", "import", "x"]


def nodes(value, path=()):
    """Paths of everything in a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from nodes(item, (*path, key))


PATHS = {name: [path for path in nodes(preview) if path] for name, preview in PREVIEWS.items()}
SHALLOW = {name: [path for path in paths if len(path) < 9] for name, paths in PATHS.items()}


@st.composite
def crafted(draw):
    """A recorded preview of which some nodes are dropped, replaced, or moved under another key."""
    name = draw(st.sampled_from(sorted(PREVIEWS)))
    preview = copy.deepcopy(PREVIEWS[name])
    for _ in range(draw(st.integers(1, 4))):
        paths = draw(st.sampled_from([PATHS, SHALLOW]))[name]
        *holders, last = draw(st.sampled_from(paths))
        holder = preview
        try:
            for key in holders:
                holder = holder[key]
            old = holder[last]
        except (KeyError, IndexError, TypeError):
            continue
        if isinstance(holder, str):  # what an earlier edit put there
            continue
        edit = draw(st.sampled_from(["drop", "replace", "retag", "op"]))
        if edit == "drop":
            del holder[last]
        elif edit == "replace":
            holder[last] = draw(st.sampled_from(VALUES))
        elif edit == "retag" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["", "x.y", "]", '"', *holder]))] = holder.pop(last)
        elif last == "op":
            holder[last] = draw(st.sampled_from(OPS))
        else:
            holder[last] = [old, old]
    return preview


def run(tmp_path, preview):
    """Exit codes of every form of a review, and of drift."""
    file = tmp_path / "prod.json"
    file.write_text(preview if isinstance(preview, str) else json.dumps(preview))
    calls = [["review", str(file), f"--format={form}"] for form in ("text", "markdown", "json")]
    done = [CliRunner().invoke(app, words) for words in (*calls, ["drift", str(file)])]
    for result in done:
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return [result.exit_code for result in done]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(preview=crafted())
def test_a_crafted_preview_is_judged_and_never_a_traceback(tmp_path, preview):
    codes = run(tmp_path, preview)
    assert set(codes) <= {0, 3, 4, 5}
    assert len(set(codes[:3])) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["steps", "diagnostics", "op", "urn", "oldState", "newState", "inputs", "changeSummary"]
                ),
                inner,
            )
        ),
        max_leaves=12,
    ).map(json.dumps)
)
def test_any_json_is_no_preview_rather_than_a_traceback(tmp_path, text):
    run(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"steps":' * 50_000,
        '{"steps": [{"op": "\\ud800", "urn": "x"}]}',
        '{"steps": NaN}',
        "\x00",
        "ÿ",
    ],
    ids=["deep", "deep steps", "half a character", "no number", "nul", "letter"],
)
def test_what_json_cannot_say_is_a_failed_preview(tmp_path, text):
    assert run(tmp_path, text) == [5, 5, 5, 5]


def test_bytes_that_are_no_text_are_a_failed_preview(tmp_path):
    file = tmp_path / "prod.json"
    file.write_bytes(b"\xff\xfe{}")
    done = CliRunner().invoke(app, ["review", str(file)])
    assert done.exit_code == 5
    assert "is not whole JSON" in done.output


def test_a_folder_is_a_failed_preview(tmp_path):
    assert CliRunner().invoke(app, ["review", str(tmp_path)]).exit_code == 5


def test_values_that_nest_deeper_than_the_engine_writes_are_a_failed_preview(tmp_path):
    preview = copy.deepcopy(PREVIEWS["newer-frontend"])
    deep = "[" * 900 + "]" * 900
    preview["steps"][1]["newState"]["inputs"]["spec"]["x"] = "DEEP"
    assert run(tmp_path, json.dumps(preview).replace('"DEEP"', deep)) == [5, 5, 5, 5]
