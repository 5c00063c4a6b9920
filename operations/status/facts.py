"""Facts about a running stack as they were read; nothing here judges them.

In JSON each has the names below in camelCase; a fact that could not be had is `{"unknown": "why"}`.
"""

from datetime import datetime
from typing import TypeAlias, TypeVar

from msgspec import Struct, field

T = TypeVar("T")


class Unknown(Struct, frozen=True):
    """A fact that could not be had."""

    why: str = field(name="unknown")
    """The reason, in the words of whoever refused; without a secret."""


Known: TypeAlias = T | Unknown


class Fact(Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that was read."""


class Pod(Fact, frozen=True, kw_only=True):
    """A pod that has not ended."""

    name: str
    workload: str
    """Name of the object whose replica it is; empty for a Job's."""
    node: str | None
    zone: str | None
    ready: bool
    trouble: str | None
    """What keeps it from being ready, once that is more than a start: no node, no image, a process that ends."""
    restarts: int
    restarted: datetime | None
    """When a container of it was last started again."""
    reason: str | None
    """What ended that container before."""


class Workload(Fact, frozen=True, kw_only=True):
    """A Deployment, a StatefulSet or a Cluster of the stack."""

    kind: str
    name: str
    images: tuple[str, ...]
    wanted: int | None
    """Replicas that are asked for; None where the object does not exist."""
    ready: int
    rolling: bool
    """Whether not every replica is of the newest template and ready, or one of an older template is still there."""


class Node(Fact, frozen=True, kw_only=True):
    """A node of the cluster."""

    name: str
    zone: str | None
    usable: bool
    """Whether it is Ready and takes pods."""


class Standby(Fact, frozen=True, kw_only=True):
    """A standby as the primary sees it."""

    name: str
    state: str
    """`streaming` when all is well."""
    sync_state: str
    """`sync` or `quorum` where a commit waits for it, `async` where none does."""
    lag_bytes: int
    """Write-ahead log that it has not replayed yet, in bytes."""
    lag_seconds: float
    """Age of what it replays, in seconds."""


class Replication(Fact, frozen=True, kw_only=True):
    """Primary and standbys of a database that CloudNativePG runs."""

    phase: str
    """CloudNativePG's own word."""
    healthy: bool
    """Whether its condition Ready holds."""
    primary: str
    instances: int
    standbys: Known[tuple[Standby, ...]]


class Operator(Fact, frozen=True, kw_only=True):
    """CloudNativePG's operator, its ready pods."""

    versions: tuple[str, ...]
    nodes: tuple[str, ...]
    """Node of each pod."""


class Inside(Fact, frozen=True, kw_only=True):
    """What a pod of the backend says from inside; a part that failed holds the kind of its error instead."""

    version: str | None = None
    """Version of the application, as it says itself."""
    connections: int | None = None
    """Connections to the database's server, everybody's."""
    max_connections: int | None = None
    reserved: int = 0
    """Connections that are kept for superusers."""
    per_process: int | None = None
    """Connections that the pool of one process may open."""
    server: str | None = None
    """Version of the database's server."""
    read_only: bool = False
    """Whether the server takes no writes."""
    mounted: str | None = None
    """Fingerprint of the secret key that the pod holds."""
    on_volume: str | None = None
    """Fingerprint of the key that the files were made with."""
    in_database: str | None = None
    """Fingerprint of the key that the database was made with."""
    restoring: str | None = None
    """Backup whose restore has begun on the volume and not ended."""
    errors: dict[str, str] = {}
    """Kind of the error, by the part that failed: `version`, `database`, `key`."""


class Backup(Fact, frozen=True, kw_only=True):
    """The stack's scheduled backups."""

    schedule: str
    since: datetime
    """When the schedule was made."""
    suspended: bool
    restoring: str | None
    """Backup whose restore has begun and not ended."""
    kept_in: str
    """The repository: a bucket's URL, or a claim."""
    taken: datetime | None
    """When the last good backup began, or ended where its Job is gone; it was restored once and read back then."""
    failed: datetime | None
    """When the last run began, if it failed."""
    running: bool


class Archiver(Fact, frozen=True, kw_only=True):
    """What the primary says of its write-ahead log."""

    archived: datetime | None
    """When a segment of it last reached the bucket."""
    failed: datetime | None
    """When one last did not."""


class Archive(Fact, frozen=True, kw_only=True):
    """The archive from which any moment is restored."""

    kept_in: str
    """Folder of the bucket."""
    schedule: str
    """When base backups begin, as a cron schedule."""
    since: datetime
    """When the archive was asked for."""
    first: datetime | None
    """The oldest moment that can be restored."""
    taken: datetime | None
    """When the last base backup was whole."""
    failed: datetime | None
    """When one last failed."""
    log: Known[Archiver]


class Certificate(Fact, frozen=True, kw_only=True):
    """The certificate of a public host."""

    host: str
    held_in: str
    """The Secret, or where else it was seen."""
    begins: datetime | None
    ends: datetime | None
    """None where there is none yet."""
    trouble: str | None = None
    """Why cert-manager cannot renew it."""


class Volume(Fact, frozen=True, kw_only=True):
    """A claim that a running pod mounts."""

    claim: str
    percent: int
    """How full its file system is."""
    free_kib: int


class Key(Fact, frozen=True, kw_only=True):
    """The secret key, as the last `up` exported it."""

    reference: str | None
    """The key in use, by its Secret or generation; None where no `up` has ended yet."""
    rotations: int
    rotating: tuple[str, ...]
    """Pods that are encrypting again."""


class Alert(Fact, frozen=True, kw_only=True):
    """An alert that fires."""

    name: str
    severity: str
    """`critical` or `warning`."""
    summary: str
    since: datetime


class Status(Fact, frozen=True, kw_only=True):
    """Everything that was asked."""

    stack: str
    where: str
    """Context and namespace."""
    at: datetime
    database: str
    """`inCluster`, `external` or `cloudNativePg`."""
    workloads: dict[str, Known[Workload]]
    """By name, a Cluster's with its kind in front."""
    pods: Known[tuple[Pod, ...]]
    nodes: Known[tuple[Node, ...]]
    inside: Known[Inside]
    replication: Known[Replication] | None
    """None where no operator runs the database."""
    operator: Known[Operator] | None
    backup: Known[Backup] | None
    """None where none is scheduled."""
    archive: Known[Archive] | None
    """None where the database's changes are not archived."""
    certificates: dict[str, Known[Certificate]]
    """By surface."""
    volumes: dict[str, Known[Volume]]
    """By claim; those that no running pod mounts are left out."""
    key: Key
    alerts: Known[tuple[Alert, ...]] | None
    """Those that fire; None where the stack declares none."""
    drift: Known[tuple[str, ...]]
    """What differs from the state, a sentence each."""
    unfinished: Known[tuple[str, ...]]
    """Operations that have begun and not ended, a sentence each."""
