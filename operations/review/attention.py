"""Lines that a reviewer must look at: whatever is not known to be safe, as sentences that name object and property."""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from detection.scrub import scrubbed
from operations.review import mask
from operations.review.given_up import given_up
from operations.review.kinds import holds_state, loses, makes_password
from operations.review.preview import UNKNOWN, UNTOUCHED, Preview, Step, at
from operations.review.rolls import ONE_BY_ONE, how, reasons, rolls_pods
from operations.review.safe import Leaf, harmless, leaves, renamed, unsafe

ROUTES = {"Ingress", "HTTPRoute"}
LATER = "(known after it is made)"
LONGEST = 160
"""Characters of one value in a sentence."""


@dataclass(frozen=True)
class Concern:
    """A line to be looked at, empty where another one says it, and what is agreed to with it."""

    line: str
    facts: tuple[str, ...]


class Words:
    """Values in sentences that are the same in every preview of one change.

    A name that the provider invents may differ from preview to preview, so the resource's logical name stands for it.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        names = {
            at(step.after, "metadata", "name"): step.logical_name
            for step in steps
            if step.new and step.named_by_content
        }
        self._names = {name: logical for name, logical in names.items() if isinstance(name, str) and name}

    def stable(self, text: str) -> str:
        for name, logical in self._names.items():
            text = text.replace(name, logical)
        return text

    def value(self, step: Step, path: str, value: Any) -> str:
        text = shown(step, path, value)
        return "absent" if text is None else _cut(self.stable(text))

    def leaf(self, step: Step, leaf: Leaf) -> str:
        """A property with its value before and after."""
        old, new = (self.value(step, leaf.path, value) for value in (leaf.old, leaf.new))
        variable = "".join(
            f" ({key[1:-1]})"
            for holder, key in zip(leaf.keys, leaf.keys[1:], strict=False)
            if holder == "env" and isinstance(key, str) and key.startswith("[")
        )
        return f"{scrubbed(leaf.path)}{variable} {old} → {new}"

    def content(self, step: Step) -> str:
        """A new object's inputs as a word that differs when they do."""
        text = self.stable(json.dumps(mask.masked(step.kind, "", step.after), sort_keys=True))
        return _digest(text)


def shown(step: Step, path: str, value: Any) -> str | None:
    """A value of a property as it may be shown, whole; None where it is absent."""
    value = mask.masked(step.kind, path, value, mask.names(path, step.before, step.after))
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text.replace(UNKNOWN, LATER)


