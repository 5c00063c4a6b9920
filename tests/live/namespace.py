"""Pods and namespaces of the lab."""

import json
import shutil
from pathlib import Path
from typing import Any

NAME = "skillflaw"
NAMESPACE = f"--namespace={NAME}"


def make(kubectl, name: str) -> None:
    """A new namespace, in the place of what a killed run left."""
    kubectl("delete", "namespace", name, "--ignore-not-found")
    kubectl("create", "namespace", name)
    # No pod can be made before.
    kubectl("wait", "serviceaccount/default", f"--namespace={name}", "--for=create", "--timeout=30s")


def staying(kubectl, namespace: str, selector: str) -> list[dict[str, Any]]:
    """Pods, without those that leave: they listen no more, and are gone at the next look."""
    listed = kubectl("get", "pods", f"--namespace={namespace}", f"--selector={selector}", "--output=json")
    return [pod for pod in json.loads(listed)["items"] if "deletionTimestamp" not in pod["metadata"]]


def pods(kubectl, part: str) -> dict[str, dict[str, Any]]:
    """Pods of a part by name, those that leave left out."""
    return {pod["metadata"]["name"]: pod for pod in staying(kubectl, NAME, f"app=skillflaw-{part}")}


def discard_volumes(kubectl, namespace: str) -> None:
    """Removes the volumes of a namespace with what they hold: their class keeps both, for whoever claims next."""
    for volume in json.loads(kubectl("get", "persistentvolumes", "--output=json"))["items"]:
        source = volume["spec"].get("hostPath") or volume["spec"].get("local") or {}
        # The provisioner names a folder after the volume, the namespace and the claim.
        folder = Path(source.get("path", ""))
        if folder.name.startswith(f"{volume['metadata']['name']}_{namespace}_"):
            kubectl("delete", "persistentvolume", volume["metadata"]["name"])
            shutil.rmtree(folder)
