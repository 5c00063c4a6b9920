"""Choices that hold for the life of a stack's data, and what changing each one takes."""

from detection.images import postgres_major
from settings.sections import Backend, Cluster, Database, Images, Namespace, Storage

MIGRATIONS = {
    "cluster.context": "objects do not move between clusters: restore a backup into a stack of the new cluster, "
    "then destroy this one; if it is the same cluster by another name, nothing has to move",
    "namespace.name": "nothing moves between namespaces: restore a backup into a stack of the new name",
    "namespace.create": "giving a namespace up deletes it with everything in it: hand it over in the state "
    "(`pulumi state delete` gives it up, `pulumi import` takes it) and delete nothing",
    "images.postgres": "PostgreSQL does not start on files of another major version: back up, "
    "restore into a database of the new version on a volume of its own",
    "storage.accessMode": "a claim keeps its access mode: copy the files to a new claim and name that one",
    "storage.className": "a claim keeps its class: copy the files to a new claim and name that one",
    "storage.existingClaim": "copy the files from the old claim to the new one while the backend is stopped",
    "database.cloudNativePg.major": "the operator upgrades the files of all instances while the database is "
    "away, and no way leads back: take a backup first",
    "database.cloudNativePg.className": "a claim keeps its class: restore a backup into a database of the new class",
    "database.cloudNativePg.uid": "PostgreSQL's files belong to the old user: restore a backup into a database of the "
    "new one",
    "database": "dump the old database and restore it into the new one while the backend is stopped",
    "database.inCluster.className": "a claim keeps its class: dump the database, restore it on the new one",
    "database.inCluster.uid": "PostgreSQL's files belong to the old user: change their owner first",
    "backend.uid": "the volume's secret_key belongs to the old user with mode 0600: change its owner first",
}
"""By path of the stack file: what a change of a live stack takes, since editing alone loses data."""

UNKNOWN = "unknown"
"""What a stack file does not say of a choice; it is compared with nothing."""


def frozen(
    cluster: Cluster,
    namespace: Namespace,
    images: Images,
    storage: Storage,
    database: Database,
    backend: Backend,
) -> dict[str, str]:
    """The choices a stack file makes, by path. The stack exports them, and its next run compares."""
    own, operated = database.in_cluster, database.cloud_native_pg
    chosen = {
        "cluster.context": cluster.context or UNKNOWN,
        "namespace.name": namespace.name,
        "namespace.create": "true" if namespace.create else "false",
        "images.postgres": (postgres_major(images.postgres) if own and images.postgres else None) or UNKNOWN,
        "storage.accessMode": storage.mode,
        "storage.className": storage.class_name,
        "storage.existingClaim": storage.existing_claim,
        "database": database.mode,
        "database.inCluster.className": own and own.class_name,
        "database.inCluster.uid": own and own.uid,
        "database.cloudNativePg.major": (operated and operated.major) or UNKNOWN,
        "database.cloudNativePg.className": operated and operated.class_name,
        "database.cloudNativePg.uid": operated and operated.uid,
        "backend.uid": backend.uid,
    }
    return {path: str(value or "the default") for path, value in chosen.items()}
