"""Additions to a stack's cluster by hand: fields of its objects, and objects of nobody in its namespace.

A preview with `--refresh` compares what the program declares. What was added next to that is distinguished by
`metadata.managedFields`: Kubernetes notes there who wrote which field.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operations import stack as stacks
from operations.kubectl import Kubectl
from operations.ownership import is_own
from operations.program import output_of
from operations.review import mask
from operations.review.added import Added

Object = Mapping[str, Any]
Place = tuple[str, str]
"""A step into an object: as it is shown (`.spec`, `[name=x]`), and as a token of a JSON pointer."""

KINDS = (
    "networkpolicies.networking.k8s.io",
    "ingresses.networking.k8s.io",
    "services",
    "serviceaccounts",
    "endpointslices.discovery.k8s.io",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "replicasets.apps",
    "jobs.batch",
    "cronjobs.batch",
    "pods",
    "secrets",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "horizontalpodautoscalers.autoscaling",
)
"""Kinds that open, run or grant something, as kubectl calls them."""
SERVED = {
    "gateway.networking.k8s.io": ("httproutes",),
    "barmancloud.cnpg.io": ("objectstores",),
    "postgresql.cnpg.io": ("clusters", "imagecatalogs", "scheduledbackups"),
}
"""Further such kinds by API group, which not every cluster serves."""

CONTROLLERS = (
    "pulumi",
    "kube-",
    "kubelet",
    "cloud-controller-manager",
    "service-controller",
    "cert-manager",
    "horizontal-pod-autoscaler",
    "vpa-",
    "traefik",
    "nginx-ingress-controller",
    "haproxy-ingress",
    "aws-load-balancer-controller",
    "gke-",
    "glbc",
    "calico",
    "cilium",
    "istio",
    "openshift-",
)
"""Beginnings of the names of field managers that do their work; any other name is somebody's hand."""

ANNOTATIONS = (
    "cert-manager.io/",
    "acme.cert-manager.io/",
    "deployment.kubernetes.io/",
    "kubectl.kubernetes.io/",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "cloud.google.com/",
    "networking.gke.io/",
    "pulumi.com/",
    "skillflaw.com/",
)
"""Beginnings of annotations by which controllers and this program's operations keep notes on objects."""

RELEASED = ("StatefulSet", "Service", "ServiceAccount")
"""Kinds of objects that `operations release` leaves in the namespace, among those that are looked at."""

DEFAULTS = {
    "protocol": "TCP",
    "weight": 1,
    "group": "",
    "sessionAffinity": "None",
    "pathType": "ImplementationSpecific",
    # What a restore that ended leaves of the schedule that it held back.
    "suspend": False,
}
"""Values that the API server fills in where nobody says another one; written by hand they change nothing."""

IDENTITIES = ("name", "host", "path", "port", "cidr", "secretName")
"""Fields by which an item of such a list is known again."""


@dataclass(frozen=True)
class Addition:
    """A field that the state does not have, in an object that it has."""

    path: tuple[Place, ...]
    manager: str
    value: Any

    def line(self, kind: str) -> str:
        """The path, who wrote it and what, without a secret."""
        shown = "".join(place for place, _ in self.path).removeprefix(".")
        value = mask.masked(kind, shown, self.value)
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        return f"{shown} was added by {self.manager}: {text}"

    @property
    def pointer(self) -> str:
        return "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for _, token in self.path)


def added(name: str) -> Added:
    """Additions by hand to a stack's objects and next to them.

    Raises:
        ProgramError: pulumi or kubectl says no.
    """
    exported = json.loads(output_of("pulumi", "stack", "export", f"--stack={name}", "--non-interactive"))
    rows = [row for row in exported["deployment"].get("resources", ()) if not row.get("delete")]
    declared = [row["inputs"] for row in rows if row["type"].startswith("kubernetes:") and row.get("inputs")]
    with stacks.read(name).kubectl() as kubectl:
        return compare(declared, live(kubectl), kubectl)


def live(kubectl: Kubectl) -> list[dict[str, Any]]:
    """The objects of the namespace that matter, with who wrote their fields."""
    further = [
        f"{kind}.{group}" for group, kinds in SERVED.items() if kubectl.serves(group) for kind in kinds
    ]
    words = ("--output=json", "--show-managed-fields")
    found = json.loads(kubectl.run("get", ",".join((*KINDS, *further)), *words))["items"]
    return [*found, json.loads(kubectl.run("get", "namespace", kubectl.namespace, *words))]


