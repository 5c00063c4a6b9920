"""What is asked by executing a program in a pod: the application from inside, and how full volumes are."""

from pathlib import Path

import msgspec

from operations.program import ProgramError
from operations.review.preview import at
from operations.status.asked import Asked, containers, holds, known
from operations.status.facts import Inside, Key, Unknown, Volume

INSIDE = Path(__file__).with_name("inside.py")
BACKEND = "backend"
"""Name of the container that serves."""
ROTATION = "exchange"
"""Name of the init container that encrypts again."""


def inside(asked: Asked) -> Inside:
    """What a pod of the backend says, a ready one if there is any."""
    serving = [
        each
        for each in asked.staying()
        if at(each, "metadata", "labels", "app") == asked.outputs.backend_service
        and any(row["name"] == BACKEND and "running" in row["state"] for row in containers(each))
    ]
    # A ready one first; one that is not ready may know why.
    for pod in sorted(serving, key=lambda each: not holds(each, "Ready")):
        said = asked.run_in(pod["metadata"]["name"], BACKEND, "python3", "-c", INSIDE.read_text())
        return msgspec.json.decode(said, type=Inside)
    raise ProgramError("no pod of the backend runs")


def key(asked: Asked) -> Key:
    """The key by the outputs, and the pods that encrypt again."""
    outputs = asked.outputs
    pods = known(asked.living)
    rotating = (
        pod["metadata"]["name"]
        for pod in (() if isinstance(pods, Unknown) else pods)
        for row in containers(pod)
        if row["name"] == ROTATION and "running" in row["state"]
    )
    return Key(
        reference=outputs.secret_key,
        rotations=outputs.key_rotations or 0,
        rotating=tuple(rotating),
    )


def mounted(asked: Asked) -> dict[str, tuple[str, str, str]]:
    """Pod, container and path by claim, for claims that a running pod mounts."""
    pods = known(asked.staying)
    mounted: dict[str, tuple[str, str, str]] = {}
    for pod in () if isinstance(pods, Unknown) else pods:
        claims = {
            volume["name"]: claim
            for volume in pod["spec"].get("volumes", ())
            if (claim := at(volume, "persistentVolumeClaim", "claimName"))
        }
        running = {row["name"] for row in containers(pod) if "running" in row["state"]}
        for container in pod["spec"]["containers"]:
            for mount in container.get("volumeMounts", ()) if container["name"] in running else ():
                if claim := claims.get(mount["name"]):
                    where = pod["metadata"]["name"], container["name"], mount["mountPath"]
                    mounted.setdefault(claim, where)
    return dict(sorted(mounted.items()))


def volume(asked: Asked, claim: str, pod: str, container: str, path: str) -> Volume:
    """A claim's file system, where a container mounts it."""
    # 1024-blocks, used, available, capacity, where; the first column may hold anything.
    _, used, free, _, _ = (
        asked.run_in(pod, container, "df", "-Pk", path).strip().splitlines()[-1].split()[-5:]
    )
    taken, left = int(used), int(free)
    return Volume(claim=claim, percent=-(-100 * taken // max(taken + left, 1)), free_kib=left)
