"""Scheduled backups, each of which has been restored once before it counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names, pods, trust, workloads
from .component import Component
from .database import PASSWORD
from .references import SecretKeyRef, State, version_annotations
from .runtime import CONFIG_DIR
from .storage import Storage

COMPONENT = names.BACKUP
BACKUPS = "/backups"
DATABASE_URL = "DATABASE_URL"
TRIAL = "/var/lib/trial"
SCRIPT = Path(__file__).with_name("backup.sh")
DEADLINE_SECONDS = 6 * 3600
"""Longer than any dump this is fit for; past it the run counts as failed instead of blocking the next."""
RESOURCES = pods.Resources(
    requests={"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
    limits={"cpu": "1", "memory": "1Gi", "ephemeral-storage": "256Mi"},
)
"""A dump; the trial server next to it gets the same."""


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """What is copied, when, and what the copies are kept on."""

    workload: pods.Workload
    """PostgreSQL's image, not older than the server, run as the backend's user, whose files are read."""
    storage: Storage
    """The backend's files."""
    database: State
    """The database that is dumped."""
    images: Sequence[str]
    """Images that run now, noted in each backup."""
    schedule: str
    """When a backup begins, as a cron schedule in UTC."""
    keep: int = 7
    """How many backups stay."""
    size: str = "10Gi"
    """Size of the claim, a quantity, and most that the trial server may take of a node's disk."""
    class_name: str | None = None
    """StorageClass; None leaves it to the cluster."""
    existing_claim: str | None = None
    """A claim that exists; then none is made."""
    protect: bool = True
    """Whether the claim refuses to be deleted and outlives the stack."""


class Backup(Component):
    """A CronJob that dumps the database and the application's files on a volume of their own.

    A trial PostgreSQL runs next to it as a native sidecar: a dump that does not restore there gets no name.
    """

    name: pulumi.Output[str]
    """Name of the CronJob."""

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Backup", name, None, opts)
        namespace = args.workload.namespace
        account = self.service_account(name, namespace, COMPONENT)
        job = k8s.batch.v1.CronJob(
            name,
            metadata=labels.metadata(COMPONENT, namespace, name=names.prefixed(COMPONENT)),
            spec=k8s.batch.v1.CronJobSpecArgs(
                schedule=args.schedule,
                time_zone="Etc/UTC",
                concurrency_policy="Forbid",
                # A run that the controller missed is caught up within the hour.
                starting_deadline_seconds=3600,
                successful_jobs_history_limit=3,
                failed_jobs_history_limit=3,
                job_template=k8s.batch.v1.JobTemplateSpecArgs(
                    metadata=labels.metadata(COMPONENT, more_labels=args.workload.pods.labels),
                    spec=workloads.job_spec(
                        COMPONENT,
                        args.workload,
                        account,
                        backoff_limit=1,
                        deadline_seconds=DEADLINE_SECONDS,
                        shared=args.storage.shared,
                        annotations=version_annotations(args.database.versions(DATABASE_URL)),
                        init_containers=[_trial(args)],
                        containers=[_backup(args)],
                        volumes=[
                            pods.claim("data", args.storage.claim_name),
                            pods.claim("backups", args.existing_claim or self._claim(name, args)),
                            pods.empty_dir("trial", args.size),
                            pods.empty_dir("run", "16Mi"),
                            pods.empty_dir("shm", "256Mi", in_memory=True),
                            pods.empty_dir("tmp", "64Mi"),
                            *trust.volumes(args.workload.trust),
                            *args.database.volumes(),
                        ],
                    ),
                ),
            ),
            opts=self.child(),
        )
        self.name = job.metadata.name
        self.register_outputs({"cronJobName": self.name})

    def _claim(self, name: str, args: BackupArgs) -> pulumi.Output[str]:
        return workloads.claim(
            self,
            f"{name}-claim",
            COMPONENT,
            args.workload.namespace,
            name=names.BACKUP_CLAIM,
            size=args.size,
            class_name=args.class_name,
            protect=args.protect,
        ).metadata.name


def _backup(args: BackupArgs) -> k8s.core.v1.ContainerArgs:
    environment = {
        "BACKUPS": BACKUPS,
        "CONFIG_DIR": CONFIG_DIR,
        "IMAGES": "\n".join(args.images),
        "KEEP": str(args.keep),
    }
    return pods.container(
        COMPONENT,
        args.workload.image,
        args.workload.resources or RESOURCES,
        command=["sh", "-c", SCRIPT.read_text(), "backup.sh"],
        args=["take"],
        env=[
            *args.database.env(DATABASE_URL),
            *([] if PASSWORD in args.database.credentials else [_password(args.database).env(PASSWORD)]),
            *pods.variables(environment),
            *trust.variables(args.workload.trust),
        ],
        mounts={"backups": BACKUPS, "tmp": "/tmp"},
        read_only_mounts={
            "data": CONFIG_DIR,
            **trust.mounts(args.workload.trust),
            **args.database.mounts(),
        },
    )


def _password(database: State) -> SecretKeyRef:
    """The trial server's password: any text that nobody else knows, so the live one or the whole URL will do."""
    return database.credentials.get(PASSWORD) or cast(SecretKeyRef, database.url)


def _trial(args: BackupArgs) -> k8s.core.v1.ContainerArgs:
    """A server that only its own pod reaches and that lives as long as the backup."""
    resources = args.workload.resources or RESOURCES
    return pods.container(
        "trial",
        args.workload.image,
        pods.Resources(
            requests=resources.requests,
            limits={**resources.limits, "ephemeral-storage": args.size},
        ),
        restart_policy="Always",
        # Nothing here outlives the pod, so nothing is flushed to disk for its sake.
        args=["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off"],
        env=[
            _password(args.database).env("POSTGRES_PASSWORD"),
            *pods.variables(
                {
                    "POSTGRES_USER": "trial",
                    "POSTGRES_DB": "trial",
                    "POSTGRES_INITDB_ARGS": "--encoding=UTF8",
                    "PGDATA": f"{TRIAL}/pgdata",
                }
            ),
        ],
        # By TCP: while the image initialises, a temporary server already answers on the socket.
        startup_probe=pods.run(
            "pg_isready", "--host=127.0.0.1", period_seconds=2, failure_threshold=60, timeout_seconds=5
        ),
        mounts={"trial": TRIAL, "run": "/var/run/postgresql", "shm": "/dev/shm", "tmp": "/tmp"},
    )
