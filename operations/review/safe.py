"""Changes that are known to be safe. Everything else is for a reviewer to look at, whatever it is.

A rule names kinds of objects, a property, and which of its changes are meant. A property that no rule names is no rule's.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from operations.review.kinds import KEEPS_NOTHING, LOGIN, VERSIONED
from operations.review.preview import UNKNOWN, Step, at, joined, parts

Key = str | int


@dataclass(frozen=True)
class Leaf:
    """A property of an object's inputs that differs; None where it is absent."""

    path: str
    keys: tuple[Key, ...]
    """The path's keys, where an item of a list that has a name is called `[name]`."""
    old: Any
    new: Any


def leaves(step: Step) -> Iterator[Leaf]:
    """Every property that differs: by the inputs, and what the engine lists although the inputs do not show it."""
    before, after = (step.before, step.after) if step.old and step.new else ({}, {})
    found = list(_leaves("", (), before, after))
    yield from found
    covered = [parts(leaf.path) for leaf in found]
    for change in step.changes if step.old and step.new else ():
        keys = parts(change.path)
        if not any(keys[: len(known)] == known or known[: len(keys)] == keys for known in covered):
            yield Leaf(change.path, tuple(keys), change.old, change.new)


def _leaves(path: str, keys: tuple[Key, ...], old: Any, new: Any) -> Iterator[Leaf]:
    if old == new:
        return
    mappings = [value for value in (old, new) if value is not None]
    if all(isinstance(value, dict) and value for value in mappings):
        old, new = old or {}, new or {}
        for key in sorted(old.keys() | new.keys()):
            yield from _leaves(joined(path, key), (*keys, key), old.get(key), new.get(key))
        return
    if isinstance(old, list) and isinstance(new, list):
        names = [[at(item, "name") for item in items] for items in (old, new)]
        if all(isinstance(name, str) for items in names for name in items) and all(
            len(set(items)) == len(items) for items in names
        ):
            yield from _named(
                path, keys, dict(zip(names[0], old, strict=True)), dict(zip(names[1], new, strict=True))
            )
            return
        if len(old) == len(new):
            for index, (before, after) in enumerate(zip(old, new, strict=True)):
                yield from _leaves(joined(path, index), (*keys, index), before, after)
            return
    yield Leaf(path, keys, old, new)


def _named(
    path: str, keys: tuple[Key, ...], old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Leaf]:
    """Items of a list that are known by their names; one that is added or removed is a leaf as a whole."""
    for name in (*new, *(gone for gone in old if gone not in new)):
        index = list(new if name in new else old).index(name)
        inner, under = joined(path, index), (*keys, f"[{name}]")
        if name in old and name in new:
            yield from _leaves(inner, under, old[name], new[name])
        else:
            yield Leaf(inner, under, old.get(name), new.get(name))


# --- what an existing object may change ---------------------------------------------------------

Holds = Callable[[Any, Any], bool]


def same_repository(old: Any, new: Any) -> bool:
    """Whether an image is a fixed version out of the repository that the one before came from."""
    before, after = _image(old), _image(new)
    if not before or not after or before[0] != after[0]:
        return False
    _, tag, digest = after
    return bool(digest) or (not before[2] and bool(re.search(r"\d", tag)))


def _image(reference: Any) -> tuple[str, str, str] | None:
    """Repository with its registry, tag and digest of an image."""
    found = re.fullmatch(r"([^@\s]+?)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?", str(reference))
    return (found[1], found[2] or "", found[3] or "") if found else None


def _all_same_repository(old: Any, new: Any) -> bool:
    if not isinstance(old, str) or not isinstance(new, str) or len(old.split()) != len(new.split()):
        return False
    return all(
        before == after or same_repository(before, after)
        for before, after in zip(old.split(), new.split(), strict=True)
    )


def more(old: Any, new: Any) -> bool:
    """Whether a quantity of Kubernetes grows."""
    before, after = quantity(old), quantity(new)
    return before is not None and after is not None and Decimal(0) < before <= after


def longer(old: Any, new: Any) -> bool:
    """Whether a time grows, in the form in which the program writes it: `315`, `315s` or `attribute=315`."""
    times = [re.fullmatch(r"([a-z_.]+=)?(\d{1,9})(s?)", str(value)) for value in (old, new)]
    before, after = times
    if not before or not after or (before[1], before[3]) != (after[1], after[3]):
        return False
    return 0 < int(before[2]) <= int(after[2])


