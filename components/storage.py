"""The volume behind SKILLFLAW_CONFIG_DIR."""

from dataclasses import dataclass

import pulumi

from . import names, workloads
from .component import Component


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """What the backend's data is kept on."""

    namespace: pulumi.Input[str]
    """Namespace of the claim."""
    size: str = "10Gi"
    """Size of the claim, a quantity; can grow, never shrink."""
    class_name: str | None = None
    """StorageClass; None leaves it to the cluster."""
    access_mode: str = "ReadWriteMany"
    """`ReadWriteMany` or `ReadWriteOnce`; of an existing claim, what it allows."""
    existing_claim: str | None = None
    """A claim that exists; then none is made."""
    protect: bool = True
    """Whether the claim refuses to be deleted and outlives the stack."""


class Storage(Component):
    """One claim that all replicas of the backend share, or one that exists already."""

    claim_name: pulumi.Input[str]
    shared: bool
    """Whether pods on several nodes can mount the data at once."""

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Storage", name, None, opts)
        self.shared = args.access_mode == "ReadWriteMany"
        if args.existing_claim:
            self.claim_name = args.existing_claim
        else:
            claim = workloads.claim(
                self,
                f"{name}-claim",
                names.BACKEND,
                args.namespace,
                name=names.BACKEND_CLAIM,
                size=args.size,
                class_name=args.class_name,
                access_mode=args.access_mode,
                protect=args.protect,
            )
            self.claim_name = claim.metadata.name
        self.register_outputs({"claimName": self.claim_name})
