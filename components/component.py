"""What every component has in common."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names
from .uniqueness import refuse_second


class ChildOptions(TypedDict, total=False):
    """Options of a child resource, as `pulumi.ResourceOptions` names them."""

    protect: bool
    retain_on_delete: bool
    depends_on: Sequence[pulumi.Resource]
    ignore_changes: list[str]
    replace_on_changes: list[str]
    delete_before_replace: bool
    custom_timeouts: pulumi.CustomTimeouts


class Component(pulumi.ComponentResource):
    """A component whose children are named after it and parented to it."""

    def child(self, **options: Unpack[ChildOptions]) -> pulumi.ResourceOptions:
        """Options of a child resource.

        Fresh, never merged from the component's own: merging would copy aliases, imports and
        dependencies of the component onto each child.
        """
        return pulumi.ResourceOptions(parent=self, transformations=[refuse_second], **options)

    def part(self) -> pulumi.ResourceOptions:
        """Options of a component inside this one, whose children have their own."""
        return pulumi.ResourceOptions(parent=self)

    def service_account(
        self,
        name: str,
        namespace: pulumi.Input[str],
        component: str,
        *,
        annotations: Mapping[str, pulumi.Input[str]] | None = None,
    ) -> k8s.core.v1.ServiceAccount:
        """An account of the component's own, without permissions and without a mounted token."""
        return k8s.core.v1.ServiceAccount(
            f"{name}-account",
            metadata=labels.metadata(
                component, namespace, name=names.prefixed(component), annotations=annotations
            ),
            automount_service_account_token=False,
            opts=self.child(),
        )
