"""Recovery from an `up` that was killed: what the engine had begun and never wrote down is found again."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from operations.kubectl import Kubectl, cluster
from operations.program import ProgramError, output_of

Resource = dict[str, Any]


@dataclass(frozen=True)
class Begun:
    """An object whose creation was begun, and that exists."""

    row: Resource
    """The resource as the engine noted it when it began."""
    kubectl: Kubectl
    kind: str
    """Kind as kubectl calls it."""
    name: str
    identity: str
    """Id as Pulumi writes it: `namespace/name`."""


def recover(stack: str) -> list[str]:
    """Releases the stack's lock and brings its state to what the cluster holds.

    Objects whose creation was begun are taken into the state, so that the next `pulumi up` neither leaves them behind
    nor makes them twice. Those that were to replace another are removed: the state still has the other one, nothing
    refers to them yet, and the next `pulumi up` makes them again. Returns what was done, in words.

    Raises:
        ProgramError: pulumi or kubectl says no.
    """
    _forget_sidecars(stack)
    pulumi("cancel", "--yes", stack)
    exported = json.loads(pulumi("stack", "export", f"--stack={stack}"))
    state = exported["deployment"]
    pending = [row for row in state.get("pending_operations") or [] if row["type"] == "creating"]
    done = []
    if pending:
        kept = {row["urn"] for row in state["resources"] if not row.get("delete")}
        with _clusters(stack) as clusters:
            for begun in _existing(clusters, [row["resource"] for row in pending]):
                if begun.row["urn"] in kept:
                    begun.kubectl.run("delete", begun.kind, begun.name)
                    done.append(f"removed {begun.identity}, half-made in the place of another")
                else:
                    state["resources"].append(
                        begun.row | {"id": begun.identity, "outputs": begun.row["inputs"]}
                    )
                    done.append(f"found {begun.identity} again")
        # Not by `refresh --import-pending-creates`: it notes the import, and the run that follows forgets the note.
        state["pending_operations"] = []
        output_of(
            "pulumi", "stack", "import", f"--stack={stack}", "--non-interactive", stdin=json.dumps(exported)
        )
    pulumi("refresh", "--yes", "--skip-preview", f"--stack={stack}")
    return done


def _forget_sidecars(stack: str) -> None:
    """Removes what a backend of files keeps next to a state.

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


@contextlib.contextmanager
def _clusters(stack: str) -> Iterator[dict[str, tuple[str, ...]]]:
    """kubectl's options for the cluster of each of the stack's providers, while the block runs."""
    exported = pulumi("stack", "export", "--show-secrets", f"--stack={stack}")
    with contextlib.ExitStack() as files:
        yield {
            f"{row['urn']}::{row['id']}": files.enter_context(
                cluster(row["inputs"].get("context"), _text(row["inputs"].get("kubeconfig")))
            )
            for row in json.loads(exported)["deployment"]["resources"]
            if row["type"] == "pulumi:providers:kubernetes"
        }


def _text(kubeconfig: dict[str, str] | str | None) -> str | None:
    """The stack's own, which is a secret; anything else is a path on the machine of an earlier run."""
    return json.loads(kubeconfig["plaintext"]) if isinstance(kubeconfig, dict) else None


def _existing(clusters: dict[str, tuple[str, ...]], pending: list[Resource]) -> Iterator[Begun]:
    for row in pending:
        if not row["type"].startswith("kubernetes:"):
            continue
        metadata = row["inputs"]["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace")
        kubectl = Kubectl(clusters[row["provider"]], namespace or "default")
        kind = _kind(row["type"])
        try:
            kubectl.get(kind, name)
        except ProgramError as error:
            if "(NotFound)" not in str(error):
                raise
        else:
            yield Begun(row, kubectl, kind, name, f"{namespace}/{name}" if namespace else name)


def _kind(token: str) -> str:
    """`kubernetes:apps/v1:Deployment` as `Deployment.v1.apps`, `kubernetes:core/v1:Secret` as `Secret`."""
    _, version, kind = token.split(":")
    group, _, version = version.rpartition("/")
    return kind if group == "core" else f"{kind}.{version}.{group}"