_UNITS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def quantity(value: Any) -> Decimal | None:
    """A quantity like `500m` or `4Gi`, or a number, as a number; None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?)([a-zA-Z]{0,2})", str(value))
    if not found:
        return None
    number, unit = Decimal(found[1]), found[2]
    if unit in _BINARY:
        return number * Decimal(1024) ** _BINARY[unit]
    return number.scaleb(_UNITS[unit]) if unit in _UNITS else None


def _any(_old: Any, _new: Any) -> bool:
    return True


def _preferences(old: Any, new: Any) -> bool:
    """Whether what asks for a place on nodes only prefers it."""
    return "required" not in json.dumps([old, new])


def _more_connections(old: Any, new: Any) -> bool:
    try:
        before, after = json.loads(old), json.loads(new)
    except (TypeError, ValueError, RecursionError):
        return False
    if not isinstance(before, dict) or not isinstance(after, dict) or before.keys() != after.keys():
        return False
    changed = {key for key in before if before[key] != after[key]}
    return changed <= {"pool_size", "max_overflow"} and all(more(before[key], after[key]) for key in changed)


def _word_of(*words: str) -> Holds:
    return lambda _old, new: new is None or str(new).upper() in words


SETTINGS: Mapping[str, Holds] = {
    "LOG_LEVEL": _word_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "LOG_ENV": _word_of("CONTAINER", "CONTAINER_JSON"),
    "DB_CONNECTION_SETTINGS": _more_connections,
    "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": more,
    "UVICORN_TIMEOUT_KEEP_ALIVE": more,
    "DO_NOT_TRACK": _word_of("TRUE", "1"),
    "TZ": _any,
    # Noted with each backup: what ran when it was taken.
    "IMAGES": _all_same_repository,
}
"""Variables of containers, by name without the application's prefix; no other is known to be harmless."""


def _setting(name: Key, old: Any, new: Any) -> bool:
    holds = SETTINGS.get(re.sub(r"^(SKILLFLAW|LANGFLOW)_", "", str(name).strip("[]")))
    values = all(value is None or isinstance(value, str) for value in (old, new))
    return values and holds is not None and holds(old, new)


def _variable(leaf: Leaf) -> bool:
    """Whether a container's variable, with a value of its own, is one of the settings."""
    name = next(key for key in reversed(leaf.keys) if key != "value")
    if leaf.keys[-1] == "value":
        return _setting(name, leaf.old, leaf.new)
    items = [item for item in (leaf.old, leaf.new) if item is not None]
    plain = all(isinstance(item, dict) and item.keys() <= {"name", "value"} for item in items)
    return plain and _setting(name, at(leaf.old, "value"), at(leaf.new, "value"))


@dataclass(frozen=True)
class Rule:
    """A property that some kinds of objects may change, and how."""

    kinds: Collection[str]
    """Kinds as `group/Kind`."""
    keys: tuple[Any, ...]
    """Keys of the path: a word, a set of words, `int` for an index or a name in a list, `str` for any key; at the end, an
    ellipsis for whatever follows."""
    holds: Holds

    def covers(self, kind: str, leaf: Leaf) -> bool:
        return kind in self.kinds and _matches(self.keys, leaf.keys) and self.holds(leaf.old, leaf.new)


def _matches(pattern: tuple[Any, ...], keys: tuple[Key, ...]) -> bool:
    if pattern[-1:] == (...,):
        pattern, keys = pattern[:-1], keys[: len(pattern) - 1]
    return len(pattern) == len(keys) and all(map(_is, pattern, keys))


def _is(wanted: Any, key: Key) -> bool:
    if wanted is int:
        return isinstance(key, int) or key.startswith("[")
    if wanted is str:
        return isinstance(key, str)
    return key in wanted if isinstance(wanted, frozenset) else key == wanted


DEPLOYMENT, STATEFUL_SET, JOB, CRON_JOB = "apps/Deployment", "apps/StatefulSet", "batch/Job", "batch/CronJob"
WORKLOADS = frozenset({DEPLOYMENT, STATEFUL_SET, "apps/DaemonSet", JOB, CRON_JOB})
CONFIG_MAP, SECRET = "core/ConfigMap", "core/Secret"
AUTOSCALER = "autoscaling/HorizontalPodAutoscaler"
CLAIM = "core/PersistentVolumeClaim"
OPERATED, CATALOG = "postgresql.cnpg.io/Cluster", "postgresql.cnpg.io/ImageCatalog"
POD = ("spec", "template", "spec")
CONTAINER = (*POD, frozenset({"containers", "initContainers"}), int)
AFFINITY = frozenset({"nodeAffinity", "podAffinity", "podAntiAffinity"})
PROBES = frozenset({"startupProbe", "readinessProbe", "livenessProbe"})
TIMEOUTS = frozenset(
    {
        *(f"nginx.ingress.kubernetes.io/proxy-{way}-timeout" for way in ("read", "send")),
        *(f"nginx.org/proxy-{way}-timeout" for way in ("read", "send")),
        "haproxy.org/timeout-server",
        "haproxy.router.openshift.io/timeout",
        *(f"alb.ingress.kubernetes.io/{of}-attributes" for of in ("load-balancer", "target-group")),
    }
)
"""Annotations by which the program says how long a controller waits."""

