"""LimitRanges and ResourceQuotas of the namespace against what the stack's pods and claims ask for."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from operations.preflight.found import Found
from operations.preflight.problem import Outcome, Problem
from operations.preflight.quantity import amount
from operations.preflight.wanted import Object, Pods, Wanted
from operations.review.preview import at

Amounts = dict[str, Decimal]

COMPUTE = ("cpu", "memory", "ephemeral-storage")


def limits(wanted: Wanted, found: Found) -> Outcome:
    """What each container, pod and claim may ask for."""
    items = _items(found)
    problems: list[Problem] = []
    for pods in wanted.pods:
        for container in pods.containers:
            what = f"container {container['name']} of {pods.owner}"
            for row in items:
                if row["type"] == "Container":
                    problems += _outside(what, *_resources(container, items), row)
        for row in items:
            if row["type"] == "Pod":
                problems += _outside(f"pods of {pods.owner}", *_pod(pods, items), row)
    for owner, spec in wanted.claims:
        requests = {"storage": amount(at(spec, "resources", "requests", "storage") or 0)}
        for row in items:
            if row["type"] == "PersistentVolumeClaim":
                problems += _outside(f"claim of {owner}", requests, requests, row)
    return Outcome(f"LimitRanges: {len(found.own('limitranges'))}", tuple(problems))


def _items(found: Found) -> list[Object]:
    return [row for each in found.own("limitranges") for row in at(each, "spec", "limits") or ()]


def _resources(container: Object, items: list[Object]) -> tuple[Amounts, Amounts]:
    """Requests and limits of a container as admission completes them."""
    stated = container.get("resources") or {}
    requests, most = (
        {key: amount(value) for key, value in (stated.get(part) or {}).items()}
        for part in ("requests", "limits")
    )
    # A request that is not stated is the limit, where that is.
    requests = most | requests
    for row in items:
        if row["type"] == "Container":
            for key, value in (row.get("default") or {}).items():
                most.setdefault(key, amount(value))
            for key, value in (row.get("defaultRequest") or {}).items():
                requests.setdefault(key, amount(value))
    return requests, most


def _pod(pods: Pods, items: list[Object]) -> tuple[Amounts, Amounts]:
    """Requests and limits of a whole pod: of its containers together, or of the greatest that ends before them."""
    begin = pods.spec.get("initContainers") or ()
    sidecars = [each for each in begin if each.get("restartPolicy") == "Always"]
    both = []
    for part in (0, 1):
        total: Amounts = {}
        for container in (*(pods.spec.get("containers") or ()), *sidecars):
            for key, value in _resources(container, items)[part].items():
                total[key] = total.get(key, Decimal(0)) + value
        for container in begin:
            for key, value in _resources(container, items)[part].items():
                total[key] = max(total.get(key, Decimal(0)), value)
        both.append(total)
    return both[0], both[1]


def _outside(what: str, requests: Amounts, most: Amounts, row: Object) -> Iterator[Problem]:
    kind = "LimitRange"
    remedy = "its resources in the stack file, or another LimitRange"
    for key, value in (row.get("min") or {}).items():
        if requests.get(key, Decimal(0)) < amount(value):
            yield Problem(
                f"{what}, within the {kind}",
                f"requests {_said(requests.get(key), key)} {key}, at least {value}",
                remedy,
            )
    for key, value in (row.get("max") or {}).items():
        if key not in most or max(most[key], requests.get(key, Decimal(0))) > amount(value):
            yield Problem(
                f"{what}, within the {kind}",
                f"limit of {_said(most.get(key), key)} {key}, at most {value}",
                remedy,
            )
    for key, value in (row.get("maxLimitRequestRatio") or {}).items():
        if not requests.get(key) or key not in most or most[key] / requests[key] > amount(value):
            yield Problem(
                f"{what}, within the {kind}",
                f"limit {_said(most.get(key), key)} to request {_said(requests.get(key), key)} of {key}, "
                f"at most {value} to 1",
                remedy,
            )


def _said(value: Decimal | None, resource: str) -> str:
    """An amount for a reader: bytes in Mi where they are whole ones."""
    if value is None:
        return "no"
    if value and resource.endswith(("memory", "storage")) and value % 1024**2 == 0:
        return f"{value / 1024**2:f}Mi"
    return f"{value.normalize():f}"


def quotas(wanted: Wanted, found: Found) -> Outcome:
    """What is left of each quota against all that does not exist yet; what exists is in `used` already."""
    live = found.own("resourcequotas")
    problems = tuple(problem for each in live for problem in _quota(wanted, found, each))
    return Outcome(
        f"ResourceQuotas: {', '.join(each['metadata']['name'] for each in live) or 'none'}", problems
    )


def _quota(wanted: Wanted, found: Found, quota: Object) -> Iterator[Problem]:
    items = _items(found)
    scoped = bool(at(quota, "spec", "scopes") or at(quota, "spec", "scopeSelector"))
    pods = [each for each in wanted.pods if each.new and _in_scope(quota, each)]
    hard = at(quota, "status", "hard") or at(quota, "spec", "hard") or {}
    used = at(quota, "status", "used") or {}
    objects = {} if scoped else _counted(wanted, found)
    name = f"ResourceQuota {quota['metadata']['name']}"
    for key, value in hard.items():
        part, resource = _meaning(key)
        if resource in COMPUTE:
            lacking = [each.owner for each in pods if not _states(each, part, resource, items)]
            if lacking:
                yield Problem(
                    f"{part} of {resource} in every container, for {name}",
                    f"not stated by {', '.join(lacking)}",
                    "resources in the stack file, or a LimitRange with defaults",
                )
            asked = sum(
                (
                    _pod(each, items)[part == "limits"].get(resource, Decimal(0)) * each.replicas
                    for each in pods
                ),
                Decimal(0),
            )
        elif key in ("pods", "count/pods"):
            asked = Decimal(sum(each.replicas for each in pods))
        else:
            asked = objects.get(key, Decimal(0))
        left = amount(value) - amount(used.get(key, 0))
        if asked > left:
            yield Problem(
                f"{key} of {name}",
                f"the stack asks for {_said(asked, resource)}, {_said(left, resource)} of {value} is left",
                "fewer replicas or less resources in the stack file, or more quota",
            )


def _meaning(key: str) -> tuple[str, str]:
    """Whether a quota's key is about requests or limits, and of what."""
    part, dot, resource = key.partition(".")
    return (part, resource) if dot and part in ("requests", "limits") else ("requests", key)


