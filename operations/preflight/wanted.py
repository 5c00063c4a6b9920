"""What a stack would have in its cluster, by the steps of its preview."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from operations.program import ProgramError
from operations.review.preview import UNKNOWN, Step, at

Object = dict[str, Any]

GOING = ("delete", "discard", "read")
"""Operations whose object the stack does not have afterwards, or has found."""


@dataclass(frozen=True)
class Pods:
    """The pods that one object runs."""

    owner: str
    """`Kind name` of the object."""
    labels: dict[str, str]
    spec: Object
    replicas: int
    """The most of them at a time, a rollout's surge left out."""
    new: bool
    """Whether none of them exists yet."""

    @property
    def containers(self) -> list[Object]:
        """Containers of each pod, those that end before its start included."""
        return [*self.spec.get("initContainers", ()), *self.spec.get("containers", ())]


class Wanted:
    """The Kubernetes objects of a stack: those that are there, and those that `pulumi up` would make."""

    def __init__(self, steps: Iterable[Step]) -> None:
        """Takes the steps of a whole preview.

        Raises:
            ProgramError: they hold no object in a namespace.
        """
        kept = [
            step
            for step in steps
            if step.type.startswith("kubernetes:") and step.new and not any(word in step.op for word in GOING)
        ]
        self.objects: list[Object] = [step.after for step in kept]
        self.made: list[Object] = [step.after for step in kept if step.op == "create"]
        """Objects that do not exist yet, as far as the state knows."""
        self.named: list[Object] = [
            step.after for step in kept if step.op == "create" and not step.named_by_content
        ]
        """Those of them whose names are fixed."""
        namespaces = (at(each, "metadata", "namespace") for each in self.objects)
        found = next((name for name in namespaces if name and name != UNKNOWN), None)
        if not found:
            raise ProgramError("its preview has no object in a namespace: there is nothing to look for")
        self.namespace: str = found

    def first(self, command: str) -> str:
        """A command that makes what must be in the namespace before the stack is, with all that it takes."""
        if not any(each["kind"] == "Namespace" for each in self.made):
            return command
        return f"namespace.create: false, kubectl create namespace {self.namespace}, then {command}"

    def of(self, *kinds: str) -> list[Object]:
        """Objects of some kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def holds(self, kind: str, name: str) -> bool:
        """Whether an object is the stack's own; one whose name is not known yet is."""
        # CloudNativePG keeps the authority of a Cluster in a Secret of its own.
        operated = {f"{at(each, 'metadata', 'name')}-ca" for each in self.of("Cluster")}
        return (
            name == UNKNOWN
            or any(at(each, "metadata", "name") == name for each in self.of(kind))
            or (kind == "Secret" and name in operated)
        )

    @cached_property
    def pods(self) -> list[Pods]:
        """Everything that runs pods."""
        return list(self._pods())

    def _pods(self) -> Iterator[Pods]:
        most = {
            (at(each, "spec", "scaleTargetRef", "kind"), at(each, "spec", "scaleTargetRef", "name")): each[
                "spec"
            ]
            for each in self.of("HorizontalPodAutoscaler")
        }
        for each in self.objects:
            spec = each.get("spec")
            template = at(spec, "jobTemplate", "spec", "template") or at(spec, "template")
            if not at(template, "spec", "containers"):
                continue
            scaled = most.get((each["kind"], at(each, "metadata", "name")), {}).get("maxReplicas")
            counted = scaled or at(spec, "replicas") or at(spec, "parallelism")
            yield Pods(
                owner=name_of(each),
                labels=at(template, "metadata", "labels") or {},
                spec=template["spec"],
                replicas=counted if isinstance(counted, int) else 1,
                new=each in self.made,
            )

    @cached_property
    def claims(self) -> list[tuple[str, Object]]:
        """Specs of the claims that would be made, by what makes them."""
        direct = [each for each in self.made if each["kind"] == "PersistentVolumeClaim"]
        found = [(name_of(each), each["spec"]) for each in direct]
        for each in self.made:
            for template in at(each, "spec", "volumeClaimTemplates") or ():
                found.append((name_of(each), template["spec"]))
        for pods in self.pods:
            for volume in pods.spec.get("volumes", ()):
                if spec := at(volume, "ephemeral", "volumeClaimTemplate", "spec"):
                    found.append((pods.owner, spec))
        return found


def name_of(each: Object) -> str:
    """`Kind name`."""
    return f"{each['kind']} {at(each, 'metadata', 'name')}"