RULES = (
    Rule(WORKLOADS, (*CONTAINER, "image"), same_repository),
    Rule(WORKLOADS, (*CONTAINER, "resources", frozenset({"requests", "limits"}), str), more),
    # Patience of the kubelet and of whoever waits.
    Rule(WORKLOADS, (*CONTAINER, PROBES, frozenset({"failureThreshold", "timeoutSeconds"})), more),
    Rule(WORKLOADS, (*CONTAINER, "lifecycle", "preStop", "sleep", "seconds"), more),
    Rule(WORKLOADS, (*POD, "terminationGracePeriodSeconds"), more),
    Rule({DEPLOYMENT}, ("spec", "progressDeadlineSeconds"), more),
    Rule({JOB, CRON_JOB}, ("spec", "activeDeadlineSeconds"), more),
    Rule({"networking.k8s.io/Ingress"}, ("metadata", "annotations", TIMEOUTS), longer),
    Rule(
        {"gateway.networking.k8s.io/HTTPRoute"},
        ("spec", "rules", int, "timeouts", frozenset({"request", "backendRequest"})),
        longer,
    ),
    # One more address of the same pods, where the cluster has a second family.
    Rule(
        {"core/Service"}, ("spec", "ipFamilyPolicy"), lambda old, new: (old, new) == (None, "PreferDualStack")
    ),
    # How many, but never none.
    Rule({DEPLOYMENT}, ("spec", "replicas"), more),
    Rule({AUTOSCALER}, ("spec", frozenset({"minReplicas", "maxReplicas"})), more),
    Rule({CLAIM}, ("spec", "resources", "requests", "storage"), more),
    # The operator rolls instances one by one, the primary last and after a switchover.
    Rule({CATALOG}, ("spec", "images", int, "image"), same_repository),
    Rule({OPERATED}, ("spec", "instances"), more),
    Rule({OPERATED}, ("spec", frozenset({"storage", "walStorage"}), "size"), more),
    Rule({OPERATED}, ("spec", "resources", frozenset({"requests", "limits"}), str), more),
    Rule({OPERATED}, ("spec", "postgresql", "parameters", "max_connections"), more),
    Rule(
        WORKLOADS,
        (*POD, "affinity", AFFINITY, "preferredDuringSchedulingIgnoredDuringExecution", ...),
        _preferences,
    ),
    # Nothing selects these objects by their labels; pods, Services, routes and namespaces are selected by theirs.
    Rule(
        {*WORKLOADS, CONFIG_MAP, AUTOSCALER, "policy/PodDisruptionBudget"},
        ("metadata", "labels", str),
        _any,
    ),
    # An update that takes a field back from an autoscaler.
    Rule({DEPLOYMENT}, ("metadata", "annotations", "pulumi.com/patchForce"), _any),
)
"""Properties by which no object becomes less safe, less available or more exposed."""

REFERENCES = {
    "configMapRef": CONFIG_MAP,
    "configMapKeyRef": CONFIG_MAP,
    "configMap": CONFIG_MAP,
    "secretRef": SECRET,
    "secretKeyRef": SECRET,
    "secret": SECRET,
}

LOGINS = "skillflaw:app:Logins"
Renamed = Mapping[tuple[str, str], str]
"""The new name of a ConfigMap or Secret of the stack, by its kind and the name it has now."""


def renamed(steps: Iterable[Step]) -> Renamed:
    """The names that objects get which are replaced by a version of themselves."""
    steps = list(steps)
    return {
        **{
            (kind_of(step), str(at(step.before, "metadata", "name"))): str(at(step.after, "metadata", "name"))
            for step in steps
            if step.op == "replace" and kind_of(step) in (CONFIG_MAP, SECRET)
        },
        **{(SECRET, old): new for step in steps if step.op == "create" for old, new in _logins(step)},
    }


