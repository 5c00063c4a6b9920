"""The Jobs by which servers of the stack's learn who signs in."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names, pods, workloads
from .component import Component
from .login import Login

COMPONENT = names.LOGINS
STARTUP_SECONDS = 120
"""How long a pod may take to find a node, to start and to reach the servers, once its images are there."""
RESOURCES = pods.Resources(
    requests={"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "16Mi"},
    limits={"cpu": "500m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
)
"""A client that asks a few questions."""


@dataclass(frozen=True, kw_only=True)
class LoginsArgs:
    """Who signs in to which servers."""

    workload: pods.Workload
    """User, resources and nodes of the Jobs' pods; each container has the image of its server."""
    logins: Sequence[Login]
    """One for each server."""
    after: Sequence[pulumi.Resource] = ()
    """Servers that must be up first."""


class Logins(Component):
    """Two Jobs per version of a password: before any client uses the new login, and after the last one used the old.

    1. `<name>` has each server learn the new login next to the old one.
    2. `<name>-before` waits for the clients that still use an old one, and ends the old ones.

    Between the two, replicas of before and of after sign in: no moment fits both if a server knows one password alone.
    """

    ready: Sequence[pulumi.Resource]
    """Resources to wait for before a client uses a new login."""

    def __init__(self, name: str, args: LoginsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Logins", name, None, opts)
        self._name, self._args = name, args
        self._account = self.service_account(name, args.workload.namespace, COMPONENT)
        job = self._job(name, "open", after=args.after, wait=0)
        self.ready = [job, *(login.settle([job]) for login in args.logins)]
        self.register_outputs({})

    def end_those_before(self, after: Sequence[pulumi.Resource], *, grace: int) -> None:
        """Adds the second Job, once `after` is done; a client that leaves may use an old login for `grace` seconds more."""
        self._job(f"{self._name}-before", "close", after=[*self.ready, *after], wait=grace)

    def _job(
        self, name: str, action: str, *, after: Sequence[pulumi.Resource], wait: int
    ) -> k8s.batch.v1.Job:
        args = self._args
        seconds = args.workload.image.pull_deadline_seconds + STARTUP_SECONDS + wait
        return k8s.batch.v1.Job(
            name,
            metadata=labels.metadata(
                COMPONENT,
                args.workload.namespace,
                # A Job that failed is replaced by the next `up`, not waited for again.
                annotations={"pulumi.com/replaceUnready": "true"},
            ),
            spec=workloads.job_spec(
                COMPONENT,
                args.workload,
                self._account,
                backoff_limit=0,
                deadline_seconds=seconds,
                shared=True,
                # On another volume a server knows nobody.
                annotations={
                    key: volume for login in args.logins for key, volume in login.annotations.items()
                },
                containers=[
                    login.container(action, args.workload.resources or RESOURCES, wait=wait)
                    for login in args.logins
                ],
            ),
            opts=self.child(depends_on=after, custom_timeouts=workloads.timeouts(seconds)),
        )
