"""What stops `pulumi destroy` before it touches anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import pulumi

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ProtectionArgs:
    """What is protected."""

    everything: Sequence[pulumi.Resource]
    """All that must not be deleted by accident."""
    enabled: bool = True
    """Whether a destroy is refused."""


class Protection(pulumi.ComponentResource):
    """Holds nothing and depends on everything, so it is what a destroy must delete first.

    Protected resources alone do not stop a destroy without a preview in time: the engine deletes in order of
    dependence, and pods, routes and Jobs are gone before it comes to the database that it may not delete.
    """

    def __init__(self, name: str, args: ProtectionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        own = pulumi.ResourceOptions(protect=args.enabled, depends_on=list(args.everything))
        super().__init__("skillflaw:app:Protection", name, None, pulumi.ResourceOptions.merge(opts, own))
        self.register_outputs({"enabled": args.enabled})

    def once_complete(self, value: T) -> pulumi.Output[T]:
        """The value, known only after everything was declared and made: a run that fails before that exports nothing."""
        return self.urn.apply(lambda _: value)