def _logins(step: Step) -> Iterator[tuple[str, str]]:
    """The Secret that a server was made with and that of its first login, by the Job in which it learns the second."""
    if kind_of(step) != JOB or LOGINS not in step.owners:
        return
    containers = at(step.after, "spec", "template", "spec", "containers")
    for container in containers if isinstance(containers, list) else ():
        rows = at(container, "env")
        read = {
            at(row, "name"): at(row, "valueFrom", "secretKeyRef", "name")
            for row in (rows if isinstance(rows, list) else ())
        }
        old, new = read.get("INITIAL_URL"), read.get("PASSWORD")
        if isinstance(old, str) and isinstance(new, str) and old != UNKNOWN:
            yield old, new


def follows(kind: str, old: Any, new: Any, names: Renamed) -> bool:
    """Whether a reference moves from an object to that object's new version."""
    return isinstance(old, str) and (kind, old) in names and new in (names[kind, old], UNKNOWN)


def kind_of(step: Step) -> str:
    """`kubernetes:apps/v1:Deployment` as `apps/Deployment`, for kinds of one name exist in several groups."""
    package, _, rest = step.type.partition(":")
    group, _, kind = rest.partition(":")
    return f"{group.partition('/')[0]}/{kind}" if package == "kubernetes" else step.type


def unsafe(step: Step, names: Renamed) -> Iterator[Leaf]:
    """The properties that an update or a replacement changes, and that no rule names."""
    kind = kind_of(step)
    for leaf in leaves(step):
        # The template of a CronJob's Jobs is that of a Job.
        inner = leaf.keys[2:] if leaf.keys[:2] == ("spec", "jobTemplate") else leaf.keys
        judged = Leaf(leaf.path, inner, leaf.old, leaf.new)
        if not (
            any(rule.covers(kind, judged) for rule in RULES)
            or _is_reference(kind, judged, names)
            or (kind in WORKLOADS and _matches((*CONTAINER, "env", int, ...), inner) and _variable(judged))
            or _is_new_version(step, kind, judged)
        ):
            yield leaf


def _is_reference(kind: str, leaf: Leaf, names: Renamed) -> bool:
    if kind not in WORKLOADS or len(leaf.keys) < 2 or leaf.keys[-1] not in ("name", "secretName"):
        return False
    return follows(REFERENCES.get(str(leaf.keys[-2]), ""), leaf.old, leaf.new, names)


def _is_new_version(step: Step, kind: str, leaf: Leaf) -> bool:
    """Whether it is what a replaced version of an object is replaced for."""
    if step.op == "replace" and step.kind in VERSIONED and leaf.keys == ("metadata", "name"):
        return True
    if kind == CONFIG_MAP and len(leaf.keys) == 2 and leaf.keys[0] == "data":
        return _setting(leaf.keys[1], leaf.old, leaf.new)
    return (
        kind == SECRET
        and not {KEEPS_NOTHING, LOGIN}.isdisjoint(step.owners)
        and leaf.keys[0] in ("data", "stringData")
    )


# --- what may come into being -------------------------------------------------------------------


def harmless(step: Step) -> bool:
    """Whether a new object can by itself neither open, run nor grant anything."""
    inputs, kind = step.after, kind_of(step)
    annotations = at(inputs, "metadata", "annotations") or {}
    if not isinstance(annotations, dict) or not all(
        str(key).startswith("pulumi.com/") for key in annotations
    ):
        return False
    known = {"apiVersion", "kind", "metadata"}
    if kind == "core/Service":
        spec = inputs.get("spec")
        return (
            inputs.keys() <= {*known, "spec"}
            and isinstance(spec, dict)
            and spec.keys()
            <= {"ports", "selector", "type", "clusterIP", "publishNotReadyAddresses", "ipFamilyPolicy"}
            and spec.get("type") in (None, "ClusterIP")
        )
    if kind == "core/ServiceAccount":
        return inputs.keys() <= {*known, "automountServiceAccountToken"}
    if kind == SECRET:
        return inputs.get("type") in (None, "Opaque")
    if kind == "monitoring.coreos.com/PodMonitor":
        spec = inputs.get("spec")
        endpoints = at(spec, "podMetricsEndpoints")
        return (
            isinstance(spec, dict)
            and spec.keys() <= {"selector", "podMetricsEndpoints"}
            and isinstance(endpoints, list)
            and all(isinstance(row, dict) and row.keys() <= {"port", "interval"} for row in endpoints)
        )
    if kind == "monitoring.coreos.com/PrometheusRule":
        # One that records may write what somebody else reads.
        groups = at(inputs, "spec", "groups")
        return isinstance(groups, list) and all(
            isinstance(at(group, "rules"), list) and all(at(row, "alert") for row in group["rules"])
            for group in groups
        )
    return kind in (CONFIG_MAP, CLAIM, "policy/PodDisruptionBudget") or step.type.startswith("random:")
