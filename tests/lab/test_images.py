"""An image's tag says what is in it, and the lab's stack file names the images that would be built now."""

import shutil

import pytest

from lab.images import folders, pin
from lab.images.command import ImageError

DEPLOYED = ("backend", "frontend", "docs", "postgres", "redis", "restic")


def tags() -> dict[str, str]:
    return {name: folders.tag(name) for name in DEPLOYED}


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the images' folders that a test may change."""
    copied = tmp_path / "images"
    shutil.copytree(folders.HERE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(folders, "HERE", copied)
    return copied


def test_the_stack_file_names_the_images_as_they_are_now():
    assert pin.pinned(pin.STACK.read_text()) == tags(), (
        "an image's folder changed: run `python -m lab.images.pin` and commit Pulumi.lab.yaml with it"
    )


def test_pinning_makes_a_stack_file_right_and_changes_nothing_else(copy, tmp_path):
    stack = tmp_path / "stack.yaml"
    stack.write_text("backend: skillflaw.lab/backend:0123456789ab\nother: example.com/backend:0123456789ab\n")
    pin.pin(stack)
    expected = f"backend: {folders.reference('backend')}\nother: example.com/backend:0123456789ab\n"
    assert stack.read_text() == expected


def test_a_file_of_a_folder_changes_that_images_tag_and_no_other(copy):
    before = tags()
    (copy / "docs" / "site" / "new.html").write_text("new")
    assert {name for name, tag in tags().items() if tag != before[name]} == {"docs"}


def test_renaming_a_file_changes_the_tag(copy):
    before = folders.tag("redis")
    (copy / "redis" / "entrypoint.sh").rename(copy / "redis" / "start.sh")
    assert folders.tag("redis") != before


def test_a_parents_change_reaches_every_image_built_from_it(copy):
    before = tags()
    (copy / "base" / "dpkg.cfg").write_text("")
    assert not set(before.values()) & set(tags().values())


def test_bytecode_beside_the_sources_leaves_the_tag_alone(copy):
    before = folders.tag("backend")
    bytecode = copy / "backend" / "skillflaw" / "__pycache__"
    bytecode.mkdir()
    (bytecode / "main.pyc").write_bytes(b"")
    assert folders.tag("backend") == before


def test_parents_come_before_what_is_built_from_them():
    names = folders.names()
    assert set(DEPLOYED) < set(names)
    assert all(names.index(parent) < names.index(name) for name in names for parent in folders.parents(name))


def test_an_image_that_a_drill_alone_needs_is_none_that_a_lab_starts_with():
    assert folders.ON_DEMAND.isdisjoint(folders.names())
    for name in folders.ON_DEMAND:
        assert folders.reference(name).startswith(f"skillflaw.lab/{name}:")


def test_an_unknown_image_is_refused_with_the_known_ones():
    with pytest.raises(ImageError, match=r"no image 'mysql'; there are .*redis"):
        folders.tag("mysql")


def test_the_web_ui_is_of_the_backends_version():
    ui = (folders.HERE / "frontend" / "requirements.lock").read_text().split()[0]
    assert ui in (folders.HERE / "backend" / "requirements.lock").read_text().splitlines()
