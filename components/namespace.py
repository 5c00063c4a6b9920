"""The namespace that holds everything."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names
from .component import Component

POD_SECURITY_VERSION = "v1.36"
"""Pinned: an upgrade of the cluster must not start to refuse pods of a running stack."""


@dataclass(frozen=True, kw_only=True)
class NamespaceArgs:
    """The namespace, and who makes it."""

    name: str = names.NAMESPACE
    """Its name."""
    owner: str | None = None
    """The stack that it belongs to, `ORGANIZATION/PROJECT/STACK`; the API server refuses a second one. Left out: no mark."""
    create: bool = True
    """Whether the stack makes it, or finds it."""
    protect: bool = True
    """Whether it refuses to be deleted and outlives the stack."""


class Namespace(Component):
    """A namespace that refuses pods below Pod Security `restricted`, or one that exists already."""

    name: pulumi.Input[str]
    """Its name; whoever takes it from here waits until the namespace exists."""

    def __init__(self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Namespace", name, None, opts)
        if args.create:
            levels = ("enforce", "audit", "warn")
            namespace = k8s.core.v1.Namespace(
                name,
                metadata=k8s.meta.v1.ObjectMetaArgs(
                    name=args.name,
                    # Each stack writes as a field manager of its own, and another value of its is a conflict.
                    annotations={names.OWNER: args.owner} if args.owner else None,
                    labels={
                        "app.kubernetes.io/part-of": "skillflaw",
                        "app.kubernetes.io/managed-by": "pulumi",
                        **{f"pod-security.kubernetes.io/{level}": "restricted" for level in levels},
                        **{
                            f"pod-security.kubernetes.io/{level}-version": POD_SECURITY_VERSION
                            for level in levels
                        },
                    },
                ),
                # Deleting a namespace deletes every claim and Secret in it, retained ones too.
                opts=self.child(protect=args.protect, retain_on_delete=args.protect),
            )
            self.name = namespace.metadata.name
        elif args.owner:
            owner = k8s.core.v1.ConfigMap(
                f"{name}-owner",
                metadata=labels.metadata(
                    "namespace", args.name, name=names.OWNER_CONFIG, annotations={names.OWNER: args.owner}
                ),
                data={"stack": args.owner},
                opts=self.child(),
            )
            self.name = owner.metadata.namespace
        else:
            self.name = args.name
        self.register_outputs({"name": self.name})
