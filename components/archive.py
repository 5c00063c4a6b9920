"""The archive of a database that CloudNativePG runs: write-ahead log and base backups, by the plugin Barman Cloud."""

from dataclasses import dataclass
from typing import Any

from . import names, pods
from .object_store import ObjectStore
from .trust import Trust

API_VERSION = "barmancloud.cnpg.io/v1"
PLUGIN = "barman-cloud.cloudnative-pg.io"
SIDECAR = pods.Resources(
    requests={"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
    limits={"cpu": "1", "memory": "512Mi", "ephemeral-storage": "1Gi"},
)
"""The plugin next to each instance, and in the Job that restores."""


@dataclass(frozen=True, kw_only=True)
class ArchiveArgs:
    """What every change of a database is kept in, and how far back."""

    store: ObjectStore
    """Folder that no other stack writes to."""
    retention: str = "30d"
    """How far back a moment may lie, in days, weeks or months."""
    schedule: str = "0 2 * * *"
    """When a base backup begins, as a cron schedule in UTC."""
    trust: Trust | None = None
    """Authorities by which the bucket's server is verified, in a Secret."""

    def object_store(self) -> dict[str, Any]:
        """Spec of the `ObjectStore`."""
        store, authorities = self.store, self.trust
        return {
            "configuration": {
                "destinationPath": f"s3://{store.bucket}/{store.prefix}",
                "endpointURL": store.endpoint.rstrip("/"),
                **(
                    {"endpointCA": {"name": authorities.secret_name, "key": authorities.key}}
                    if authorities
                    else {}
                ),
                "s3Credentials": {
                    "accessKeyId": {"name": store.access_key.name, "key": store.access_key.key},
                    "secretAccessKey": {"name": store.secret_key.name, "key": store.secret_key.key},
                },
                "wal": {"compression": "gzip"},
                "data": {"compression": "gzip"},
            },
            "retentionPolicy": self.retention,
            "instanceSidecarConfiguration": {
                # The store's own field for it is a reference to a Secret.
                "env": [{"name": "AWS_DEFAULT_REGION", "value": store.region}],
                "resources": {"requests": dict(SIDECAR.requests), "limits": dict(SIDECAR.limits)},
            },
        }

    def scheduled_backup(self, cluster: str) -> dict[str, Any]:
        """Spec of the `ScheduledBackup` of a Cluster."""
        return {
            "cluster": {"name": cluster},
            # CloudNativePG counts seconds too.
            "schedule": f"0 {self.schedule}",
            # Before the first one there is nothing that the log could be replayed on.
            "immediate": True,
            "backupOwnerReference": "self",
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
        }


def plugin(cluster: str) -> dict[str, Any]:
    """The plugin and the folder that a Cluster's archive is in, under the name of the Cluster."""
    return {"name": PLUGIN, "parameters": {"barmanObjectName": names.CLUSTER, "serverName": cluster}}
