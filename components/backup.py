"""Scheduled backups, each of which has been restored once before it counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

from components import labels, pods, workloads
from components.component import Component
from components.references import Image, SecretKeyRef
from components.runtime import CONFIG_DIR

PART = "backup"
NAME = f"skillflaw-{PART}"
BACKUPS = "/backups"
TRIAL = "/var/lib/trial"
SCRIPT = Path(__file__).with_name("backup.sh")
DEADLINE_SECONDS = 6 * 3600
"""Longer than any dump this is fit for; past it the run counts as failed instead of blocking the next."""


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    namespace: pulumi.Input[str]
    image: Image
    """PostgreSQL, not older than the server."""
    identity: pods.Identity
    """The backend's, whose files are read."""
    resources: pods.Resources
    schedule: str
    keep: int
    size: str
    class_name: str | None
    existing_claim: str | None
    data_claim: pulumi.Input[str]
    shared_volume: bool
    """Whether pods on two nodes can mount the data at once."""
    database_url: SecretKeyRef
    images: Sequence[str]
    """What runs, kept with each backup."""
    protect: bool


class Backup(Component):
    """A CronJob that dumps the database and the application's files on a volume of their own.

    A trial PostgreSQL runs beside it as a native sidecar: a dump that does not restore there gets no name.
    """

    name: pulumi.Output[str]
    """Name of the CronJob."""

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Backup", name, None, opts)
        account = self.service_account(name, args.namespace, PART)
        job = k8s.batch.v1.CronJob(
            name,
            metadata=labels.metadata(PART, args.namespace, name=NAME),
            spec=k8s.batch.v1.CronJobSpecArgs(
                schedule=args.schedule,
                time_zone="Etc/UTC",
                concurrency_policy="Forbid",
                # A run that the controller missed is caught up within the hour.
                starting_deadline_seconds=3600,
                successful_jobs_history_limit=3,
                failed_jobs_history_limit=3,
                job_template=k8s.batch.v1.JobTemplateSpecArgs(
                    metadata=labels.metadata(PART),
                    spec=workloads.once(
                        PART,
                        args.identity,
                        account,
                        args.image,
                        retries=1,
                        seconds=DEADLINE_SECONDS,
                        shared_volume=args.shared_volume,
                        init_containers=[_trial(args)],
                        containers=[_backup(args)],
                        volumes=[
                            pods.claim("data", args.data_claim),
                            pods.claim("backups", args.existing_claim or self._claim(name, args)),
                            pods.scratch("trial", args.size),
                            pods.scratch("run", "16Mi"),
                            pods.scratch("shm", "256Mi", in_memory=True),
                            pods.scratch("tmp", "64Mi"),
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
            PART,
            args.namespace,
            name="skillflaw-backups",
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
        PART,
        args.image,
        args.resources,
        command=["sh", "-c", SCRIPT.read_text(), "backup.sh"],
        args=["take"],
        env=[
            args.database_url.env("DATABASE_URL"),
            args.database_url.env("PGPASSWORD"),
            *pods.variables(environment),
        ],
        mounts={"backups": BACKUPS, "tmp": "/tmp"},
        read_only_mounts={"data": CONFIG_DIR},
    )


def _trial(args: BackupArgs) -> k8s.core.v1.ContainerArgs:
    """A server that only its own pod reaches and that lives as long as the backup."""
    return pods.container(
        "trial",
        args.image,
        pods.Resources(
            requests=args.resources.requests,
            limits={**args.resources.limits, "ephemeral-storage": args.size},
        ),
        restart_policy="Always",
        # Nothing here outlives the pod, so nothing is flushed to disk for its sake.
        args=["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off"],
        env=[
            # Any text that nobody else knows will do for a password.
            args.database_url.env("POSTGRES_PASSWORD"),
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
