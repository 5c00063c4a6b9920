"""Policies about images."""

from collections.abc import Iterator

from detection.images import from_registry, is_fixed, names_postgres
from policies.policy import policy
from policies.resources import Resource, Stack, mappings, strings


@policy(
    why="A tag that moves is whatever was pushed last: two nodes can run two programs, and no preview shows the change.",
    remedy="Write the image by digest (`NAME@sha256:…`), or by the tag of a patch release (`1.8.4`).",
)
def fixed_image(resource: Resource, stack: Stack) -> Iterator[str]:
    """An image is named by digest, or by a tag of a patch release or of its content."""
    for image in _images(resource):
        if not is_fixed(image, database=names_postgres(image)):
            yield f"the image {image} has no fixed version"


@policy(
    why="Whoever owns the registry owns the pods: a name that slipped in from elsewhere runs with our secrets.",
    remedy="Use an image of an allowed registry, or add the registry to `images.registries` of the stack file.",
)
def known_registry(resource: Resource, stack: Stack) -> Iterator[str]:
    """An image comes from one of `images.registries`."""
    for image in _images(resource):
        if not from_registry(image, stack.registries):
            yield f"the image {image} is not from {', '.join(stack.registries)}"


def _images(resource: Resource) -> set[str]:
    listed = mappings(resource.at("spec", "images")) if resource.kind == "ImageCatalog" else []
    return set(strings([row.get("image") for row in (*resource.containers, *listed)]))
