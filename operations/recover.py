"""After an `up` that was killed: what the engine had begun and never wrote down is found again."""

import json
from collections.abc import Iterator
from typing import Any

from operations.kubectl import Kubectl
from operations.program import ProgramError, output_of

Resource = dict[str, Any]


def recover(stack: str) -> list[str]:
    """Releases the stack's lock and brings its state to what the cluster holds; changes nothing in the cluster.

    Objects whose creation was begun are taken into the state when they exist, and forgotten when they do not, so
    that the next `pulumi up` neither leaves them behind nor makes them twice. Returns the names of those taken.

    Raises:
        ProgramError: pulumi or kubectl says no.
    """
    pulumi("cancel", "--yes", stack)
    resources, begun = _state(stack)
    found = [(resource["urn"], identity) for resource, identity in _existing(resources, begun)]
    taken = [word for urn, identity in found for word in ("--import-pending-creates", f"{urn} {identity}")]
    pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates", f"--stack={stack}", *taken)
    return [identity for _, identity in found]


def pulumi(*words: str) -> str:
    return output_of("pulumi", *words, "--non-interactive")


def _state(stack: str) -> tuple[list[Resource], list[Resource]]:
    """What the stack holds, and what it was creating."""
    deployment = json.loads(pulumi("stack", "export", f"--stack={stack}"))["deployment"]
    begun = deployment.get("pending_operations") or []
    return deployment.get("resources") or [], [row["resource"] for row in begun if row["type"] == "creating"]


def _existing(resources: list[Resource], begun: list[Resource]) -> Iterator[tuple[Resource, str]]:
    """Objects whose creation was begun and that exist, with the ids that Pulumi gives them."""
    contexts = {
        f"{row['urn']}::{row['id']}": row["inputs"].get("context")
        for row in resources
        if row["type"] == "pulumi:providers:kubernetes"
    }
    for row in begun:
        if not row["type"].startswith("kubernetes:"):
            continue
        metadata = row["inputs"]["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace")
        kubectl = Kubectl(contexts[row["provider"]], namespace or "default")
        # kubernetes:apps/v1:Deployment is deployments.v1.apps to kubectl, kubernetes:core/v1:Secret is secrets
        _, version, kind = row["type"].split(":")
        group, _, version = version.rpartition("/")
        try:
            kubectl.get(kind if group == "core" else f"{kind}.{version}.{group}", name)
        except ProgramError as error:
            if "(NotFound)" not in str(error):
                raise
        else:
            yield row, f"{namespace}/{name}" if namespace else name
