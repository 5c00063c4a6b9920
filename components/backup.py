"""Scheduled backups: dumped and restored once by PostgreSQL, kept by restic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names, pods, trust, workloads
from .component import ChildOptions, Component
from .database import PASSWORD
from .object_store import ObjectStore
from .passwords import password
from .references import Image, SecretKeyRef, State, version_annotations
from .runtime import CONFIG_DIR
from .storage import Storage

COMPONENT = names.BACKUP
REPOSITORY = "/repository"
SCRATCH = "/scratch"
DATABASE_URL = "DATABASE_URL"
RESTIC_PASSWORD = "RESTIC_PASSWORD"  # noqa: S105 - a variable's name
SCRIPTS = Path(__file__).with_name("scripts")
DEADLINE_SECONDS = 6 * 3600
"""Longer than any dump this is fit for; past it the run counts as failed instead of blocking the next."""
RESOURCES = pods.Resources(
    requests={"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
    limits={"cpu": "1", "memory": "1Gi", "ephemeral-storage": "10Gi"},
)
"""A dump; the trial server and restic next to it get the same."""


@dataclass(frozen=True, kw_only=True)
class RepositoryClaim:
    """A volume that holds the repository."""

    size: str = "10Gi"
    """Size of the claim, a quantity; can grow, never shrink."""
    class_name: str | None = None
    """StorageClass; None leaves it to the cluster."""
    existing_claim: str | None = None
    """A claim that exists; then none is made."""


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """What is copied, when, and what the copies are kept in."""

    workload: pods.Workload
    """PostgreSQL's image, of the server's major version, run as the backend's user, whose files are read."""
    restic: Image
    """restic 0.18 or newer, in an image with a shell."""
    storage: Storage
    """The backend's files."""
    database: State
    """The database that is dumped, by the role that owns its tables, past a pooler."""
    identity: str
    """The host of the snapshots: stacks in one repository never touch each other's."""
    images: Mapping[str, str]
    """Images that run now, by name, noted in each snapshot."""
    schedule: str
    """When a backup begins, as a cron schedule in UTC."""
    keep: int = 7
    """How many snapshots stay."""
    to: RepositoryClaim | ObjectStore = RepositoryClaim()
    """What holds the repository."""
    password: SecretKeyRef | None = None
    """An existing password of the repository; without it one is generated."""
    after: Sequence[pulumi.Resource] = ()
    """Resources that a backup of this run waits for."""
    before_rotation: int = 0
    """Number of the secret key's last rotation, before which one backup is taken; 0 if it never was rotated."""
    protect: bool = True
    """Whether claim and generated password refuse to be deleted and outlive the stack."""


