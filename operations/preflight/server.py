"""The API server: which one, and whether it is new enough."""

import json
import re

from operations.kubectl import Kubectl
from operations.preflight.found import Found
from operations.preflight.problem import Outcome, Problem
from operations.preflight.wanted import Wanted

OLDEST = (1, 30)
"""Older ones refuse `preStop.sleep`, and do not know sidecars (init containers that go on)."""


def context(kubectl: Kubectl) -> str:
    """The context that kubectl uses, and the API server behind it.

    Raises:
        ProgramError: the server does not answer, or no kubeconfig has such a context.
    """
    chosen = json.loads(kubectl.run("config", "view", "--minify", "--output=json"))
    return f"context {chosen['contexts'][0]['name']}, Kubernetes {_version(kubectl)}"


def new_enough(wanted: Wanted, found: Found) -> Outcome:
    version = _version(found.kubectl)
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) >= OLDEST:
        return Outcome(f"Kubernetes {version}")
    needed = ".".join(map(str, OLDEST))
    return Outcome(
        "the version of Kubernetes",
        (Problem(f"Kubernetes {needed} or newer", f"{version}", "upgrade the cluster, or use another one"),),
    )


def _version(kubectl: Kubectl) -> str:
    version: str = json.loads(kubectl.run("version", "--output=json"))["serverVersion"]["gitVersion"]
    return version
