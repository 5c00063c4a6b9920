"""What runs, and where."""

from datetime import datetime, timedelta

from operations.status.facts import Inside, Node, Pod, Workload
from operations.status.verdicts.verdict import Judged, Verdict, ago

RECENT = timedelta(days=1)
"""How long a restart is worth a look."""


def application(inside: Inside) -> Judged:
    if "version" in inside.errors:
        return Verdict.BROKEN, f"does not answer in its own pod ({inside.errors['version']})"
    return Verdict.WELL, f"answers, version {inside.version}"


def workload(it: Workload, pods: tuple[Pod, ...], nodes: tuple[Node, ...]) -> Judged:
    if it.wanted is None:
        return Verdict.BROKEN, f"{it.kind} {it.name} does not exist"
    if not it.wanted:
        return Verdict.BROKEN, "is stopped: 0 replicas are asked for"
    own = [pod for pod in pods if pod.workload == it.name and pod.ready]
    at = sorted({pod.zone or pod.node or "?" for pod in own})
    says = f"{it.ready}/{it.wanted} ready"
    says += f" in {', '.join(at)}" if at else ""
    images = ", ".join(map(_short, it.images))
    if not it.ready:
        return Verdict.BROKEN, f"{says}; {images}"
    if it.ready < it.wanted:
        return Verdict.LOOK, f"{says}; {images}"
    if it.rolling:
        return Verdict.LOOK, f"{says}, and a rollout has not ended; {images}"
    on = {pod.node for pod in own}
    if len(own) > 1 and len(on) == 1 and sum(node.usable for node in nodes) > 1:
        return Verdict.LOOK, f"{says}, all on {on.pop()}, which takes them along; {images}"
    return Verdict.WELL, f"{says}; {images}"


def pods(pods: tuple[Pod, ...], now: datetime) -> Judged:
    troubled = [f"{pod.name} {pod.trouble}" for pod in pods if pod.trouble]
    again = [
        f"{pod.name} was started again {ago(now - pod.restarted)} ago, {pod.restarts} times in all ({pod.reason})"
        for pod in pods
        if pod.restarted and now - pod.restarted < RECENT and not pod.trouble
    ]
    if troubled or again:
        return Verdict.LOOK, "; ".join([*troubled, *again])
    return Verdict.WELL, f"{len(pods)}, none was started again within a day"


def nodes(nodes: tuple[Node, ...], pods: tuple[Pod, ...]) -> Judged:
    ours = {pod.node for pod in pods}
    away = [node.name for node in nodes if not node.usable and node.name in ours]
    zones = {node.zone for node in nodes if node.zone}
    says = f"{len([node for node in nodes if node.usable])} of {len(nodes)} take pods, {len(zones)} zones"
    if away:
        return Verdict.LOOK, f"{says}; not ready or cordoned, with pods of the stack: {', '.join(away)}"
    return Verdict.WELL, says


def _short(image: str) -> str:
    """An image's name without its registry, and the beginning of its digest."""
    name, _, digest = image.rpartition("/")[2].partition("@")
    return f"{name}@{digest[:19]}" if digest else name
