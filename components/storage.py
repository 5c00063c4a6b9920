"""The volume behind SKILLFLAW_CONFIG_DIR."""

from dataclasses import dataclass

import pulumi

from components import workloads
from components.component import Component


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    namespace: pulumi.Input[str]
    size: str
    class_name: str | None
    access_mode: str
    existing_claim: str | None
    protect: bool


class Storage(Component):
    """One claim that all replicas of the backend share, or one that exists already."""

    claim_name: pulumi.Input[str]

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Storage", name, None, opts)
        if args.existing_claim:
            self.claim_name = args.existing_claim
        else:
            claim = workloads.claim(
                self,
                f"{name}-claim",
                "backend",
                args.namespace,
                name="skillflaw-backend-data",
                size=args.size,
                class_name=args.class_name,
                access_mode=args.access_mode,
                protect=args.protect,
            )
            self.claim_name = claim.metadata.name
        self.register_outputs({"claimName": self.claim_name})
