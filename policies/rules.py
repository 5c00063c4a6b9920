"""The policies: one function each, which says what is wrong with a resource."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from policies.resources import RUNNING, Resource, Stack

Check = Callable[[Resource, Stack], Iterator[str]]
"""Yields one sentence per violation."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A policy: its docs are its docstring."""

    name: str
    check: Check
    why: str
    remedy: str
    whole: bool
    """Whether it reads the other resources of the stack."""

    @property
    def what(self) -> str:
        return self.check.__doc__


RULES: list[Rule] = []
"""Every policy, in the order of the docs."""


def rule(*, why: str, remedy: str, whole: bool = False) -> Callable[[Check], Check]:
    """Makes a function a policy under its own name."""

    def register(check: Check) -> Check:
        name = check.__name__.replace("_", "-")
        RULES.append(Rule(name=name, check=check, why=why, remedy=remedy, whole=whole))
        return check

    return register


# --- images ------------------------------------------------------------------------------------


@rule(
    why="`latest` is whatever was pushed last: two nodes can run two programs, and no preview shows the change.",
    remedy="Write the image by digest (`NAME@sha256:…`), or by a tag that is never moved.",
)
def fixed_image(resource: Resource, stack: Stack) -> Iterator[str]:
    """An image is named by digest, or by a tag other than `latest`."""
    for image in _images(resource):
        # What follows the first colon of the last part: a tag, or a digest.
        version = image.rpartition("/")[2].partition(":")[2]
        if version in ("", "latest"):
            yield f"the image {image} has no fixed version"


@rule(
    why="Whoever owns the registry owns the pods: a name that slipped in from elsewhere runs with our secrets.",
    remedy="Use an image of an allowed registry, or add the registry to `images.registries` of the stack file.",
)
def known_registry(resource: Resource, stack: Stack) -> Iterator[str]:
    """An image comes from one of `images.registries`."""
    for image in _images(resource):
        if not _full_name(image).startswith(tuple(f"{registry}/" for registry in stack.registries)):
            yield f"the image {image} is not from {', '.join(stack.registries)}"


def _images(resource: Resource) -> set[str]:
    return {container["image"] for container in resource.containers if container.get("image")}


def _full_name(image: str) -> str:
    """An image's name as a container engine completes it: short names are Docker Hub's."""
    first, _, rest = image.partition("/")
    if not rest:
        return f"docker.io/library/{image}"
    return image if set(".:") & set(first) or first == "localhost" else f"docker.io/{image}"


# --- pods --------------------------------------------------------------------------------------


@rule(
    why="Without them Kubernetes sends requests to a process that is not ready, and never replaces one that hangs.",
    remedy="Give the container a startup, a readiness and a liveness probe; liveness asks no database.",
)
def probes(resource: Resource, stack: Stack) -> Iterator[str]:
    """Every container of a Deployment, StatefulSet or DaemonSet has all three probes."""
    if resource.kind not in RUNNING:
        return
    for container in resource.pod.get("containers") or ():
        for probe in ("startup", "readiness", "liveness"):
            if not container.get(f"{probe}Probe"):
                yield f"the container {container.get('name')} has no {probe} probe"


@rule(
    why="A pod without requests is placed on a full node; one without limits takes its neighbours down with it.",
    remedy="Set requests and limits of `cpu`, `memory` and `ephemeral-storage`; stack files have them per workload.",
)
def bounded(resource: Resource, stack: Stack) -> Iterator[str]:
    """Every container, those that only prepare included, has requests and limits of cpu, memory and disk."""
    for container in resource.containers:
        resources = container.get("resources") or {}
        for kind in ("requests", "limits"):
            given = resources.get(kind) or {}
            for amount in ("cpu", "memory", "ephemeral-storage"):
                if amount not in given:
                    yield f"the container {container.get('name')} has no {amount} in its {kind}"


# --- exposure ----------------------------------------------------------------------------------


@rule(
    why="A port of a node or a load balancer of its own is public beside the edge: no TLS, no list of open paths.",
    remedy="Keep the Service `ClusterIP` and name a host in `surfaces` of the stack file.",
)
def closed_service(resource: Resource, stack: Stack) -> Iterator[str]:
    """A Service is reached inside the cluster only: its type is `ClusterIP`."""
    if resource.kind == "Service" and (type_ := resource.at("spec", "type") or "ClusterIP") != "ClusterIP":
        yield f"the Service is a {type_}"


@rule(
    why="`surfaces` is the one place that says what is public; a route beside it is open without anybody having said so.",
    remedy="Name the host in `surfaces` of the stack file, or remove the route.",
)
def census(resource: Resource, stack: Stack) -> Iterator[str]:
    """A route serves hosts of `surfaces` only, each by name."""
    for host in _hosts(resource):
        if not host:
            yield "a route answers for every host"
        elif host not in stack.hosts:
            yield f"the host {host} is in no surface"