def _states(pods: Pods, part: str, resource: str, items: list[Object]) -> bool:
    return all(resource in _resources(each, items)[part == "limits"] for each in pods.containers)


def _in_scope(quota: Object, pods: Pods) -> bool:
    """Whether a quota counts the pods; those of the program have requests, so none is of the best effort."""
    rows: list[dict[str, Any]] = [{"scopeName": each} for each in at(quota, "spec", "scopes") or ()]
    rows += at(quota, "spec", "scopeSelector", "matchExpressions") or ()
    ends = pods.spec.get("activeDeadlineSeconds") is not None
    priority = pods.spec.get("priorityClassName")
    for row in rows:
        match row["scopeName"]:
            case "Terminating" if not ends:
                return False
            case "NotTerminating" if ends:
                return False
            case "BestEffort":
                return False
            case "PriorityClass" if not _ranked(row, priority):
                return False
            case _:
                pass
    return True


def _ranked(row: dict[str, Any], priority: str | None) -> bool:
    values = row.get("values") or ()
    match row.get("operator", "Exists"):
        case "In":
            return priority in values
        case "NotIn":
            return priority not in values
        case "DoesNotExist":
            return priority is None
    return priority is not None


def _counted(wanted: Wanted, found: Found) -> Amounts:
    """Objects and storage that would be added, by the quota's key for them."""
    total: Amounts = {}

    def add(key: str, value: Decimal) -> None:
        total[key] = total.get(key, Decimal(0)) + value

    for each in wanted.made:
        resource = found.kinds(each["apiVersion"]).get(each["kind"])
        if resource and each["kind"] not in ("Namespace", "PersistentVolumeClaim"):
            group = each["apiVersion"].rpartition("/")[0]
            add("count/" + ".".join(filter(None, (resource["name"], group))), Decimal(1))
            if not group:
                add(resource["name"], Decimal(1))
    for _, spec in wanted.claims:
        size = amount(at(spec, "resources", "requests", "storage") or 0)
        keys = [""]
        if of_class := spec.get("storageClassName"):
            keys.append(f"{of_class}.storageclass.storage.k8s.io/")
        for prefix in keys:
            add(f"{prefix}requests.storage", size)
            add(f"{prefix}persistentvolumeclaims", Decimal(1))
        add("count/persistentvolumeclaims", Decimal(1))
    return total
