"""Secrets, ConfigMaps and other objects that pods name, and that the stack does not make."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from operations.preflight.found import Found
from operations.preflight.problem import Outcome, Problem
from operations.preflight.wanted import Object, Wanted, name_of
from operations.review.preview import UNKNOWN, at

PULL_TYPES = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
SCHEMES = {"DATABASE": ("postgresql", "postgres"), "REDIS": ("rediss", "redis")}
"""Schemes of a URL, by a word in the name of the variable that holds it; without such a word, any."""


@dataclass
class Reference:
    """All that the pods want of one object."""

    readers: list[str] = field(default_factory=list)
    """`Kind name` of what runs them."""
    keys: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)
    """Variables that hold a key's value whole, and the key."""
    pulls: bool = False
    """Whether nodes pull images with it."""


def secrets(wanted: Wanted, found: Found) -> Outcome:
    return _outcome(wanted, found, "Secret", "secrets")


def config_maps(wanted: Wanted, found: Found) -> Outcome:
    return _outcome(wanted, found, "ConfigMap", "configmaps")


def _outcome(wanted: Wanted, found: Found, kind: str, plural: str) -> Outcome:
    references = {
        name: reference
        for (of, name), reference in _references(wanted).items()
        if of == kind and not wanted.holds(kind, name)
    }
    problems = tuple(
        problem
        for name, reference in sorted(references.items())
        for problem in _problems(wanted, kind, name, reference, found.core(plural, name))
    )
    looked_at = (
        f"{kind}s that pods refer to and the stack does not make: {', '.join(sorted(references)) or 'none'}"
    )
    return Outcome(looked_at, problems)


def _problems(
    wanted: Wanted, kind: str, name: str, reference: Reference, live: Object | None
) -> Iterator[Problem]:
    what = f"{kind} {name}, for {', '.join(dict.fromkeys(reference.readers))}"
    if live is None:
        yield Problem(what, f"none in namespace {wanted.namespace}", _creation(wanted, kind, name, reference))
        return
    values = (live.get("data") or {}) | (live.get("binaryData") or {})
    if lacking := sorted(reference.keys - values.keys()):
        yield Problem(
            f"{', '.join(lacking)} in {what}",
            f"its keys are {', '.join(sorted(values)) or 'none'}",
            f"add the key to the {kind}, or name one that it has in the stack file",
        )
    if reference.pulls and live.get("type") not in PULL_TYPES:
        yield Problem(
            what,
            f"its type is {live.get('type')}, not {PULL_TYPES[0]}",
            _creation(wanted, kind, name, reference),
        )
    for variable, key in sorted(reference.variables.items()):
        value = values.get(key)
        if kind == "Secret" and value is not None and _is_url(variable) and (flaw := _flaw(variable, value)):
            yield Problem(
                f"{key} in {what}, as {variable}",
                f"its value {flaw}",
                "write the whole URL, the password percent-encoded and without a line's end: "
                f"{_schemes(variable)[0] if _schemes(variable) else 'scheme'}://user:password@host:port/…",
            )


def _creation(wanted: Wanted, kind: str, name: str, reference: Reference) -> str:
    where = f"--namespace={wanted.namespace}"
    if reference.pulls:
        words, keys = "secret docker-registry", "--docker-server=… --docker-username=… --docker-password=…"
    else:
        words = "secret generic" if kind == "Secret" else "configmap"
        keys = " ".join(f"--from-literal={key}=…" for key in sorted(reference.keys)) or "--from-literal=…"
    return wanted.first(f"kubectl create {words} {name} {where} {keys}")


def _is_url(variable: str) -> bool:
    return variable.upper().endswith(("_URL", "_URI"))


def _schemes(variable: str) -> tuple[str, ...]:
    return next((schemes for word, schemes in SCHEMES.items() if word in variable.upper()), ())


