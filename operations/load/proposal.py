"""A fragment of a stack file that a measurement speaks for, and what held the last step back."""

import math
from typing import Any

import msgspec

from operations.load.measured import Load, Step, Use
from operations.status.facts import Unknown

HELD_BACK = 0.8
"""Share of what a part may use from which on it is what the others wait for."""
PROCESS_CORES = 1.0
"""What a pod of the backend can use: one process, one event loop."""
CPU_PERCENT = 80
"""Target of an autoscaler, in percent of the request."""
MOST_REPLICAS = 100
"""The most that a stack file may ask for."""
ROOM = 1.5
"""Limit of memory over the most that was seen: another flow loads other things."""
REST, LEAST_POOL = 14, 2
"""Connections for all but replicas; the fewest of a process."""

Object = dict[str, Any]


def fragment(load: Load) -> str | None:
    """A fragment of the stack file, as YAML; None where no step kept the goal or the backend's pods were not measured.

    It is for the best step's load with one pod away: requests are what each pod used, limits are never lowered. The pool is
    what was open, as far as the server allows it to twice the pods; where that is not known, nothing is added.
    """
    step = load.best
    if step is None or step.uses is None:
        return None
    pods = len(step.backend)
    # A single pod says nothing of whether its volume and its cache can be shared.
    spare = min(pods + 1, MOST_REPLICAS) if pods > 1 else pods
    most = spare if load.autoscaled_to is None else max(spare, load.autoscaled_to)
    pool = _pool(step, most)
    if load.autoscaled_to is not None:
        scale = {"min": max(pods, 2), "max": most if pool else load.autoscaled_to, "cpuPercent": CPU_PERCENT}
    else:
        scale = {"replicas": spare if pool else pods}
    found: Object = {"skillflaw:backend": {"scale": scale, "resources": _resources(load, step.uses)}}
    if pool:
        found["skillflaw:database"] = pool
    return msgspec.yaml.encode(found).decode()


def _resources(load: Load, uses: list[Use]) -> Object:
    cores = sum(use.cores for use in uses) / len(uses)
    mib = max(each.mib or 0 for each in load.steps)
    # An autoscaler adds a pod when the ones that are there use this share of their requests.
    request = max(50, _up(1000 * cores / (CPU_PERCENT / 100 if load.autoscaled_to else 1), 50))
    memory = max(64, _up(mib, 64))
    now = uses[0]
    return {
        "requests": {"cpu": _cpu(request), "memory": f"{memory}Mi"},
        "limits": {
            "cpu": _cpu(max(request, math.ceil(1000 * (now.cores_limit or PROCESS_CORES)))),
            "memory": f"{max(memory, _up(ROOM * mib, 64), math.ceil(now.mib_limit or 0))}Mi",
        },
    }


def _pool(step: Step, most_pods: int) -> Object | None:
    if isinstance(step.connections, Unknown):
        return None
    # A rollout has twice the pods, and one more that starts.
    fit = (step.connections.most - REST) // (2 * most_pods + 1)
    size = min(max(LEAST_POOL, -(-step.connections.used // len(step.backend))), fit)
    return {"poolSize": size, "maxOverflow": min(size, fit - size)} if fit >= LEAST_POOL else None


def held_back(step: Step) -> list[str]:
    """What a step waited for, by what was measured; in words."""
    found = ["the clients of this measurement, which used a core whole"] if step.sent.busy else []
    pods = {} if isinstance(step.pods, Unknown) else step.pods
    for name, use in pods.items():
        most = _most(use, backend=name in step.backend)
        if most and use.cores >= HELD_BACK * most:
            found.append(f"CPU of {name}: {use.cores:.2f} of {most:g} cores")
    if not isinstance(step.connections, Unknown):
        used, most = step.connections.used, step.connections.most
        if used >= HELD_BACK * most:
            found.append(f"connections of the database: {used} of {most}")
    return found


def _most(use: Use, *, backend: bool) -> float | None:
    if not backend:
        return use.cores_limit
    return min(use.cores_limit or PROCESS_CORES, PROCESS_CORES)


def _up(number: float, to: int) -> int:
    return to * math.ceil(number / to)


def _cpu(thousandths: int) -> str:
    return f"{thousandths}m"
