"""The steps of `pulumi preview --json`."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from operations.review.mask import SECRET

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine writes a value that only the update will know."""


class PreviewError(Exception):
    """A file is no preview that can be judged; the message says what to do about it."""


@dataclass(frozen=True)
class Change:
    """A property before and after; None where it is absent. Values are those of the engine, not yet masked."""

    path: str
    old: Any
    new: Any
    forces: bool
    """Whether it makes the provider replace the object."""


@dataclass(frozen=True)
class Step:
    """What would happen to one resource. `old` and `new` are its states, empty where there is none."""

    op: str
    urn: str
    old: Mapping[str, Any] = field(repr=False)
    new: Mapping[str, Any] = field(repr=False)
    diff: Mapping[str, Mapping[str, Any]] = field(repr=False)

    @property
    def type(self) -> str:
        """The resource's own type, without those of its parents."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def kind(self) -> str:
        return self.type.rpartition(":")[2]

    @property
    def owners(self) -> tuple[str, ...]:
        """Types of the components that hold it, the outermost first."""
        return tuple(self.urn.split("::")[2].split("$")[:-1])

    @property
    def logical_name(self) -> str:
        return self.urn.split("::", 3)[3]

    @property
    def is_object(self) -> bool:
        """Whether it is something that exists, which components and connections to a cluster do not."""
        return bool(self._state.get("custom")) and not self.type.startswith("pulumi:")

    @property
    def inputs(self) -> Mapping[str, Any]:
        return self._state.get("inputs") or {}

    @property
    def name(self) -> str:
        """`kind name`, by the name the cluster knows, or the logical one where the cluster invents it."""
        for state in (self.old, self.new):
            for properties in (state.get("inputs") or {}, state.get("outputs") or {}):
                name = (properties.get("metadata") or {}).get("name")
                if name and name != UNKNOWN and not self.named_by_content:
                    return f"{self.kind} {name}"
        return f"{self.kind} {self.logical_name}"

    @property
    def named_by_content(self) -> bool:
        """Whether the provider invents a new name for each version of the object."""
        metadata = self.inputs.get("metadata") or {}
        annotations = metadata.get("annotations") or {}
        return "name" not in metadata or "pulumi.com/autonamed" in annotations

    @property
    def depends_on(self) -> frozenset[str]:
        return frozenset((self.new or self.old).get("dependencies") or ())

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The properties that differ; the engine names none where another object's replacement forces this one's."""
        if self.old and self.new and not self.diff:
            found = _differences("", self.old.get("inputs") or {}, self.new.get("inputs") or {})
            return tuple(
                Change(path=path, old=old, new=new, forces=False)
                for path, old, new in found
                if not (path == "metadata.name" and self.named_by_content)
            )
        return tuple(
            Change(
                path=path,
                old=_look(self.old, path),
                new=_look(self.new, path),
                forces=entry["kind"].endswith("-replace"),
            )
            for path, entry in sorted(self.diff.items())
        )

    @property
    def _state(self) -> Mapping[str, Any]:
        return self.new or self.old


@dataclass(frozen=True)
class Preview:
    """What one stack's preview says; `errors` is why it stopped, if it did."""

    stack: str
    steps: tuple[Step, ...]
    errors: tuple[str, ...]


def read(file: Path) -> Preview:
    """The preview in a file.

    Raises:
        PreviewError: it is missing, empty, cut off, or not what `pulumi preview --json` writes.
    """
    again = "run `pulumi preview --json` again and see what it says on stderr"
    try:
        text = file.read_text()
    except OSError as error:
        raise PreviewError(f"{file}: {error.strerror}") from None
    if not text.strip():
        raise PreviewError(f"{file} is empty, so the preview ended before it began: {again}")
    try:
        digest = json.loads(text)
    except ValueError as error:
        raise PreviewError(f"{file} is not whole JSON ({error}): {again}") from None
    if not isinstance(digest, dict) or not digest.keys() & {"steps", "diagnostics"}:
        raise PreviewError(
            f"{file} holds no steps, so it is not the output of `pulumi preview --json`: {again}"
        )
    steps = tuple(
        Step(
            op=step["op"],
            urn=step["urn"],
            old=step.get("oldState") or {},
            new=step.get("newState") or {},
            diff=step.get("detailedDiff") or {},
        )
        for step in digest.get("steps") or ()
    )
    errors = tuple(
        entry["message"].strip()
        for entry in digest.get("diagnostics") or ()
        if entry.get("severity") == "error"
    )
    stacks = {step.urn.split("::")[0].removeprefix("urn:pulumi:") for step in steps}
    return Preview(stack=stacks.pop() if stacks else file.stem, steps=steps, errors=errors)


_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')


def parts(path: str) -> list[str | int]:
    """The keys of a path like `data["redis.conf"]` or `spec.containers[0].image`."""
    return [int(index) if index else quoted or plain for quoted, index, plain in _PART.findall(path)]


def _differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Path, old and new value of every leaf that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            step = f'["{key}"]' if re.search(r"[.\[]", key) else f".{key}"
            yield from _differences(f"{path}{step}".lstrip("."), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}[{index}]", before, after)
    elif old != new:
        yield path, old, new


def _look(state: Mapping[str, Any], path: str) -> Any:
    """The value at a path of the inputs, or else of the outputs."""
    for properties in (state.get("inputs"), state.get("outputs")):
        value: Any = properties
        for key in parts(path):
            # All that is inside of a secret is one.
            if value == SECRET:
                return SECRET
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                value = None
                break
        if value is not None:
            return value
    return None
