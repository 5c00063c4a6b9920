"""What every component has in common."""

import pulumi
import pulumi_kubernetes as k8s

from components import labels


class Component(pulumi.ComponentResource):
    """A component whose children are named after it and parented to it."""

    def child(self, **options: object) -> pulumi.ResourceOptions:
        """Options of a child resource.

        Fresh, never merged from the component's own: merging would copy aliases, imports and
        dependencies of the component onto each child.
        """
        return pulumi.ResourceOptions(parent=self, **options)

    def service_account(
        self, name: str, namespace: pulumi.Input[str], part: str
    ) -> k8s.core.v1.ServiceAccount:
        """An account of the component's own, without permissions and without a mounted token."""
        return k8s.core.v1.ServiceAccount(
            f"{name}-account",
            metadata=labels.metadata(part, namespace, name=f"skillflaw-{part}"),
            automount_service_account_token=False,
            opts=self.child(),
        )
