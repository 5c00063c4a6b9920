"""The steps of `pulumi preview --json`, and why the preview failed if it did."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from detection.scrub import SECRET

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine writes a value that only the update will know."""

UNTOUCHED = frozenset({"same", "refresh", "read"})
"""Operations that leave a resource as it is."""

AGAIN = "run `pulumi preview --json` again and see what it says on stderr"


class PreviewError(Exception):
    """A file is no preview that can be judged; the message says what to do about it."""


class State(msgspec.Struct, frozen=True, rename="camel"):
    """A resource as the engine notes it, of which only this much is read."""

    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    custom: bool = False
    protect: bool = False
    provider: str = ""
    dependencies: list[str] = []
    init_errors: list[str] = []


@dataclass(frozen=True)
class Change:
    """A property before and after; None where it is absent. Values are those of the engine, not yet masked."""

    path: str
    old: Any
    new: Any
    forces: bool
    """Whether it makes the provider replace the object."""


@dataclass(frozen=True, eq=False)
class Step:
    """A step of one resource; None is the state that it does not have."""

    op: str
    urn: str
    old: State | None = field(repr=False)
    new: State | None = field(repr=False)
    diff: dict[str, str] = field(repr=False)
    """Kind of difference (`update`, `add-replace`, …) by property path, as the engine lists them."""

    @property
    def type(self) -> str:
        """The resource's own type, without those of its parents."""
        return type_of(self.urn)

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
    def is_provider(self) -> bool:
        return self.type.startswith("pulumi:providers:")

    @property
    def is_object(self) -> bool:
        """Whether it is something that exists, which components and connections to a cluster do not."""
        is_component = self.type.startswith("skillflaw:") and not self.state.custom
        return not is_component and not self.type.startswith("pulumi:")

    @property
    def state(self) -> State:
        """The state that it would have, or else the one it has."""
        return self.new or self.old or State()

    @property
    def before(self) -> dict[str, Any]:
        """Inputs of the old state."""
        return self.old.inputs if self.old else {}

    @property
    def after(self) -> dict[str, Any]:
        """Inputs of the new state."""
        return self.new.inputs if self.new else {}

    @property
    def name(self) -> str:
        """`kind name`, by the name the cluster knows, or the logical one where the cluster invents it."""
        if not self.named_by_content:
            for state in (self.old, self.new):
                for properties in (state.inputs, state.outputs) if state else ():
                    name = at(properties, "metadata", "name")
                    if isinstance(name, str) and name and name != UNKNOWN:
                        return f"{self.kind} {name}"
        return f"{self.kind} {self.logical_name}"

    @property
    def named_by_content(self) -> bool:
        """Whether the provider invents a new name for each version of the object."""
        inputs = self.state.inputs
        autonamed = at(inputs, "metadata", "annotations", "pulumi.com/autonamed")
        return at(inputs, "metadata", "name") is None or autonamed is not None

    @property
    def depends_on(self) -> frozenset[str]:
        return frozenset(self.state.dependencies)

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The properties that differ; the engine names none where another object's replacement forces this one's."""
        if self.old and self.new and not self.diff:
            found = _differences("", self.before, self.after)
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
                forces=kind.endswith("-replace"),
            )
            for path, kind in sorted(self.diff.items())
        )

    @property
    def changes_nothing(self) -> bool:
        """Whether it is an update that leaves every property as it is.

        The engine updates an object again whose last update did not become ready. Inputs that hold a masked value
        may differ unseen, and count as changed.
        """
        return (
            self.op == "update"
            and not self.diff
            and self.old is not None
            and self.new is not None
            and self.before == self.after
            and self.old.provider == self.new.provider
            and SECRET not in str(self.before)
        )


@dataclass(frozen=True)
class Preview:
    """One stack's preview; `errors` is why it stopped, if it did."""

    stack: str
    steps: tuple[Step, ...]
    errors: tuple[str, ...]


class _Entry(msgspec.Struct):
    message: str = ""
    severity: str = ""


class _Step(msgspec.Struct, rename="camel"):
    op: str
    urn: str
    old_state: dict[str, Any] | None = None
    new_state: dict[str, Any] | None = None
    detailed_diff: dict[str, dict[str, Any]] | None = None


class _Digest(msgspec.Struct, rename="camel"):
    steps: list[_Step] | None = None
    diagnostics: list[_Entry] | None = None
    change_summary: dict[str, int] | None = None


