"""Resources as policies see them: the inputs of a program's resources, whoever reports them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from settings.sections import Images, Protection, Section
from settings.shape import keys

RUNNING = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose pods run until they are deleted."""
_POD_SPECS = (
    ("spec",),
    ("template", "spec"),
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
)
"""Paths of a pod's spec: in a Pod, a PodTemplate, a workload, a CronJob."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a program: its inputs, with None for what is not known before an update."""

    type: str
    """Token of its provider, such as `kubernetes:apps/v1:Deployment`."""
    name: str
    properties: Mapping[str, Any]
    protect: bool = False
    parent: str = ""
    """Type of the component that declares it; empty for the stack itself."""

    @property
    def kind(self) -> str:
        """Last part of the token (`Deployment`, `RandomBytes`); a component has none."""
        return "" if self.type.startswith(("skillflaw:", "pulumi:")) else self.type.rpartition(":")[2]

    @property
    def group(self) -> str:
        """API group of a Kubernetes object (`apps`; `core` for the first one), else the name of its provider."""
        provider, _, rest = self.type.partition(":")
        version = rest.rpartition(":")[0]
        return (version.rpartition("/")[0] or "core") if provider == "kubernetes" else provider

    def at(self, *path: str) -> Any:
        """The property at a path; None where there is none."""
        value: Any = self.properties
        for key in path:
            value = mapping(value).get(key)
        return value

    @property
    def pod(self) -> Mapping[str, Any]:
        """Spec of the pods it makes, whatever its kind; empty if it makes none."""
        specs = (mapping(self.at(*path)) for path in _POD_SPECS)
        return next((spec for spec in specs if "containers" in spec), {})

    @property
    def pod_annotations(self) -> Mapping[str, Any]:
        """Annotations of the pods it makes."""
        found = [self.at(*path[:-1], "metadata", "annotations") for path in _POD_SPECS]
        return {name: value for annotations in found for name, value in mapping(annotations).items()}

    @property
    def containers(self) -> Iterator[Mapping[str, Any]]:
        """Every container of its pods, those that only prepare or debug included."""
        for group in ("initContainers", "containers", "ephemeralContainers"):
            yield from mappings(self.pod.get(group))


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The part of a stack file that policies hold resources to."""

    hosts: frozenset[str]
    """The census of public hosts."""
    registries: Sequence[str]
    """Registries, or folders of one, that images may come from."""
    protected: bool
    """Whether policies are mandatory."""
    resources: Sequence[Resource] = ()
    """The whole stack; only known to policies that ask for it."""

    @classmethod
    def of(cls, sections: Mapping[str, Any]) -> Self:
        """Reads a stack file that the program has not judged yet, and may still refuse.

        A key that cannot be read counts as absent, and so as its default: protection is on.
        """
        surfaces = mappings(list(mapping(sections.get("surfaces")).values()))
        return cls(
            hosts=frozenset(strings([row.get("host") for row in surfaces])),
            registries=_read(sections.get("images"), Images, "registries"),
            protected=_read(sections.get("protection"), Protection, "enabled"),
        )


def _read(section: Any, model: type[Section], key: str) -> Any:
    """A key of a section, or its default."""
    field = keys(model)[key]
    try:
        return msgspec.convert(mapping(section).get(key), field.type)
    except msgspec.ValidationError:
        return field.default


def parent(urn: str) -> str:
    """Type of the component that declares the resource of a URN (`…::PARENT$TYPE::NAME`); empty if none does."""
    return urn.split("::")[2].rpartition("$")[0].rpartition("$")[2]


def mapping(value: Any) -> Mapping[str, Any]:
    """A value that should be a mapping; empty if it is none."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings in a value that should be a list of them."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def strings(value: Any) -> list[str]:
    """The strings in a value that should be a list of them."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
