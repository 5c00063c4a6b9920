"""Policies about images."""

from collections.abc import Iterator

from policies.detection import tag_moves
from policies.policy import policy
from policies.resources import Resource, Stack, strings


@policy(
    why="`latest` is whatever was pushed last: two nodes can run two programs, and no preview shows the change.",
    remedy="Write the image by digest (`NAME@sha256:…`), or by a tag that is never moved.",
)
def fixed_image(resource: Resource, stack: Stack) -> Iterator[str]:
    """An image is named by digest, or by a tag other than `latest`."""
    for image in _images(resource):
        if tag_moves(image):
            yield f"the image {image} has no fixed version"


@policy(
    why="Whoever owns the registry owns the pods: a name that slipped in from elsewhere runs with our secrets.",
    remedy="Use an image of an allowed registry, or add the registry to `images.registries` of the stack file.",
)
def known_registry(resource: Resource, stack: Stack) -> Iterator[str]:
    """An image comes from one of `images.registries`."""
    for image in _images(resource):
        if not _full_name(image).startswith(tuple(f"{registry}/" for registry in stack.registries)):
            yield f"the image {image} is not from {', '.join(stack.registries)}"


def _images(resource: Resource) -> set[str]:
    return set(strings([container.get("image") for container in resource.containers]))


def _full_name(image: str) -> str:
    """An image's name as a container engine completes it: short names are Docker Hub's."""
    first, _, rest = image.partition("/")
    if not rest:
        return f"docker.io/library/{image}"
    return image if set(".:") & set(first) or first == "localhost" else f"docker.io/{image}"