def read(file: Path) -> Preview:
    """The preview in a file, and the exit code of the command that wrote it, in `FILE.exit`, if that is there.

    Raises:
        PreviewError: the file is missing, empty, cut off, or not what `pulumi preview --json` writes.
    """
    digest = _digest(file)
    summary = digest.change_summary or {}
    if not digest.steps and (not summary or summary.keys() - UNTOUCHED):
        reasons = [entry for entry in digest.diagnostics or () if entry.severity in ("error", "info#err")]
        if not reasons:
            raise PreviewError(f"{file} holds no steps, so it is not a whole preview: {AGAIN}")
    else:
        reasons = [entry for entry in digest.diagnostics or () if entry.severity == "error"]
    try:
        steps = tuple(_step(row) for row in digest.steps or ())
    except (msgspec.ValidationError, ValueError) as error:
        raise PreviewError(f"{file} holds a step that the engine does not write ({error}): {AGAIN}") from None
    stacks = {step.urn.split("::")[0].removeprefix("urn:pulumi:") for step in steps} or {file.stem}
    if len(stacks) > 1:
        raise PreviewError(f"{file} holds steps of several stacks ({', '.join(sorted(stacks))}): {AGAIN}")
    errors = tuple(entry.message.strip() or "without a message" for entry in reasons)
    return Preview(stack=stacks.pop(), steps=steps, errors=errors + _exit(file))


def _digest(file: Path) -> _Digest:
    try:
        text = file.read_bytes()
    except OSError as error:
        raise PreviewError(f"{file}: {error.strerror}") from None
    if not text.strip():
        raise PreviewError(f"{file} is empty, so the preview ended before it began: {AGAIN}")
    try:
        return msgspec.json.decode(text, type=_Digest)
    except msgspec.ValidationError as error:
        raise PreviewError(
            f"{file} holds no steps of `pulumi preview --json` but something else ({error}): {AGAIN}"
        ) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise PreviewError(f"{file} is not whole JSON ({error}): {AGAIN}") from None


def _exit(file: Path) -> tuple[str, ...]:
    """Why a preview failed whose JSON may look whole."""
    kept = file.with_name(f"{file.name}.exit")
    try:
        code = int(kept.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValueError):
        return (f"{kept} holds no exit code: {AGAIN}",)
    return (f"the preview ended with exit code {code}",) if code else ()


def _step(row: _Step) -> Step:
    step = Step(
        op=row.op,
        urn=row.urn,
        old=_state(row.old_state),
        new=_state(row.new_state),
        diff={path: str(entry.get("kind", "")) for path, entry in (row.detailed_diff or {}).items()},
    )
    if not re.fullmatch(r"urn:pulumi:(?:(?!::).)+::(?:(?!::).)*::(?:(?!::).)+::.+", row.urn, re.DOTALL):
        raise ValueError(f"{row.urn!r} is no URN")
    if row.op not in UNTOUCHED and step.is_object:
        needed = {"create": [step.new], "update": [step.old, step.new], "replace": [step.old, step.new]}
        if not all(needed.get(row.op, [step.old or step.new])):
            raise ValueError(f"{row.op} of {row.urn} lacks a state")
    return step


def _state(value: dict[str, Any] | None) -> State | None:
    """A state as it is written, where null stands for nothing."""
    if value is None:
        return None
    return msgspec.convert({key: inner for key, inner in value.items() if inner is not None}, State)


def type_of(urn: str) -> str:
    """The type in a URN, without those of its parents; empty where it has none."""
    return [*urn.split("::"), "", "", ""][2].rpartition("$")[2]


def at(value: Any, *keys: str) -> Any:
    """The value that nested mappings hold under some keys; None where there is nothing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')


def parts(path: str) -> list[str | int]:
    """The keys of a path like `data["redis.conf"]` or `spec.containers[0].image`."""
    return [int(index) if index else quoted or plain for quoted, index, plain in _PART.findall(path)]


def joined(path: str, key: str | int) -> str:
    """A path and one more key."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f'{path}["{key}"]' if re.search(r'[.\[\]"]', key) else f"{path}.{key}".lstrip(".")


def _differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Path, old and new value of every leaf that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(joined(path, key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(joined(path, index), before, after)
    elif old != new:
        yield path, old, new


def _look(state: State | None, path: str) -> Any:
    """The value at a path of the inputs, or else of the outputs."""
    for properties in (state.inputs, state.outputs) if state else ():
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
