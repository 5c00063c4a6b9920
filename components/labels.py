"""Labels: the vocabulary that ties objects together."""

from collections.abc import Mapping
from typing import cast

import pulumi
import pulumi_kubernetes as k8s

from . import names

SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""For objects whose readiness another object already shows.

A Service waits for ready pods, which wait for a bootstrap that may take ten minutes: the Deployment
is awaited with budgets that fit, the Service would give up first. A claim of a WaitForFirstConsumer
class is bound only when a pod asks for it, and the pod comes after the claim.
"""


def selector(component: str) -> dict[str, str]:
    """The frozen pair that selects a component's pods.

    A change here replaces every Deployment and StatefulSet, so nothing else ever enters a selector.
    """
    return {"app.kubernetes.io/name": "skillflaw", "app.kubernetes.io/component": component}


def all_labels(component: str) -> dict[str, str]:
    """Labels of every object of a component; `app` is the guide's, for those who look for it."""
    return {
        **selector(component),
        "app": names.prefixed(component),
        "app.kubernetes.io/part-of": "skillflaw",
        "app.kubernetes.io/managed-by": "pulumi",
    }


def metadata(
    component: str,
    namespace: pulumi.Input[str] | None = None,
    *,
    name: str | None = None,
    more_labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, pulumi.Input[str]] | None = None,
) -> k8s.meta.v1.ObjectMetaArgs:
    """Metadata of an object; without a name the provider invents one per content."""
    return k8s.meta.v1.ObjectMetaArgs(
        name=name,
        namespace=namespace,
        labels={**(more_labels or {}), **all_labels(component)},
        # The server drops an empty map of a custom resource, and every later run would add it again.
        annotations=annotations or None,
    )


def common_labels(common: Mapping[str, str]) -> pulumi.ResourceTransformation:
    """A transformation that labels every Kubernetes object; the program's own labels stay as they are."""

    def add(args: pulumi.ResourceTransformationArgs) -> None:
        metadata = args.props.get("metadata")
        if common and isinstance(metadata, k8s.meta.v1.ObjectMetaArgs):
            metadata.labels = {**common, **cast(dict[str, str], metadata.labels or {})}

    return add
