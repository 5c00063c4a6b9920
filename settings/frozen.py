"""Choices that hold for the life of a stack's data, and what changing each one takes."""

from collections.abc import Collection
from dataclasses import dataclass

from detection.images import postgres_major
from settings.sections import Backend, Cluster, Database, Images, Namespace, Storage, Superuser

UNKNOWN = "unknown"
"""A value that the stack file does not say; it is compared with nothing."""
OWN = "the default"
"""The value of a claim's name, or a class, that the stack file leaves to the stack."""


RECOVERY_PATH = "database.cloudNativePg.recovery"
RECOVERY = f"{RECOVERY_PATH}.generation"
GENERATIONS = [OWN, *map(str, range(2, 1000))]
"""Numbers that a Cluster may have; the first one has none in the stack file."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A choice of the stack file by which data is found again."""

    way: str
    """Instructions for whoever means to change it, without a full stop."""
    migrates: bool = False
    """Whether the way ends in the same stack, by naming the choice in `protection.migrating` for one run."""
    belongs_to: str | None = None
    """Path of the choice of a volume or server that has this property: another one may have another."""
    gives_up: Collection[str] = ()
    """Values with which the stack holds objects that it has to release before the choice changes."""


CHOICES = {
    "cluster.context": Choice(
        way="objects do not move between clusters: make a stack of the new cluster and restore into it. If it is the same "
        "cluster, give its context the old name: `kubectl config rename-context`"
    ),
    "namespace.name": Choice(
        way="nothing moves between namespaces: make a stack of the new name and restore into it"
    ),
    "namespace.create": Choice(
        way="a namespace that is given up is deleted with everything in it, and one that exists cannot be made: "
        "make a stack in another namespace and restore into it"
    ),
    "images.postgres": Choice(
        way="PostgreSQL does not start on files of another major version: back up, change it together with "
        "database.inCluster.existingClaim, a new claim, and restore",
        belongs_to="database.inCluster.existingClaim",
    ),
    "storage.accessMode": Choice(
        way="a claim keeps its access mode: copy the files to a new claim and name that one in storage.existingClaim",
        belongs_to="storage.existingClaim",
    ),
    "storage.className": Choice(
        way="a claim keeps its class: copy the files to a new claim and name that one in storage.existingClaim",
        belongs_to="storage.existingClaim",
    ),
    "storage.existingClaim": Choice(
        way="copy the files from the old claim to the new one while the backend is stopped",
        migrates=True,
        gives_up=[OWN],
    ),
    "database": Choice(
        way="dump the old database and restore it into the new one while the backend is stopped",
        migrates=True,
        gives_up=["inCluster", "cloudNativePg"],
    ),
    "database.cloudNativePg.major": Choice(
        way="the operator would upgrade the files of all instances in place, with no way back: make a stack with a "
        "database of the new version and restore into it",
        belongs_to="database",
    ),
    "database.cloudNativePg.className": Choice(
        way="a claim keeps its class: make a stack with a database of the new class and restore into it",
        belongs_to="database",
    ),
    "database.cloudNativePg.uid": Choice(
        way="PostgreSQL's files belong to the old user: make a stack with a database of the new one and restore into it",
        belongs_to="database",
    ),
    RECOVERY: Choice(
        way="the Cluster of another generation is restored next to this one, which stays",
        migrates=True,
        belongs_to="database",
        gives_up=GENERATIONS,
    ),
    f"{RECOVERY_PATH}.targetTime": Choice(
        way="a Cluster is restored once: raise database.cloudNativePg.recovery.generation",
        belongs_to=RECOVERY,
    ),
    f"{RECOVERY_PATH}.source": Choice(
        way="a Cluster is restored once: raise database.cloudNativePg.recovery.generation",
        belongs_to=RECOVERY,
    ),
    "database.inCluster.className": Choice(
        way="a claim keeps its class: back up, name a new claim in database.inCluster.existingClaim, and restore",
        belongs_to="database.inCluster.existingClaim",
    ),
    "database.inCluster.existingClaim": Choice(
        way="back up before, and restore after it: the server starts empty on a new claim",
        migrates=True,
        belongs_to="database",
        gives_up=[OWN],
    ),
    "database.inCluster.uid": Choice(
        way="PostgreSQL's files belong to the old user: change their owner first",
        migrates=True,
        belongs_to="database.inCluster.existingClaim",
    ),
    "backend.uid": Choice(
        way="the volume's secret_key belongs to the old user with mode 0600: change its owner first",
        migrates=True,
    ),
    "superuser.password": Choice(
        way="the account keeps the password that it was made with: write it into the Secret that the file names",
        migrates=True,
        gives_up=["generated"],
    ),
}
"""By path of the stack file."""
MIGRATIONS = [path for path, choice in CHOICES.items() if choice.migrates]
"""Paths that `protection.migrating` may name."""


def frozen(
    cluster: Cluster,
    namespace: Namespace,
    images: Images,
    storage: Storage,
    database: Database,
    backend: Backend,
    superuser: Superuser,
) -> dict[str, str]:
    """The choices a stack file makes, by path. The stack exports them, and its next run compares."""
    own, operated = database.in_cluster, database.cloud_native_pg
    recovery = operated and operated.recovery
    chosen = {
        "cluster.context": cluster.context or UNKNOWN,
        "namespace.name": namespace.name,
        "namespace.create": "true" if namespace.create else "false",
        "images.postgres": (postgres_major(images.postgres) if own and images.postgres else None) or UNKNOWN,
        # Of an existing claim the file only repeats what the cluster has, and may have got wrong.
        "storage.accessMode": UNKNOWN if storage.existing_claim else storage.mode,
        "storage.className": UNKNOWN if storage.existing_claim else storage.class_name,
        "storage.existingClaim": storage.existing_claim,
        "database": database.mode,
        "database.inCluster.className": UNKNOWN if own and own.existing_claim else own and own.class_name,
        "database.inCluster.existingClaim": own and own.existing_claim,
        "database.inCluster.uid": own and own.uid,
        "database.cloudNativePg.major": (operated and operated.major) or UNKNOWN,
        "database.cloudNativePg.className": operated and operated.class_name,
        "database.cloudNativePg.uid": operated and operated.uid,
        RECOVERY: recovery and recovery.generation,
        f"{RECOVERY_PATH}.targetTime": recovery and recovery.target_time,
        f"{RECOVERY_PATH}.source": recovery and recovery.source,
        "backend.uid": backend.uid,
        "superuser.password": "existing" if superuser.password else "generated",
    }
    return {path: str(value or OWN) for path, value in chosen.items()}
