"""Everything that must happen once, before any replica starts."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import key_guard, labels, pods, workloads
from components.component import Component
from components.references import Image
from components.runtime import CONFIG_DIR, KEY_FILE, Runtime

PART = "bootstrap"
STARTUP_SECONDS = 600
"""How long a first start may take: migrations wait up to 180 s for a lock, then run."""
DEADLINE_SECONDS = STARTUP_SECONDS + 180

SMALL = pods.Resources(
    requests={"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "16Mi"},
    limits={"cpu": "500m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
)


@dataclass(frozen=True, kw_only=True)
class BootstrapArgs:
    namespace: pulumi.Input[str]
    image: Image
    identity: pods.Identity
    runtime: Runtime
    startup_path: str
    accept_loss: str | None
    """Fingerprint of the key that may be given up."""
    shared_volume: bool
    """Whether pods on two nodes can mount the data at once."""
    after: list[pulumi.Resource]
    """State that must be up first; a Job's retries are slower than waiting."""


class Bootstrap(Component):
    """One Job per image, key and configuration: key guard, schema, migrations, superuser.

    1. `key-guard` stops before anything is touched when the key is not the one the data was made with.
    2. `backend` runs the image's own command as a native sidecar until its startup probe passes.
    3. `record` notes the key's fingerprint beside the data and ends the Job.

    Replicas that started at once on an empty database lost one of three to a race; one Job does not race.
    """

    job: k8s.batch.v1.Job

    def __init__(self, name: str, args: BootstrapArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Bootstrap", name, None, opts)
        account = self.service_account(name, args.namespace, PART)
        self.job = k8s.batch.v1.Job(
            name,
            metadata=labels.metadata(
                PART,
                args.namespace,
                # A Job that failed is made anew by the next `up`, not waited for again.
                annotations={"pulumi.com/replaceUnready": "true"},
            ),
            spec=k8s.batch.v1.JobSpecArgs(
                backoff_limit=2,
                active_deadline_seconds=DEADLINE_SECONDS,
                pod_failure_policy=pods.fails_at("key-guard", key_guard.REFUSED),
                template=pods.template(
                    PART,
                    args.identity,
                    account,
                    args.image,
                    annotations=args.runtime.annotations,
                    restart_policy="Never",
                    # During an update the old backend still holds the volume.
                    affinity=None if args.shared_volume else workloads.near("backend"),
                    # Nothing is served here: 30 of 45 s were the application's own slow goodbye.
                    termination_grace_period_seconds=5,
                    init_containers=[
                        _guard("key-guard", args, "check"),
                        args.runtime.container(
                            "backend",
                            restart_policy="Always",
                            startup_probe=pods.http(
                                args.startup_path,
                                "http",
                                period_seconds=2,
                                failure_threshold=STARTUP_SECONDS // 2,
                                timeout_seconds=5,
                            ),
                        ),
                    ],
                    containers=[_guard("record", args, "record")],
                    volumes=args.runtime.volumes,
                ),
            ),
            opts=self.child(
                depends_on=args.after,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{DEADLINE_SECONDS + 60}s"),
            ),
        )
        self.register_outputs({"jobName": self.job.metadata.name})


def _guard(name: str, args: BootstrapArgs, action: str) -> k8s.core.v1.ContainerArgs:
    command = ["python3", "-c", key_guard.SCRIPT, action, KEY_FILE, f"{CONFIG_DIR}/.key-fingerprint"]
    return pods.container(
        name,
        args.image,
        SMALL,
        command=[*command, *([args.accept_loss] if args.accept_loss else [])],
        mounts={"data": CONFIG_DIR},
        read_only_mounts={"secret-key": KEY_FILE.rsplit("/", 1)[0]},
    )