def compare(declared: Sequence[Object], found: Sequence[Object], kubectl: Kubectl) -> Added:
    """Sentences about what was added, and the commands that take it back."""
    known = {_identity(row): row for row in declared}
    owns_namespace = ("", "Namespace", kubectl.namespace) in known
    lines, commands = [], []
    for row in sorted(found, key=_identity):
        inputs = known.get(_identity(row))
        if inputs is not None:
            rows = list(additions(row, inputs))
            lines += [(_shown(row), addition.line(row["kind"])) for addition in rows]
            if rows:
                commands.append(_command(kubectl, "patch", row, "--type=json", f"--patch={_removal(rows)}"))
        elif owns_namespace and is_foreign(row, declared):
            by = ", ".join(dict.fromkeys(_managers(row))) or "somebody"
            lines.append((_shown(row), f"is not of this stack, and was made by {by}"))
            commands.append(_command(kubectl, "delete", row))
    return Added(tuple(lines), tuple(commands))


# --- objects of nobody --------------------------------------------------------------------------


def is_foreign(row: Object, declared: Sequence[Object]) -> bool:
    """Whether an object outside the state is neither another object's, nor Kubernetes' own, nor an operation's."""
    metadata, kind = row["metadata"], row["kind"]
    if metadata.get("ownerReferences") or kind == "Namespace":
        return False
    if kind == "ServiceAccount" and metadata["name"] == "default":
        return False
    if kind == "Secret":
        # The one kind of Secret that grants anything; the rest are values until somebody reads them.
        return row.get("type") == "kubernetes.io/service-account-token"
    if kind in RELEASED and is_own(row):
        # A database that a migration left, say, whose deletion is up to its operator.
        return not all(manager.startswith(CONTROLLERS) for manager in _managers(row))
    if kind == "Job":
        cron_jobs = [inputs["metadata"].get("name") for inputs in declared if inputs.get("kind") == "CronJob"]
        return not any(metadata.get("generateName", "").startswith(f"{name}-") for name in cron_jobs)
    return True


# --- fields -------------------------------------------------------------------------------------


def additions(row: Object, inputs: Object) -> Iterator[Addition]:
    """The fields of an object that somebody wrote and the state's inputs do not have, each once."""
    if row["kind"] == "Secret":
        return
    seen = set()
    for entry in row["metadata"].get("managedFields") or ():
        manager = entry.get("manager", "")
        if manager.startswith(CONTROLLERS) or entry.get("subresource"):
            continue
        for path, value in _written(entry.get("fieldsV1") or {}, row, inputs, ()):
            addition = Addition(path, manager or "somebody", value)
            if addition.pointer not in seen and not _is_note(path) and not _is_default(path, value):
                seen.add(addition.pointer)
                yield addition


def _is_default(path: tuple[Place, ...], value: Any) -> bool:
    key = path[-1][1]
    return key in DEFAULTS and bool(DEFAULTS[key] == value)


def _is_note(path: tuple[Place, ...]) -> bool:
    """Whether it is what controllers write on objects about their own work."""
    keys = [token for _, token in path]
    if keys[:1] == ["status"]:
        return True
    if keys[:1] == ["metadata"] and keys[1:2] not in (["labels"], ["annotations"]):
        return True
    is_annotation = keys[-2:-1] == ["annotations"]
    # cert-manager reads these, and writes the rest.
    return is_annotation and keys[-1].startswith(ANNOTATIONS) and not keys[-1].endswith("issuer")


def _written(
    fields: Mapping[str, Any], value: Any, declared: Any, path: tuple[Place, ...]
) -> Iterator[tuple[tuple[Place, ...], Any]]:
    """Parts of a value that one manager wrote, as `fieldsV1` says, and the declared one does not have."""
    for key, inner in fields.items():
        if key == ".":
            continue
        found = _step(key, value, declared)
        if found is None:
            continue
        place, now, said = found
        here = (*path, place)
        # A mapping of labels or annotations that is not declared is no addition, but what is in it is.
        if said is None and inner.keys() - {"."} and here[-1][1] in ("labels", "annotations"):
            said = {}
        if said is None:
            yield here, now
        elif inner.keys() - {"."}:
            yield from _written(inner, now, said, here)
        else:
            yield from _inside(now, said, here)


