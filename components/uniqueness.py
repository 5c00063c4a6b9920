"""One object per name: what two instances in one namespace would take from each other."""

from typing import cast
from weakref import WeakKeyDictionary

import pulumi
import pulumi_kubernetes as k8s
from pulumi.runtime import get_root_resource

_declared: WeakKeyDictionary[pulumi.Resource, set[tuple[str, str | None, str]]] = WeakKeyDictionary()
"""Type, namespace and name of every object with a fixed name, by the provider that makes it or else by the stack."""


def refuse_second(args: pulumi.ResourceTransformationArgs) -> None:
    """Ends the run when the same provider already makes an object of this kind and name in the same namespace.

    Pulumi itself refuses equal logical names only. A provider before 4.29 would apply the second object over the
    first, and the instance that is deleted first would take it along; a later provider fails halfway.
    """
    metadata = cast(k8s.meta.v1.ObjectMetaArgs | None, args.props.get("metadata"))
    maker = (args.opts.parent and args.opts.parent.get_provider(args.type_)) or get_root_resource()
    if not metadata or not metadata.name or not maker:
        return
    declared = _declared.setdefault(maker, set())

    def check(namespace: str | None, name: str) -> None:
        if (args.type_, namespace, name) in declared:
            raise pulumi.RunError(
                f"namespace {namespace or name!r} would hold two instances of SkillFlaw: "
                f"{args.type_.rsplit(':', 1)[-1]} {name!r} is declared twice. Names of objects are fixed; "
                "give each instance a namespace of its own"
            )
        declared.add((args.type_, namespace, name))

    pulumi.Output.all(metadata.namespace, metadata.name).apply(lambda names: check(*names))
