"""After an `up` that was killed: what the engine had begun and never wrote down is found again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from operations.kubectl import Kubectl
from operations.program import ProgramError, output_of

Resource = dict[str, Any]


@dataclass(frozen=True)
class Begun:
    """An object whose creation was begun, and that exists."""

    urn: str
    kubectl: Kubectl
    kind: str
    """As kubectl calls it."""
    name: str
    identity: str
    """As Pulumi calls it: `namespace/name`."""


def recover(stack: str) -> list[str]:
    """Releases the stack's lock and brings its state to what the cluster holds.

    Objects whose creation was begun are taken into the state, so that the next `pulumi up` neither leaves them behind
    nor makes them twice. Those that were to replace another are removed: the state still has the other one, nothing
    refers to them yet, and the next `pulumi up` makes them anew. Returns what was done, in words.

    Raises:
        ProgramError: pulumi or kubectl says no.
    """
    _forget_sidecars(stack)
    pulumi("cancel", "--yes", stack)
    resources, pending = _state(stack)
    kept = {row["urn"] for row in resources if not row.get("delete")}
    found = list(_existing(resources, pending))
    done = []
    for begun in found:
        if begun.urn in kept:
            begun.kubectl.run("delete", begun.kind, begun.name)
            done.append(f"removed {begun.identity}, half-made in the place of another")
    taken = [begun for begun in found if begun.urn not in kept]
    done += [f"found {begun.identity} again" for begun in taken]
    # The option's value is one word of a list: a URN, an id, a URN, …
    words = [f"--import-pending-creates={word}" for begun in taken for word in (begun.urn, begun.identity)]
    pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates", f"--stack={stack}", *words)
    return done


def _forget_sidecars(stack: str) -> None:
    """Removes what a backend of files keeps beside a state.

    It holds a content type and a checksum, and is written in place: an engine killed just then leaves it empty, and
    every command that reads the stack fails with `EOF`, though the state is whole.
    """
    url = urlsplit(json.loads(pulumi("whoami", "--json"))["url"])
    if url.scheme == "file":
        states = Path(url.netloc + url.path).expanduser() / ".pulumi" / "stacks"
        for file in states.rglob(f"{stack.rpartition('/')[2]}.json*.attrs"):
            file.unlink()


def pulumi(*words: str) -> str:
    return output_of("pulumi", *words, "--non-interactive")


def _state(stack: str) -> tuple[list[Resource], list[Resource]]:
    """What the stack holds, and what it was creating."""
    deployment = json.loads(pulumi("stack", "export", f"--stack={stack}"))["deployment"]
    begun = deployment.get("pending_operations") or []
    return deployment.get("resources") or [], [row["resource"] for row in begun if row["type"] == "creating"]


def _existing(resources: list[Resource], pending: list[Resource]) -> Iterator[Begun]:
    contexts = {
        f"{row['urn']}::{row['id']}": row["inputs"].get("context")
        for row in resources
        if row["type"] == "pulumi:providers:kubernetes"
    }
    for row in pending:
        if not row["type"].startswith("kubernetes:"):
            continue
        metadata = row["inputs"]["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace")
        kubectl = Kubectl(contexts[row["provider"]], namespace or "default")
        kind = _kind(row["type"])
        try:
            kubectl.get(kind, name)
        except ProgramError as error:
            if "(NotFound)" not in str(error):
                raise
        else:
            yield Begun(row["urn"], kubectl, kind, name, f"{namespace}/{name}" if namespace else name)


def _kind(token: str) -> str:
    """`kubernetes:apps/v1:Deployment` as `Deployment.v1.apps`, `kubernetes:core/v1:Secret` as `Secret`."""
    _, version, kind = token.split(":")
    group, _, version = version.rpartition("/")
    return kind if group == "core" else f"{kind}.{version}.{group}"
