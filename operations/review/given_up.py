"""State that stays where it is, and that pods would no longer reach or could no longer read."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from operations.review import mask
from operations.review.preview import Step, at
from operations.review.safe import CONFIG_MAP, SECRET, Renamed, follows, kind_of, leaves

DATABASE = re.compile(
    r"DATABASE_(URL|HOST|PORT|NAME)$|^PG(HOST|HOSTADDR|PORT|DATABASE|SERVICE)$", re.IGNORECASE
)
"""Variables that say which database is used."""
KEY = re.compile(r"secret[_-]key", re.IGNORECASE)
"""Volumes and files that hold the key by which stored values are encrypted."""
FINGERPRINT = "/.key-fingerprint"
"""The guard's last argument but one; the last is a key that may be given up."""


def given_up(step: Step, names: Renamed) -> Iterator[str]:
    """Sentences about what a step gives up, without the object's own name."""
    old, new = (_pod(inputs) for inputs in (step.before, step.after))
    for accepted in sorted(_accepted(new) - _accepted(old)):
        yield f"gives up what the key {accepted} encrypts"
    if kind_of(step) == CONFIG_MAP:
        for leaf in leaves(step):
            if leaf.keys[:1] == ("data",) and DATABASE.search(str(leaf.keys[-1])) and leaf.old is not None:
                before, after = (_shown(str(leaf.keys[-1]), value) for value in (leaf.old, leaf.new))
                yield f"uses another database: {leaf.keys[-1]}, {before} → {after}"
    if not old or not new:
        return
    for what, known in (("database", _databases), ("secret key", _keys), ("claim", _claims)):
        used = known(new)
        for use, source in known(old).items():
            now = used.get(use)
            if now != source and not _follows(source, now, names) and source not in _at_hand(new):
                yield f"uses another {what}: {use}, {_source(use, source)} → {_source(use, now)}"


def _follows(old: Any, new: Any, names: Renamed) -> bool:
    """Whether it is the same key in a new version of the stack's own Secret."""
    return (
        isinstance(old, tuple)
        and isinstance(new, tuple)
        and old[1:] == new[1:]
        and (old[0] == new[0] or follows(SECRET, old[0], new[0], names))
    )


def _source(use: str, source: Any) -> str:
    if isinstance(source, tuple):
        return f"{', '.join(map(str, source[1:]))} of Secret {source[0]}"
    return _shown(use, source)


def _shown(name: str, value: Any) -> str:
    return "nothing" if value is None else str(mask.masked("", name, value))


def _pod(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The pod's spec that an object holds, empty where it has none."""
    for path in (("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec")):
        spec = at(inputs, *path)
        if isinstance(spec, dict):
            return spec
    return {}


def _items(holder: Any, *names: str) -> list[dict[str, Any]]:
    lists = [at(holder, name) for name in names]
    return [item for items in lists if isinstance(items, list) for item in items if isinstance(item, dict)]


def _containers(pod: Any) -> list[dict[str, Any]]:
    return _items(pod, "containers", "initContainers")


def _accepted(pod: Any) -> set[str]:
    found = set()
    for container in _containers(pod):
        words = [
            word
            for part in ("command", "args")
            for word in (container[part] if isinstance(container.get(part), list) else ())
        ]
        after = [index for index, word in enumerate(words) if str(word).endswith(FINGERPRINT)]
        found |= {str(word) for index in after for word in words[index + 1 :]}
    return found


def _databases(pod: Any) -> dict[str, Any]:
    """The Secret and its key, or a value, by variable."""
    return {
        str(row.get("name")): _secret(at(row, "valueFrom", "secretKeyRef"), "name", "key")
        or _without_encryption(row.get("value"))
        for container in _containers(pod)
        for row in _items(container, "env")
        if DATABASE.search(str(row.get("name")))
    }


def _without_encryption(url: Any) -> Any:
    """A database's URL without how its connections are encrypted, which makes it no other database."""
    return re.sub(r"(?<=[?&])sslmode=[\w-]+&?", "", url).rstrip("?&") if isinstance(url, str) else url


def _keys(pod: Any) -> dict[str, Any]:
    """The Secret and its keys, by volume."""
    found = {}
    for volume in _items(pod, "volumes"):
        items = _items(at(volume, "secret"), "items")
        if any(KEY.search(str(name)) for name in (volume.get("name"), *(row.get("path") for row in items))):
            name = at(volume, "secret", "secretName")
            found[f"volume {volume.get('name')}"] = (name, *(row.get("key") for row in items))
    return found


def _at_hand(pod: Any) -> set[Any]:
    """Secrets and keys that the pod reads as well: a key of before opens what is encrypted again."""
    return {
        (at(source, "secret", "name"), *(row.get("key") for row in _items(at(source, "secret"), "items")))
        for volume in _items(pod, "volumes")
        for source in _items(at(volume, "projected"), "sources")
    }


def _claims(pod: Any) -> dict[str, Any]:
    """The claim's name, by volume."""
    return {
        f"volume {volume.get('name')}": at(volume, "persistentVolumeClaim", "claimName")
        for volume in _items(pod, "volumes")
        if at(volume, "persistentVolumeClaim") is not None
    }


def _secret(reference: Any, *keys: str) -> tuple[Any, ...] | None:
    return tuple(at(reference, key) for key in keys) if isinstance(reference, dict) else None
