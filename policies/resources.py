"""Resources as policies see them: what was asked for, whoever tells it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from settings.sections import Images, Protection
from settings.shape import keys

RUNNING = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose pods run until they are told to leave."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a program: its inputs, with None for what is not known before an update."""

    type: str
    name: str
    properties: Mapping[str, Any]
    protect: bool = False

    @property
    def kind(self) -> str:
        """Last part of the provider's token (`Deployment`, `RandomBytes`); a component has none."""
        return "" if self.type.startswith(("skillflaw:", "pulumi:")) else self.type.rsplit(":", 1)[-1]

    def at(self, *path: str) -> Any:
        """The property at a path; None where there is none."""
        value: Any = self.properties
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    @property
    def pod(self) -> Mapping[str, Any]:
        """Spec of the pods it makes; empty if it makes none."""
        spec = {
            "Pod": ("spec",),
            "Job": ("spec", "template", "spec"),
            "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
        } | dict.fromkeys((*RUNNING, "ReplicaSet"), ("spec", "template", "spec"))
        return (self.at(*spec[self.kind]) if self.kind in spec else None) or {}

    @property
    def containers(self) -> Iterator[Mapping[str, Any]]:
        """Every container of its pods, those that only prepare included."""
        for group in ("initContainers", "containers"):
            yield from self.pod.get(group) or ()


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What a stack file says that policies hold resources to."""

    hosts: frozenset[str]
    """The census of public hosts."""
    registries: Sequence[str]
    """Where images may come from."""
    protected: bool
    """Whether policies are mandatory."""
    resources: Sequence[Resource] = ()
    """The whole stack; only known to policies that ask for it."""

    @classmethod
    def of(cls, sections: Mapping[str, Mapping[str, Any]]) -> Self:
        """Reads a stack file that the program has not judged yet, and may still refuse."""
        surfaces = sections.get("surfaces", {}).values()
        return cls(
            hosts=frozenset(row.get("host") for row in surfaces),
            registries=sections.get("images", {}).get("registries", keys(Images)["registries"].default),
            protected=sections.get("protection", {}).get("enabled", keys(Protection)["enabled"].default),
        )