def _flaw(variable: str, encoded: str) -> str | None:
    """Why a Secret's value is no URL for a variable, without a word of the value."""
    try:
        value = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "is not text"
    if not value.strip():
        return "is empty"
    if value != value.strip():
        return "begins or ends with white space, such as the line's end that echo writes"
    try:
        url = urlsplit(value)
        whole = bool(url.hostname) and (url.port or True)
    except ValueError:
        return "is no URL; a password with / # ? or @ must be percent-encoded"
    allowed = _schemes(variable)
    if not url.scheme or not whole or any(letter.isspace() for letter in value):
        return "is no URL: it lacks a scheme or a host, or has a space"
    # A driver may stand behind the scheme, as in postgresql+psycopg.
    if allowed and url.scheme.partition("+")[0] not in allowed:
        return f"is a URL of another scheme than {' or '.join(allowed)}"
    return None


def _references(wanted: Wanted) -> dict[tuple[str, str], Reference]:
    """What all pods and archives want, by kind and name; what is optional is not wanted."""
    found: dict[tuple[str, str], Reference] = {}

    def refer(kind: str, source: Any, reader: str, keys: list[str], name: str = "name") -> Reference:
        named = at(source, name)
        if not named or named == UNKNOWN or at(source, "optional"):
            return Reference()
        reference = found.setdefault((kind, named), Reference())
        reference.readers.append(reader)
        reference.keys.update(keys)
        return reference

    for store in wanted.of("ObjectStore"):
        configuration = store["spec"]["configuration"]
        for row in (*configuration["s3Credentials"].values(), configuration.get("endpointCA") or {}):
            refer("Secret", row, name_of(store), [row["key"]] if row else [])
    for each in wanted.pods:
        for container in each.containers:
            for row in container.get("env") or ():
                for kind, source in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                    if value := at(row, "valueFrom", source):
                        refer(kind, value, each.owner, [value["key"]]).variables[row["name"]] = value["key"]
            for row in container.get("envFrom") or ():
                refer("Secret", row.get("secretRef"), each.owner, [])
                refer("ConfigMap", row.get("configMapRef"), each.owner, [])
        for volume in each.spec.get("volumes") or ():
            for row in (volume, *(at(volume, "projected", "sources") or ())):
                for kind, source in (("Secret", "secret"), ("ConfigMap", "configMap")):
                    keys = [item["key"] for item in at(row, source, "items") or ()]
                    named = "secretName" if row is volume and kind == "Secret" else "name"
                    refer(kind, row.get(source), each.owner, keys, named)
        for row in each.spec.get("imagePullSecrets") or ():
            refer("Secret", row, each.owner, []).pulls = True
    return found


CLUSTER_WIDE = {
    "priorityClassName": ("PriorityClass", "/apis/scheduling.k8s.io/v1/priorityclasses"),
    "runtimeClassName": ("RuntimeClass", "/apis/node.k8s.io/v1/runtimeclasses"),
}
"""Keys of a pod's spec that name an object, its kind, and the path of its list."""


def classes(wanted: Wanted, found: Found) -> Outcome:
    """Service accounts, priority and runtime classes of pods."""
    problems = []
    named = sorted(
        {
            (key, name, pods.owner)
            for pods in wanted.pods
            for key in CLUSTER_WIDE
            if (name := pods.spec.get(key)) and name != UNKNOWN
        }
    )
    for key, name, reader in named:
        kind, path = CLUSTER_WIDE[key]
        exist = {each["metadata"]["name"] for each in found.items(path)}
        if name not in exist:
            remedy = (
                f"make it, or name one of {', '.join(sorted(exist))}" if exist else "make it, or name none"
            )
            problems.append(Problem(f"{kind} {name}, for {reader}", "none of that name", remedy))
    accounts = sorted(
        {
            (name, pods.owner)
            for pods in wanted.pods
            # Every namespace has the account `default`.
            if (name := pods.spec.get("serviceAccountName")) not in (None, "default")
            and not wanted.holds("ServiceAccount", name)
        }
    )
    for name, reader in accounts:
        if found.core("serviceaccounts", name) is None:
            remedy = wanted.first(f"kubectl create serviceaccount {name} --namespace={found.namespace}")
            problems.append(Problem(f"ServiceAccount {name}, for {reader}", "none of that name", remedy))
    listed = sorted({name for _, name, _ in named} | {name for name, _ in accounts})
    return Outcome(
        f"priority, runtime classes and accounts of pods: {', '.join(listed) or 'none'}", tuple(problems)
    )