class Backup(Component):
    """A CronJob that keeps snapshots of the database and the application's files in a repository of restic.

    A trial PostgreSQL runs in its pod as a native sidecar: a dump that does not restore there, with the rights of the live
    role, never reaches the repository. Dump and restic take turns, each in its own image.
    """

    name: pulumi.Output[str]
    """Name of the CronJob."""
    password: SecretKeyRef
    """Password of the repository; a snapshot without it is nothing."""
    taken: tuple[pulumi.Resource, ...] = ()
    """The backup before the secret key's last rotation."""

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Backup", name, None, opts)
        namespace = args.workload.namespace
        self.password = args.password or self._generate(name, args)
        account = self.service_account(name, namespace, COMPONENT)
        volumes = [
            pods.claim("data", args.storage.claim_name),
            pods.empty_dir("scratch", _resources(args).limits["ephemeral-storage"]),
            pods.empty_dir("run", "16Mi"),
            pods.empty_dir("shm", "256Mi", in_memory=True),
            pods.empty_dir("tmp", "64Mi"),
            *trust.volumes(args.workload.trust),
            *args.database.volumes(),
        ]
        if isinstance(args.to, RepositoryClaim):
            volumes.append(pods.claim("backups", args.to.existing_claim or self._claim(name, args, args.to)))
        spec = workloads.job_spec(
            COMPONENT,
            args.workload,
            account,
            backoff_limit=1,
            deadline_seconds=DEADLINE_SECONDS,
            shared=args.storage.shared,
            annotations=version_annotations(self._versions(args)),
            init_containers=[_trial(args), _database(args)],
            containers=[self._repository(args)],
            volumes=volumes,
        )
        if args.before_rotation:
            self.taken = (self._take(f"{name}-before-rotation-{args.before_rotation}", args, spec),)
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
                    spec=spec,
                ),
            ),
            opts=self.child(),
        )
        self.name = job.metadata.name
        self.register_outputs({"cronJobName": self.name})

    def _take(self, name: str, args: BackupArgs, spec: k8s.batch.v1.JobSpecArgs) -> pulumi.Resource:
        # One that was taken says what was then: no later edit takes it again.
        options: ChildOptions = {
            "ignore_changes": ["spec", "metadata"],
            "depends_on": args.after,
            "custom_timeouts": workloads.timeouts(DEADLINE_SECONDS),
        }
        metadata = labels.metadata(
            COMPONENT, args.workload.namespace, annotations={"pulumi.com/replaceUnready": "true"}
        )
        return k8s.batch.v1.Job(name, metadata=metadata, spec=spec, opts=self.child(**options))

    def _generate(self, name: str, args: BackupArgs) -> SecretKeyRef:
        generated = password(self, name, protect=args.protect)
        secret = k8s.core.v1.Secret(
            f"{name}-secret",
            metadata=labels.metadata(COMPONENT, args.workload.namespace),
            immutable=True,
            string_data={"password": generated.result},
            opts=self.child(protect=args.protect, retain_on_delete=args.protect),
        )
        return SecretKeyRef(name=secret.metadata.name, key="password")

    def _claim(self, name: str, args: BackupArgs, to: RepositoryClaim) -> pulumi.Output[str]:
        return workloads.claim(
            self,
            f"{name}-claim",
            COMPONENT,
            args.workload.namespace,
            name=names.BACKUP_CLAIM,
            size=to.size,
            class_name=to.class_name,
            protect=args.protect,
        ).metadata.name

    def _versions(self, args: BackupArgs) -> dict[str, str | None]:
        store = args.to if isinstance(args.to, ObjectStore) else None
        return {
            **args.database.versions(DATABASE_URL),
            RESTIC_PASSWORD: self.password.version,
            "AWS_ACCESS_KEY_ID": store.access_key.version if store else None,
        }

    def _repository(self, args: BackupArgs) -> k8s.core.v1.ContainerArgs:
        settings = {
            "CONFIG_DIR": CONFIG_DIR,
            "HOME": "/tmp",
            "IDENTITY": args.identity,
            "KEEP": str(args.keep),
            # A cache that dies with the pod: without one, removing old data reads the whole index again and again.
            "RESTIC_CACHE_DIR": f"{SCRATCH}/cache",
            "SCRATCH": SCRATCH,
            # Packs are put together there, several of 16 MiB at a time.
            "TMPDIR": SCRATCH,
        }
        store = args.to if isinstance(args.to, ObjectStore) else None
        if store:
            settings["RESTIC_REPOSITORY"] = f"s3:{store.endpoint.rstrip('/')}/{store.bucket}/{store.prefix}"
            settings["AWS_DEFAULT_REGION"] = store.region
        else:
            # A folder: backups of released versions lie next to it.
            settings["RESTIC_REPOSITORY"] = f"{REPOSITORY}/restic"
        return pods.container(
            "repository",
            args.restic,
            _resources(args),
            command=["sh", "-c", _script("repository"), "repository.sh"],
            args=["keep"],
            env=[
                self.password.env(RESTIC_PASSWORD),
                *([store.access_key.env("AWS_ACCESS_KEY_ID")] if store else []),
                *([store.secret_key.env("AWS_SECRET_ACCESS_KEY")] if store else []),
                k8s.core.v1.EnvVarArgs(
                    name="RUN",
                    value_from=k8s.core.v1.EnvVarSourceArgs(
                        field_ref=k8s.core.v1.ObjectFieldSelectorArgs(field_path="metadata.uid")
                    ),
                ),
                *pods.variables(settings),
                *trust.variables(args.workload.trust),
            ],
            mounts={"scratch": SCRATCH, "tmp": "/tmp", **({} if store else {"backups": REPOSITORY})},
            read_only_mounts={"data": CONFIG_DIR, **trust.mounts(args.workload.trust)},
        )


def _resources(args: BackupArgs) -> pods.Resources:
    return args.workload.resources or RESOURCES


def _script(name: str) -> str:
    return "".join((SCRIPTS / f"{part}.sh").read_text() for part in ("volume", name))


def _database(args: BackupArgs) -> k8s.core.v1.ContainerArgs:
    images = "\n".join(f"{name}={image}" for name, image in args.images.items())
    return pods.container(
        "database",
        args.workload.image,
        _resources(args),
        command=["sh", "-c", _script("database"), "database.sh"],
        args=["dump"],
        env=[
            *args.database.env(DATABASE_URL),
            *([] if PASSWORD in args.database.credentials else [_password(args.database).env(PASSWORD)]),
            *pods.variables({"CONFIG_DIR": CONFIG_DIR, "IMAGES": images, "SCRATCH": SCRATCH}),
            *trust.variables(args.workload.trust),
        ],
        mounts={"scratch": SCRATCH, "tmp": "/tmp"},
        read_only_mounts={"data": CONFIG_DIR, **trust.mounts(args.workload.trust), **args.database.mounts()},
    )


def _password(database: State) -> SecretKeyRef:
    """The trial server's password: any text that nobody else knows, so the live one or the whole URL will do."""
    return database.credentials.get(PASSWORD) or cast(SecretKeyRef, database.url)


def _trial(args: BackupArgs) -> k8s.core.v1.ContainerArgs:
    """A server that only its own pod reaches and that lives as long as the backup."""
    return pods.container(
        "trial",
        args.workload.image,
        _resources(args),
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
                    "PGDATA": f"{SCRATCH}/pgdata",
                }
            ),
        ],
        # By TCP: while the image initialises, a temporary server already answers on the socket.
        startup_probe=pods.run(
            "pg_isready", "--host=127.0.0.1", period_seconds=2, failure_threshold=60, timeout_seconds=5
        ),
        mounts={"scratch": SCRATCH, "run": "/var/run/postgresql", "shm": "/dev/shm", "tmp": "/tmp"},
    )
