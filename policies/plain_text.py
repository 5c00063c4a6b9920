"""Policies about what is stored in plain text."""

from collections.abc import Iterator

from policies.detection import looks_secret
from policies.policy import policy
from policies.resources import Resource, Stack, mapping, mappings


@policy(
    why="Everyone who may read pods or ConfigMaps reads it, and so does everyone who reads the repository.",
    remedy="Put the value in a Secret and refer to it (`valueFrom.secretKeyRef`, or a mounted file).",
)
def no_plain_secret(resource: Resource, stack: Stack) -> Iterator[str]:
    """No variable of a container and no entry of a ConfigMap looks like a secret."""
    for name, value in _plain_values(resource):
        if looks_secret(name, value):
            yield f"{name} looks like a secret"


def _plain_values(resource: Resource) -> Iterator[tuple[str, str]]:
    for container in resource.containers:
        for variable in mappings(container.get("env")):
            yield str(variable.get("name")), str(variable.get("value") or "")
    if resource.kind == "ConfigMap":
        for name, value in mapping(resource.at("data")).items():
            yield name, str(value or "")