def _step(key: str, value: Any, declared: Any) -> tuple[Place, Any, Any] | None:
    """The place that a key of `fieldsV1` means, with the value there and the declared one; None where nothing is."""
    sort, _, text = key.partition(":")
    if sort == "f":
        if not isinstance(value, dict) or text not in value:
            return None
        shown = f'["{text}"]' if "." in text or "/" in text else f".{text}"
        # A declared secret is encrypted in the state, whatever is in it.
        said = value[text] if _is_secret(declared) else (declared or {}).get(text)
        return (shown, text), value[text], said
    if not isinstance(value, list):
        return None
    wanted: Any = json.loads(text)
    items = declared if isinstance(declared, list) else []
    if sort == "k":
        index = next((at for at, item in enumerate(value) if _agrees(wanted, item)), None)
        said = next((item for item in items if _agrees(wanted, item, missing=True)), None)
        shown = "[" + ",".join(f"{field}={inner}" for field, inner in wanted.items()) + "]"
    elif sort == "v":
        index = value.index(wanted) if wanted in value else None
        said = wanted if wanted in items else None
        shown = f"[{wanted}]"
    else:
        index = wanted if wanted < len(value) else None
        said = items[wanted] if wanted < len(items) else None
        shown = f"[{wanted}]"
    return None if index is None else ((shown, str(index)), value[index], said)


def _agrees(wanted: Mapping[str, Any], item: Any, *, missing: bool = False) -> bool:
    """Whether an item of a list has some fields; a declared one may leave those out that have a default."""
    return isinstance(item, dict) and all(
        item.get(key) == value or (missing and key not in item and DEFAULTS.get(key) == value)
        for key, value in wanted.items()
    )


def _inside(value: Any, declared: Any, path: tuple[Place, ...]) -> Iterator[tuple[tuple[Place, ...], Any]]:
    """Parts of a value that has one owner as a whole, which the declared one does not have."""
    if isinstance(value, dict) and isinstance(declared, dict) and not _is_secret(declared):
        for key, inner in value.items():
            here = (*path, (f".{key}", key))
            if key in declared:
                yield from _inside(inner, declared[key], here)
            elif not (key in DEFAULTS and DEFAULTS[key] == inner):
                yield here, inner
    elif isinstance(value, list) and isinstance(declared, list):
        rest = list(declared)
        # Items that are as declared first, so that what is left is like what it was made from.
        order = sorted(enumerate(value), key=lambda pair: pair[1] not in declared)
        unlike: dict[int, Any] = {}
        for index, item in order:
            twin = next((one for one in rest if _is_twin(item, one)), None)
            if twin is None:
                unlike[index] = item
            else:
                rest.remove(twin)
                yield from _inside(item, twin, (*path, (f"[{index}]", str(index))))
        # A declared item that has no twin was edited, which the refresh shows: in its own place, or else in another.
        for one in rest:
            place = declared.index(one)
            unlike.pop(place if place in unlike else next(iter(unlike), place), None)
        for index, item in unlike.items():
            yield (*path, (f"[{index}]", str(index))), item


def _is_twin(item: Any, declared: Any) -> bool:
    if not isinstance(item, dict) or not isinstance(declared, dict):
        return bool(item == declared)
    names = [key for key in IDENTITIES if key in declared]
    if names:
        return all(item.get(key) == declared[key] for key in names)
    # A rule without a name: as long as it holds all that is declared, the rest was added.
    return not any(True for _ in _inside(declared, item, ()))


def _is_secret(declared: Any) -> bool:
    return isinstance(declared, dict) and mask.MARK in declared


# --- words and commands -------------------------------------------------------------------------


def _identity(row: Object) -> tuple[str, str, str]:
    """Group, kind and name; versions of a group are the same objects."""
    group = row["apiVersion"].rpartition("/")[0]
    return group, row["kind"], str(row["metadata"].get("name"))


def _shown(row: Object) -> str:
    return f"{row['kind']} {row['metadata']['name']}"


def _managers(row: Object) -> Iterator[str]:
    for entry in row["metadata"].get("managedFields") or ():
        if not entry.get("subresource") and entry.get("manager"):
            yield entry["manager"]


def _removal(rows: Sequence[Addition]) -> str:
    """A JSON patch; what comes last in a list goes first, so that no index moves."""
    order = sorted(rows, key=lambda row: [(len(token), token) for _, token in row.path], reverse=True)
    return json.dumps([{"op": "remove", "path": row.pointer} for row in order])


def _command(kubectl: Kubectl, verb: str, row: Object, *words: str) -> str:
    group, kind, name = _identity(row)
    version = row["apiVersion"].rpartition("/")[2]
    resource = f"{kind}.{version}.{group}" if group else kind
    # A kubeconfig is in a file that is gone by now.
    cluster = [word for word in kubectl.cluster if word.startswith("--context")]
    namespace = [] if kind == "Namespace" else [f"--namespace={kubectl.namespace}"]
    return shlex.join(["kubectl", *cluster, *namespace, verb, resource.lower(), name, *words])
