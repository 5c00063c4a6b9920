"""Release of a component's objects: the next `pulumi up` that no longer declares them leaves them in the cluster."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from operations.program import ProgramError, output_of

Resource = dict[str, Any]

COMPONENTS = ("storage", "database", "superuser", "backup")
"""Names of the components whose place something else can take."""
STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Released:
    """An object that stays in the cluster."""

    kind: str
    name: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def deletion(self) -> str:
        """The command that deletes it for good."""
        return f"kubectl --namespace={self.namespace} delete {self.kind.lower()} {self.name}"


def release(stack: str, components: Sequence[str]) -> list[Released]:
    """Marks the objects of components in the stack's state; nothing is touched in the cluster.

    A marked object is not protected and is retained when it is deleted from the state. An `up` with an unchanged
    stack file takes the marks back.

    Raises:
        ProgramError: the stack has no such component, or was killed in the middle of an `up`; or pulumi says no.
    """
    exported = json.loads(output_of("pulumi", "stack", "export", f"--stack={stack}", "--non-interactive"))
    state = exported["deployment"]
    rows: list[Resource] = state.get("resources") or []
    if state.get("pending_operations"):
        raise ProgramError(f"an `up` was killed: run `python -m operations recover --stack {stack}` first")
    marked = []
    for component in components:
        if component not in COMPONENTS:
            raise ProgramError(f"{component} cannot be released; {', '.join(COMPONENTS)} can")
        parts = _parts(rows, component)
        if not parts:
            raise ProgramError(f"the stack has no {component} of its own: there is nothing to release")
        marked += parts
    for row in marked:
        row.pop("protect", None)
        row["retainOnDelete"] = True
    [root] = [row for row in rows if row["type"] == STACK]
    outputs = root.setdefault("outputs", {})
    outputs["released"] = sorted({*outputs.get("released", ()), *components})
    output_of(
        "pulumi", "stack", "import", f"--stack={stack}", "--non-interactive", stdin=json.dumps(exported)
    )
    return [
        Released(row["inputs"]["kind"], metadata["name"], metadata["namespace"])
        for row in marked
        if row["type"].startswith("kubernetes:")
        for metadata in [row["outputs"]["metadata"]]
    ]


def _parts(rows: Sequence[Resource], component: str) -> list[Resource]:
    """The resources below a component, at any depth; what waits for its deletion is none of them."""
    inside = {
        row["urn"]
        for row in rows
        if row["type"].startswith("skillflaw:app:") and row["urn"].endswith(f"::{component}")
    }
    parts = []
    # A parent stands before its children in every state.
    for row in rows:
        if row.get("parent") in inside and not row.get("delete"):
            inside.add(row["urn"])
            # What begins by itself is not left behind.
            if not row["type"].endswith(":CronJob"):
                parts.append(row)
    return parts
