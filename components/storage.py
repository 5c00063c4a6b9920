"""The volume behind SKILLFLAW_CONFIG_DIR."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import labels
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
            claim = k8s.core.v1.PersistentVolumeClaim(
                f"{name}-claim",
                metadata=labels.metadata(
                    "backend", args.namespace, name="skillflaw-backend-data", annotations=labels.SKIP_AWAIT
                ),
                spec=k8s.core.v1.PersistentVolumeClaimSpecArgs(
                    access_modes=[args.access_mode],
                    storage_class_name=args.class_name,
                    resources=k8s.core.v1.VolumeResourceRequirementsArgs(requests={"storage": args.size}),
                ),
                opts=self.child(protect=args.protect, retain_on_delete=args.protect),
            )
            self.claim_name = claim.metadata.name
        self.register_outputs({"claimName": self.claim_name})
