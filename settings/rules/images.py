"""Images: which are needed, which are fixed, and whose registries they come from."""

from collections.abc import Iterator

from detection.images import from_registry, full_name, is_fixed
from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import Backup, Cache, Database, Images, Protection, Surfaces


@rule
def exposed_surfaces_have_images(surfaces: Surfaces, images: Images) -> Iterator[Problem]:
    for surface, image in (("app", "frontend"), ("docs", "docs")):
        if getattr(surfaces, surface) and getattr(images, image) is None:
            yield _missing_image(image, f"surfaces.{surface}")


@rule
def in_cluster_state_has_images(
    database: Database, cache: Cache, backup: Backup, images: Images
) -> Iterator[Problem]:
    if backup.schedule and database.external and images.postgres is None:
        yield _missing_image("postgres", "backup.schedule")
    if backup.schedule and images.restic is None:
        yield _missing_image("restic", "backup.schedule")
    if not database.external and images.postgres is None:
        yield _missing_image("postgres", f"database.{database.mode}")
    if cache.in_cluster and images.redis is None:
        yield _missing_image("redis", "cache.inCluster")


def _missing_image(image: str, needed_by: str) -> Problem:
    return Problem(
        path=f"images.{image}",
        found=f"nothing, but {needed_by} needs it",
        allowed="an image by tag or digest",
        remedy=f"set images.{image}, or remove {needed_by}",
    )


@rule
def protected_images_are_pinned(images: Images, protection: Protection) -> Iterator[Problem]:
    for name in ("backend", "frontend", "docs", "redis", "restic"):
        reference = getattr(images, name)
        if protection.enabled and reference and not is_fixed(reference):
            yield _moving_image(name, reference, "1.8.4")


@rule
def databases_are_pinned(images: Images) -> Iterator[Problem]:
    # A tag that moves brings another major version over the data as soon as a pod starts again.
    if images.postgres and not is_fixed(images.postgres, database=True):
        yield _moving_image("postgres", images.postgres, "16.4")


def _moving_image(name: str, reference: str, release: str) -> Problem:
    bare, _, tag = reference.rpartition("/")[2].partition(":")
    bare = reference.removesuffix(f":{tag}") if tag else reference
    return Problem(
        path=f"images.{name}",
        found=f"{reference}, which names whatever was pushed last",
        allowed=f"NAME@sha256:DIGEST (preferred), or the tag of a patch release such as {release}",
        remedy="fill in the digest: "
        f"`docker buildx imagetools inspect {bare}:{tag or 'TAG'} --format '{{{{.Manifest.Digest}}}}'` "
        f"prints it, then write {bare}@sha256:…",
    )


@rule
def images_come_from_known_registries(images: Images) -> Iterator[Problem]:
    for name in ("backend", "frontend", "docs", "postgres", "redis", "restic"):
        reference = getattr(images, name)
        if reference and not from_registry(reference, images.registries):
            yield Problem(
                path=f"images.{name}",
                found=f"{full_name(reference)}, an image from elsewhere",
                allowed=f"images of {', '.join(images.registries)}",
                remedy=f"use an image of those, or add {full_name(reference).rpartition('/')[0]} to images.registries",
            )