def _cut(text: str) -> str:
    """A value that is short, and yet differs when the whole one does."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters, {_digest(text)})"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


# --- what cannot be taken back ------------------------------------------------------------------


def all_given_up(
    preview: Preview, steps: Sequence[Step], versions: Collection[Step], lost: Collection[Step], words: Words
) -> Iterator[str]:
    """Sentences about what is given up, each once with the names of the objects that give it up."""
    names = renamed(step for step in steps if step not in lost)
    found: dict[str, list[str]] = {}
    for step in steps:
        for sentence in given_up(step, names):
            found.setdefault(words.stable(sentence), []).append(step.name)
    for sentence, objects in found.items():
        yield f"{sentence} ({', '.join(dict.fromkeys(objects))})"
    moved = [step.name for step in steps if loses(step) and step.op != "delete" and step not in versions]
    for step in preview.steps:
        if step.is_provider and step.op not in UNTOUCHED:
            if "replace" in step.op:
                yield f"replaces the connection to the cluster: {_provider(step)}"
            elif moved and step.op == "update":
                yield f"replaces objects together with the connection to the cluster: {', '.join(moved)}"


# --- what is to be looked at --------------------------------------------------------------------


def attention(
    preview: Preview, steps: Sequence[Step], versions: Collection[Step], lost: Collection[Step], words: Words
) -> Iterator[Concern]:
    """Everything that is not known to be safe, what is lost aside."""
    yield from _providers(preview, words)
    for step in steps:
        yield from _opens(step)
    for step in preview.steps:
        if step.old and step.old.protect and step.new and not step.new.protect and holds_state(step):
            yield _said(f"takes the protection from {step.name}")
    for step in steps:
        if makes_password(step):
            yield _said(f"makes another password, and ends the one before: {step.logical_name}")
    for step in steps:
        if rolls_pods(step) and how(step) != ONE_BY_ONE:
            line = f"interrupts {step.name}: its pods leave before their successors start"
            yield Concern(line, (f"{line}: {'; '.join(reasons(step, versions))}",))
    yield from _comes_and_goes(steps, versions, lost, words)
    yield from _properties(steps, lost, words)


def _properties(steps: Sequence[Step], lost: Collection[Step], words: Words) -> Iterator[Concern]:
    """Each property with the names of the objects in which it changes alike."""
    names = renamed(step for step in steps if step not in lost)
    objects: dict[str, list[str]] = {}
    for step in steps:
        forcing = {change.path for change in step.changes if change.forces} if step in lost else set()
        for leaf in unsafe(step, names) if step.old and step.new and not makes_password(step) else ():
            if leaf.path in forcing:
                # Shown with what is lost.
                yield Concern("", (f"{step.name}: {words.leaf(step, leaf)}",))
            elif not _is_said(step, leaf):
                objects.setdefault(words.leaf(step, leaf), []).append(step.name)
    for said, holders in objects.items():
        yield Concern(f"{', '.join(holders)}: {said}", tuple(f"{holder}: {said}" for holder in holders))


def _said(line: str) -> Concern:
    return Concern(line, (line,))


def _comes_and_goes(
    steps: Sequence[Step], versions: Collection[Step], lost: Collection[Step], words: Words
) -> Iterator[Concern]:
    rest = [step for step in steps if loses(step) and step not in versions and step not in lost]
    for step in lost:
        yield Concern("", (f"{step.op}s {step.name}",))
    if replaced := [step for step in rest if step.op != "delete"]:
        yield _each("replaces", replaced, ": away meanwhile")
    if deleted := [step for step in rest if step.op == "delete"]:
        yield _each("deletes", deleted)
    created = [step for step in steps if step.op == "create" and not harmless(step)]
    if created:
        facts = tuple(f"creates {step.name}, content {words.content(step)}" for step in created)
        yield Concern(f"creates {', '.join(step.name for step in created)}", facts)
    for step in steps:
        if step.op not in ("create", "update") and not loses(step):
            yield Concern(
                f"would {step.op} {step.name}", (f"{step.op} {step.name}, content {words.content(step)}",)
            )


def _each(verb: str, steps: Sequence[Step], after: str = "") -> Concern:
    names = [step.name for step in steps]
    return Concern(f"{verb} {', '.join(names)}{after}", tuple(f"{verb} {name}" for name in names))


def _providers(preview: Preview, words: Words) -> Iterator[Concern]:
    """The connection through which every object is reached: another one may lead to another cluster."""
    for step in preview.steps:
        if step.is_provider and step.op not in UNTOUCHED:
            rows = [f": {words.leaf(step, leaf)}" for leaf in leaves(step)] if step.old and step.new else []
            for row in rows or [""]:
                yield _said(f"{step.op}s the connection to the cluster ({_provider(step)}){row}")


def _provider(step: Step) -> str:
    return f"provider {step.kind} {step.logical_name}"


# --- routes -------------------------------------------------------------------------------------


def _opens(step: Step) -> Iterator[Concern]:
    if step.kind not in ROUTES or not step.new:
        return
    opened = sorted(_hosts(step.after) - _hosts(step.before))
    if opened:
        yield _said(f"opens {', '.join(opened)} ({step.name})")
    if step.old:
        before, after = _paths(step.before) or set(), _paths(step.after) or set()
        for path in sorted(after - before):
            yield _said(f"opens {path} ({step.name})")
        for path in sorted(before - after):
            yield _said(f"closes {path} ({step.name})")


def _is_said(step: Step, leaf: Leaf) -> bool:
    """Whether the paths that an Ingress opens and closes say all of it."""
    is_paths = leaf.keys[:2] == ("spec", "rules") and "paths" in leaf.keys
    return is_paths and _paths(step.before) is not None and _paths(step.after) is not None


def _paths(inputs: dict[str, Any]) -> set[str] | None:
    """Every path of an Ingress's rules with its host and its Service; None where a rule says more than that."""
    found = set()
    for rule in _list(at(inputs, "spec", "rules")):
        for row in _list(at(rule, "http", "paths")):
            service = at(row, "backend", "service")
            port = at(service, "port")
            if (
                not isinstance(row, dict)
                or not isinstance(port, dict)
                or row.keys() != {"path", "pathType", "backend"}
                or row["backend"].keys() != {"service"}
                or service.keys() != {"name", "port"}
                or len(port) != 1
            ):
                return None
            (number,) = port.values()
            found.add(f"{at(rule, 'host')}{row['path']} ({row['pathType']}) to {service['name']}:{number}")
    return found


def _hosts(inputs: dict[str, Any]) -> set[str]:
    rules = [at(rule, "host") for rule in _list(at(inputs, "spec", "rules"))]
    return {host for host in [*_list(at(inputs, "spec", "hostnames")), *rules] if isinstance(host, str)}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