def _hosts(resource: Resource) -> list[str | None]:
    if resource.kind == "Ingress":
        routed = [row.get("host") for row in resource.at("spec", "rules") or ()]
        certified = [host for row in resource.at("spec", "tls") or () for host in row.get("hosts") or ()]
        return [*routed, *certified, *([None] if resource.at("spec", "defaultBackend") else [])]
    if resource.kind in ("HTTPRoute", "GRPCRoute", "TLSRoute"):
        return resource.at("spec", "hostnames") or [None]
    return []


# --- secrets -----------------------------------------------------------------------------------

_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)
_HARMLESS = re.compile(r"|true|false|[0-9]{1,6}|/[-._/a-zA-Z0-9]*", re.IGNORECASE)
"""Values that are no secret whatever their name: nothing, switches, numbers, paths of files."""
_SECRET_VALUE = re.compile(
    r"://[^/\s@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY|\b(AKIA[0-9A-Z]{16}|gh[pousr]_\w{20,}|sk-[-\w]{20,})"
)
"""A URL with a password, a private key, or a key of a form that services give theirs."""


@rule(
    why="Everyone who may read pods or ConfigMaps reads it, and so does everyone who reads the repository.",
    remedy="Put the value in a Secret and refer to it (`valueFrom.secretKeyRef`, or a mounted file).",
)
def no_plain_secret(resource: Resource, stack: Stack) -> Iterator[str]:
    """No variable of a container and no entry of a ConfigMap looks like a secret."""
    for name, value in _plain_values(resource):
        named = _SECRET_NAME.search(name) and not _HARMLESS.fullmatch(value)
        if named or _SECRET_VALUE.search(value):
            yield f"{name} looks like a secret"


def _plain_values(resource: Resource) -> Iterator[tuple[str, str]]:
    for container in resource.containers:
        for variable in container.get("env") or ():
            yield str(variable.get("name")), str(variable.get("value") or "")
    if resource.kind == "ConfigMap":
        for name, value in (resource.at("data") or {}).items():
            yield name, str(value or "")


# --- state -------------------------------------------------------------------------------------


@rule(
    why="A second pod on another node waits for ever for a volume that can be attached to one node only.",
    remedy="Use a ReadWriteMany claim (`storage.accessMode`), or one replica.",
    whole=True,
)
def shared_claim(resource: Resource, stack: Stack) -> Iterator[str]:
    """Pods of a workload with several replicas mount no claim that one node alone may mount."""
    if resource.kind not in ("Deployment", "ReplicaSet", "StatefulSet") or _most(resource, stack) < 2:
        return
    alone = {
        claim.at("metadata", "name")
        for claim in stack.resources
        if claim.kind == "PersistentVolumeClaim"
        and not {"ReadWriteMany", "ReadOnlyMany"} & set(claim.at("spec", "accessModes") or ())
    }
    for volume in resource.pod.get("volumes") or ():
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim in alone:
            yield f"up to {_most(resource, stack)} replicas mount {claim}, which one node alone may mount"


def _most(resource: Resource, stack: Stack) -> int:
    """The most replicas a workload can have: its own number, or its autoscaler's."""
    scaled = [
        scaler.at("spec", "maxReplicas")
        for scaler in stack.resources
        if scaler.kind == "HorizontalPodAutoscaler"
        and scaler.at("spec", "scaleTargetRef", "kind") == resource.kind
        and scaler.at("spec", "scaleTargetRef", "name") == resource.at("metadata", "name")
    ]
    return int(max(number or 1 for number in (resource.at("spec", "replicas"), *scaled)))


@rule(
    why="One `pulumi destroy` or one replacement deletes what nobody can make again.",
    remedy="Set `protection.enabled: true`; a throw-away environment only hears of it.",
)
def protected_state(resource: Resource, stack: Stack) -> Iterator[str]:
    """What holds state (claims, StatefulSets, the namespace, the secret key) is protected."""
    stateful = ("Namespace", "PersistentVolumeClaim", "StatefulSet", "RandomBytes")
    if resource.kind in stateful and not resource.protect:
        yield "it holds state and is not protected"


@rule(
    why="Selectors are immutable: another pair replaces the workload, and two workloads that share one take each "
    "other's requests.",
    remedy="Select by `app.kubernetes.io/name` and `app.kubernetes.io/component` alone, as `components/labels.py` does.",
)
def frozen_selector(resource: Resource, stack: Stack) -> Iterator[str]:
    """Services, workloads and disruption budgets select by the frozen pair of labels and nothing else."""
    if resource.kind not in ("Service", "PodDisruptionBudget", *RUNNING):
        return
    selector = resource.at("spec", "selector") or {}
    labels = selector if resource.kind == "Service" else selector.get("matchLabels") or {}
    name, component = "app.kubernetes.io/name", "app.kubernetes.io/component"
    if labels != {name: "skillflaw", component: labels.get(component)} or "matchExpressions" in selector:
        yield f"it selects by {', '.join(sorted(labels)) or 'nothing'}"
