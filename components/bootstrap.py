"""Everything that must happen once, before any replica starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Unpack

import pulumi
import pulumi_kubernetes as k8s

from . import key_guard, labels, names, pods, workloads
from .component import Component
from .pods import Pods
from .runtime import (
    CONFIG_DIR,
    FINGERPRINT,
    KEY_DIR,
    KEY_FILE,
    KEY_FILE_VARIABLE,
    STARTUP_SECONDS,
    Runtime,
)

COMPONENT = names.BOOTSTRAP
CHOSEN, CHOSEN_DIR = "chosen-key", "/run/secrets/chosen"
"""Volume of the key that the data is made with."""


@dataclass(frozen=True, kw_only=True)
class BootstrapArgs:
    """What is prepared, and what comes before."""

    runtime: Runtime
    """What the Jobs run and on which data: the same as the replicas."""
    after: Sequence[pulumi.Resource] = ()
    """State that must be up first; a Job's retries are slower than waiting."""
    accept_loss: str | None = None
    """Fingerprint of the key that may be given up."""
    pods: Pods = field(default_factory=Pods)
    """What the cluster's owner asks of the Jobs' pods."""


class Bootstrap(Component):
    """Two Jobs per image, key and configuration: the key guard, then schema, migrations and superuser.

    1. `<name>-key` stops before anything is touched when the key is not the one the data was made with, or the image is
       older than the database's schema. It is a Job of its own, since of a container that fails Pulumi shows the last
       words, and of an init container it shows none.
    2. `<name>` runs the image's own command as a native sidecar until its startup probe passes; then its main container
       notes the key's fingerprint next to the data and ends the Job. Another one gives the superuser's account its
       password, where that has a version.

    Replicas that started at once on an empty database lost one of three to a race; one Job does not race.

    While there are old keys, the first Job proves that whatever they open can be encrypted again, and the second works with
    the key that the data is made with: the replicas encrypt it again, after the last one of before has ended.
    """

    job: k8s.batch.v1.Job

    def __init__(self, name: str, args: BootstrapArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Bootstrap", name, None, opts)
        account = self.service_account(name, args.runtime.workload.namespace, COMPONENT)
        # Comparing the key takes a second: the guard's time is that of the pull.
        pull = args.runtime.workload.image.pull_deadline_seconds
        runtime = args.runtime
        if runtime.rotates:
            key, mounts = f"{CHOSEN_DIR}/key", {CHOSEN: CHOSEN_DIR}
            asked = [runtime.reencryption("prove"), _guard("schema-guard", args, "schema", KEY_FILE, {})]
        else:
            key, mounts = KEY_FILE, {}
            asked = [_guard("key-guard", args, "check", key, mounts)]
        guard = self._job(
            f"{name}-key",
            args,
            account,
            after=args.after,
            seconds=pull + (STARTUP_SECONDS if runtime.rotates else 0),
            annotations={**runtime.key_annotations, **runtime.database_annotations},
            containers=asked,
            volumes=runtime.volumes
            if runtime.rotates
            else [*runtime.data_and_key, *runtime.database_volumes],
        )
        self.job = self._job(
            name,
            args,
            account,
            after=[guard, *args.after],
            seconds=pull + STARTUP_SECONDS,
            annotations=args.runtime.annotations,
            # Nothing is served here: 30 of 45 s were the application's own slow goodbye.
            termination_grace_period_seconds=5,
            init_containers=[
                runtime.guard,
                *([runtime.reencryption("choose", key, writes=mounts)] if runtime.rotates else []),
                runtime.container(
                    names.BACKEND,
                    restart_policy="Always",
                    more_env=[
                        *(pods.variables({KEY_FILE_VARIABLE: key}) if runtime.rotates else []),
                        *(runtime.superuser_key if runtime.sets_password else []),
                    ],
                    more_mounts=mounts,
                ),
            ],
            containers=[
                _guard("record", args, "record", key, mounts),
                *([runtime.superuser_container] if runtime.sets_password else []),
            ],
            volumes=[
                *runtime.volumes,
                *([pods.empty_dir(CHOSEN, "1Mi", in_memory=True)] if runtime.rotates else []),
            ],
        )
        self.register_outputs({"jobName": self.job.metadata.name})

    def _job(
        self,
        name: str,
        args: BootstrapArgs,
        account: k8s.core.v1.ServiceAccount,
        *,
        after: Sequence[pulumi.Resource],
        seconds: int,
        annotations: Mapping[str, str],
        **spec: Unpack[pods.PodSpec],
    ) -> k8s.batch.v1.Job:
        return k8s.batch.v1.Job(
            name,
            metadata=labels.metadata(
                COMPONENT,
                args.runtime.workload.namespace,
                # A Job that failed is replaced by the next `up`, not waited for again.
                annotations={"pulumi.com/replaceUnready": "true"},
            ),
            spec=workloads.job_spec(
                COMPONENT,
                replace(args.runtime.workload, pods=args.pods),
                account,
                # The sidecar tries again by itself; what fails the pod is a refusal, and that stays one. A pod
                # failure policy would say so too, but Pulumi waits on after any reason but these two:
                # BackoffLimitExceeded and DeadlineExceeded.
                backoff_limit=0,
                deadline_seconds=seconds,
                shared=args.runtime.storage.shared,
                annotations=annotations,
                **spec,
            ),
            opts=self.child(depends_on=after, custom_timeouts=workloads.timeouts(seconds)),
        )


def _guard(
    name: str, args: BootstrapArgs, action: str, key: str, mounts: Mapping[str, str]
) -> k8s.core.v1.ContainerArgs:
    command = ["python3", "-c", key_guard.SCRIPT, action, key, FINGERPRINT]
    accepted = [args.accept_loss] if args.accept_loss and action == "check" else []
    return pods.container(
        name,
        args.runtime.workload.image,
        args.runtime.guard_resources,
        command=[*command, *accepted],
        env=args.runtime.database_environment,
        mounts={"data": CONFIG_DIR},
        read_only_mounts={"secret-key": KEY_DIR, **mounts, **args.runtime.database_mounts},
    )
