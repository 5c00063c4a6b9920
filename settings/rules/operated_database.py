"""A database that CloudNativePG runs."""

from collections.abc import Iterator

from detection.images import postgres_major
from detection.secrets import is_secret
from settings.parameters import is_the_operators, loses_nothing
from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import Database, Images, Pods, Protection
from settings.values import amount

PATH = "database.cloudNativePg"


@rule
def commits_wait_for_standbys_that_exist(database: Database, protection: Protection) -> Iterator[Problem]:
    operated = database.cloud_native_pg
    if not operated:
        return
    chosen, instances = operated.synchronous, operated.instances
    if chosen in ("preferred", "required") and instances == 1:
        yield Problem(
            path=f"{PATH}.synchronous",
            found=f"{chosen}, with one instance: there is no standby to wait for",
            allowed="never with one instance, preferred from two on, required from three on",
            remedy=f"remove {PATH}.synchronous, or raise {PATH}.instances",
        )
    if chosen == "required" and instances == 2:
        yield Problem(
            path=f"{PATH}.synchronous",
            found="required, with two instances: while either is away, nothing can be written",
            allowed="preferred with two instances, required from three on",
            remedy=f"write preferred, or {PATH}.instances: 3",
        )
    if chosen == "never" and instances > 1 and protection.enabled:
        yield Problem(
            path=f"{PATH}.synchronous",
            found="never: what was committed last is lost with the primary",
            allowed="preferred or required under protection",
            remedy=f"remove {PATH}.synchronous",
        )


@rule
def majors_are_those_of_the_image(database: Database, images: Images) -> Iterator[Problem]:
    operated = database.cloud_native_pg
    tagged = postgres_major(images.postgres) if images.postgres else None
    if operated and tagged and tagged != str(operated.major):
        yield Problem(
            path=f"{PATH}.major",
            found=f"{operated.major}, next to an image of {tagged}",
            allowed="the major version that images.postgres holds",
            remedy=f"write {PATH}.major: {tagged}, or another image",
        )


@rule
def parameters_are_the_stacks_to_set(database: Database, protection: Protection) -> Iterator[Problem]:
    operated = database.cloud_native_pg
    for name, value in (operated.parameters if operated else {}).items():
        path = f"{PATH}.parameters.{name}"
        if is_the_operators(name):
            yield Problem(
                path=path,
                found="a parameter that the operator sets itself",
                allowed="parameters that CloudNativePG leaves to its users",
                remedy="remove it",
            )
        elif name == "max_connections" and not (value.isdigit() and 20 <= int(value) <= 10000):
            yield Problem(
                path=path,
                found="no number of connections",
                allowed="a whole number from 20 to 10000",
                remedy="correct it, or remove it and write database.maxConnections",
            )
        elif is_secret(value):
            yield Problem(
                path=path,
                found="what looks like a secret, in a section that is stored in plain text",
                allowed="plain values",
                remedy="remove it, and treat the value as known",
            )
        elif protection.enabled and not loses_nothing(name):
            yield Problem(
                path=path,
                found="a parameter that is not known to be harmless",
                allowed="memory, connections, WAL sizes, autovacuum, planner, timeouts and logging, under protection",
                remedy="remove it; what is missing there is a line of settings/parameters.py",
            )


@rule
def instances_have_room_for_their_log(database: Database) -> Iterator[Problem]:
    operated = database.cloud_native_pg
    # PostgreSQL keeps up to max_wal_size (1 GiB) between checkpoints, and the operator starts no instance without room.
    if operated and operated.wal_size and amount(operated.wal_size) < 2 * 2**30:
        yield Problem(
            path=f"{PATH}.walSize",
            found=f"{operated.wal_size}, which a busy hour fills",
            allowed="2Gi or more",
            remedy=f"raise {PATH}.walSize, or remove it and the log is kept with the data",
        )


@rule
def operators_pods_have_no_runtime_class(database: Database, pods: Pods) -> Iterator[Problem]:
    if database.cloud_native_pg and pods.runtime_class_name:
        yield Problem(
            path="pods.runtimeClassName",
            found=f"{pods.runtime_class_name}, which a Cluster of CloudNativePG cannot ask for",
            allowed="the runtime class of each workload but database.cloudNativePg",
            remedy="write it under `pods` of each workload, or choose database.external",
        )
