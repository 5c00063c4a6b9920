"""A stack that runs, as it is asked: its outputs, its state, its cluster and its pods, each within a bound of time."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from detection.scrub import scrubbed
from operations import stack as stacks
from operations.kubectl import Kubectl
from operations.preflight.found import Found
from operations.program import ProgramError, output_of
from operations.review.preview import at
from operations.stack import PULUMI_SECONDS, Stack
from operations.status.facts import Known, Unknown

SECONDS = 20
"""How long anything may take that is asked of the cluster."""
PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "Cluster": "/apis/postgresql.cnpg.io/v1/namespaces/{}/clusters",
    "ObjectStore": "/apis/barmancloud.cnpg.io/v1/namespaces/{}/objectstores",
    "ScheduledBackup": "/apis/postgresql.cnpg.io/v1/namespaces/{}/scheduledbackups",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "Certificate": "/apis/cert-manager.io/v1/namespaces/{}/certificates",
}
"""Paths of the API by kind, for a namespace."""
WORKLOADS = ("Deployment", "StatefulSet", "Cluster")

Object = dict[str, Any]
T = TypeVar("T")


@contextlib.contextmanager
def asked(stack: str) -> Iterator["Asked"]:
    """A stack and its cluster, while the block runs.

    Raises:
        ProgramError: pulumi does not know the stack, or its cluster does not answer.
    """
    outputs = stacks.read(stack)
    exported = output_of(
        "pulumi", "stack", "export", f"--stack={stack}", "--non-interactive", seconds=PULUMI_SECONDS
    )
    with outputs.kubectl() as kubectl:
        bounded = replace(kubectl, seconds=SECONDS)
        # Once: every fact would be unknown, for one reason.
        bounded.run("version", "--output=json")
        yield Asked(stack, outputs, json.loads(exported)["deployment"], Found(bounded))


class Asked:
    """A stack by its outputs, its state and its cluster."""

    def __init__(self, stack: str, outputs: Stack, state: Object, found: Found) -> None:
        self.stack, self.outputs, self.state, self.found = stack, outputs, state, found
        self.kubectl: Kubectl = found.kubectl
        self.now = datetime.now(UTC)

    def again(self) -> "Asked":
        """The same stack, with nothing read of its cluster yet."""
        return Asked(self.stack, self.outputs, self.state, Found(self.kubectl))

    @property
    def declared(self) -> list[Object]:
        """Kubernetes objects of the state, as they were declared."""
        return [
            row["inputs"]
            for row in self.state.get("resources") or ()
            if row["type"].startswith("kubernetes:") and row.get("inputs") and not row.get("delete")
        ]

    @property
    def providers(self) -> dict[str, str]:
        """Versions of the providers that the state names."""
        rows = self.state.get("resources") or ()
        found = [row for row in rows if row["type"].startswith("pulumi:providers:")]
        return {row["type"].rpartition(":")[2]: str(at(row, "inputs", "version")) for row in found}

    def objects(self, kind: str) -> list[Object]:
        """Every object of a kind of `PATHS` in the namespace."""
        return self.found.items(PATHS[kind].format(self.found.namespace))

    def object(self, kind: str, name: str) -> Object | None:
        """One of them; None where it does not exist."""
        return next((each for each in self.objects(kind) if each["metadata"]["name"] == name), None)

    def living(self) -> list[Object]:
        """Pods of the namespace that have not ended."""
        pods = self.found.own("pods")
        return [each for each in pods if at(each, "status", "phase") not in ("Succeeded", "Failed")]

    def staying(self) -> list[Object]:
        """Pods of the namespace that have not ended and are not about to: the others may be gone at the next look."""
        return [each for each in self.living() if at(each, "metadata", "deletionTimestamp") is None]

    def run_in(self, pod: str, container: str, *words: str) -> str:
        """Output of a program that is executed in a container."""
        return self.kubectl.run("exec", pod, f"--container={container}", "--", *words)


def known(part: Callable[..., T], *words: Any) -> Known[T]:
    """What a part says, or why it could not."""
    try:
        return part(*words)
    except ProgramError as error:
        return Unknown(_first(str(error)))
    except (OSError, ValueError, LookupError, TypeError, msgspec.MsgspecError) as error:
        # An answer of another shape than ours knows is no answer.
        return Unknown(_first(f"{type(error).__name__}: {error}"))


def _first(text: str) -> str:
    """The first line of an error, without what looks like a secret."""
    return scrubbed(" ".join(text.split()))[:300]


def containers(pod: Object) -> list[Object]:
    """Statuses of a pod's containers, init containers first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def holds(each: Object, condition: str) -> bool:
    """Whether a condition of an object is True."""
    return any(
        row["type"] == condition and row["status"] == "True" for row in at(each, "status", "conditions") or ()
    )


def why(each: Object, condition: str) -> str:
    """The message of a condition of an object."""
    rows = [row for row in at(each, "status", "conditions") or () if row["type"] == condition]
    return next((str(row.get("message") or row.get("reason")) for row in rows), "unknown")


def time(text: str) -> datetime:
    """A moment as Kubernetes writes it."""
    return datetime.fromisoformat(text)
