"""What runs in the lab's namespace."""

import json
from typing import Any

NAMESPACE = "--namespace=skillflaw"


def pods(kubectl, part: str) -> dict[str, dict[str, Any]]:
    """Pods of a part by name, those that leave left out."""
    listed = kubectl("get", "pods", NAMESPACE, f"--selector=app=skillflaw-{part}", "--output=json")
    return {
        pod["metadata"]["name"]: pod
        for pod in json.loads(listed)["items"]
        if "deletionTimestamp" not in pod["metadata"]
    }
