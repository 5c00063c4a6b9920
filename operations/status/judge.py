"""A verdict on each fact: what is well, what is worth a look, what is broken.

Broken is what somebody notices now (nobody is served, a certificate has ended) or what a loss would find missing (a
backup, a key). Worth a look is what may become that, and every fact that could not be had.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

from operations.backup import BACKEND
from operations.status.facts import (
    Alert,
    Archive,
    Backup,
    Certificate,
    Inside,
    Key,
    Known,
    Node,
    Operator,
    Pod,
    Replication,
    Status,
    Unknown,
    Volume,
    Workload,
)

RECENT = timedelta(days=1)
"""How long a restart is worth a look."""
FULL_LOOK, FULL_BROKEN = 80, 95
"""How full a file system may be, in percent."""
USED_LOOK, USED_BROKEN = 75, 90
"""How many of the connections may be in use, in percent."""
LAG_LOOK_BYTES, LAG_LOOK_SECONDS = 64 << 20, 30
"""How far a standby may be behind; four segments of write-ahead log."""
RENEWED = timedelta(days=21)
"""How long before its end a certificate should have been renewed; a short one in the last quarter of its life."""
DAILY, RARELY = timedelta(days=2), timedelta(days=32)
"""How old the last backup may be, of a schedule that is due every day and of any other one."""


LOG_BROKEN = timedelta(minutes=15)
"""How long the write-ahead log may fail to reach the bucket; a quiet database sends some every five minutes."""


class Verdict(StrEnum):
    """How a fact is."""

    WELL = "well"
    LOOK = "look"
    BROKEN = "broken"


class Line(Struct, frozen=True):
    """A fact in words, and how it is."""

    name: str
    verdict: Verdict
    says: str


Judged = tuple[Verdict, str]
T = TypeVar("T")


def worst(lines: list[Line]) -> Verdict:
    """The worst verdict of some lines."""
    return max((line.verdict for line in lines), key=list(Verdict).index, default=Verdict.WELL)


def judge(status: Status) -> list[Line]:
    """A line for each fact, in the order in which a person reads them."""
    return list(_lines(status))


def _lines(it: Status) -> Iterator[Line]:
    pods = () if isinstance(it.pods, Unknown) else it.pods
    nodes = () if isinstance(it.nodes, Unknown) else it.nodes
    yield _line("application", it.inside, _application)
    for name, workload in it.workloads.items():
        yield _line(name, workload, lambda known: _workload(known, pods, nodes))
    yield _line("pods", it.pods, lambda known: _pods(known, it.at))
    yield _line("nodes", it.nodes, lambda known: _nodes(known, pods))
    yield _line("database", it.inside, lambda known: _database(it.database, known))
    if it.replication:
        yield _line("standbys", it.replication, _replication)
    if it.operator:
        yield _line("operator", it.operator, _operator)
    yield _line("connections", it.inside, lambda known: _connections(known, it.workloads.get(BACKEND)))
    yield _line("secret key", it.inside, lambda known: _key(it.key, known))
    if it.archive:
        yield _line("archive", it.archive, lambda known: _archive(known, it.at))
    if it.backup:
        yield _line("backup", it.backup, lambda known: _backup(known, it))
    else:
        yield Line("backup", Verdict.WELL, "none is asked for (backup.schedule): nothing can be restored")
    for surface, certificate in it.certificates.items():
        yield _line(f"certificate {surface}", certificate, lambda known: _certificate(known, it.at))
    for claim, volume in it.volumes.items():
        yield _line(f"volume {claim}", volume, _volume)
    if it.alerts is not None:
        yield _line("alerts", it.alerts, lambda known: _alerts(known, it.at))
    yield _line("unfinished", it.unfinished, lambda known: _unfinished(known, it.inside, it.stack))
    yield _line("drift", it.drift, lambda known: _drift(known, it.stack))


def _line(name: str, known: Known[T], judged: Callable[[T], Judged]) -> Line:
    if isinstance(known, Unknown):
        return Line(name, Verdict.LOOK, f"could not be asked: {known.why}")
    return Line(name, *judged(known))


def _application(inside: Inside) -> Judged:
    if "version" in inside.errors:
        return Verdict.BROKEN, f"does not answer in its own pod ({inside.errors['version']})"
    return Verdict.WELL, f"answers, version {inside.version}"


def _workload(it: Workload, pods: tuple[Pod, ...], nodes: tuple[Node, ...]) -> Judged:
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


def _short(image: str) -> str:
    """An image's name without its registry, and the beginning of its digest."""
    name, _, digest = image.rpartition("/")[2].partition("@")
    return f"{name}@{digest[:19]}" if digest else name


def _pods(pods: tuple[Pod, ...], now: datetime) -> Judged:
    troubled = [f"{pod.name} {pod.trouble}" for pod in pods if pod.trouble]
    again = [
        f"{pod.name} was started again {_ago(now - pod.restarted)} ago, {pod.restarts} times in all ({pod.reason})"
        for pod in pods
        if pod.restarted and now - pod.restarted < RECENT and not pod.trouble
    ]
    if troubled or again:
        return Verdict.LOOK, "; ".join([*troubled, *again])
    return Verdict.WELL, f"{len(pods)}, none was started again within a day"


def _nodes(nodes: tuple[Node, ...], pods: tuple[Pod, ...]) -> Judged:
    ours = {pod.node for pod in pods}
    away = [node.name for node in nodes if not node.usable and node.name in ours]
    zones = {node.zone for node in nodes if node.zone}
    says = f"{len([node for node in nodes if node.usable])} of {len(nodes)} take pods, {len(zones)} zones"
    if away:
        return Verdict.LOOK, f"{says}; not ready or cordoned, with pods of the stack: {', '.join(away)}"
    return Verdict.WELL, says


def _database(mode: str, inside: Inside) -> Judged:
    where = {
        "inCluster": "one PostgreSQL in the cluster, without a standby",
        "external": "external; its standbys and backups are its owner's",
        "cloudNativePg": "run by CloudNativePG",
    }.get(mode, mode)
    if "database" in inside.errors:
        return Verdict.BROKEN, f"{where}: the backend cannot ask it ({inside.errors['database']})"
    # Without the words of whoever built it.
    server = (inside.server or "?").split()[0]
    if inside.read_only:
        return Verdict.BROKEN, f"{where}: PostgreSQL {server} takes no writes"
    return Verdict.WELL, f"{where}: PostgreSQL {server} takes writes"


def _replication(it: Replication) -> Judged:
    if not it.primary:
        return Verdict.BROKEN, f"no primary; {it.phase}"
    says = f"primary {it.primary}"
    if isinstance(it.standbys, Unknown):
        return Verdict.LOOK, f"{says}; standbys could not be asked: {it.standbys.why}"
    for standby in it.standbys:
        says += f"; {standby.name} {standby.state} ({standby.sync_state}), {standby.lag_bytes} bytes behind"
    behind = [
        standby
        for standby in it.standbys
        if standby.state != "streaming"
        or standby.lag_bytes > LAG_LOOK_BYTES
        or standby.lag_seconds > LAG_LOOK_SECONDS
    ]
    if behind or len(it.standbys) < it.instances - 1 or not it.healthy:
        return Verdict.LOOK, f"{says}; {len(it.standbys)} of {it.instances - 1} standbys; {it.phase}"
    return Verdict.WELL, says


def _operator(it: Operator) -> Judged:
    nodes = sorted(set(it.nodes))
    if not nodes:
        return Verdict.LOOK, "CloudNativePG: no pod of it is ready, and nobody promotes a standby"
    says = f"CloudNativePG {', '.join(it.versions)}, {len(it.nodes)} pods on {', '.join(nodes)}"
    if len(nodes) == 1:
        return Verdict.LOOK, f"{says}: with that node goes whoever promotes a standby"
    return Verdict.WELL, says


def _connections(inside: Inside, backend: Known[Workload] | None) -> Judged:
    if inside.connections is None or not inside.max_connections or inside.per_process is None:
        return Verdict.LOOK, f"could not be asked ({inside.errors.get('database', 'no answer')})"
    if not isinstance(backend, Workload) or backend.wanted is None:
        return Verdict.LOOK, f"{inside.connections} in use; how many replicas there are could not be asked"
    most = inside.max_connections - inside.reserved
    pools = backend.wanted * inside.per_process
    says = f"{inside.connections} of {most} in use; the pools may take {pools}, twice that during a rollout"
    used = 100 * inside.connections / most
    if used >= USED_BROKEN:
        return Verdict.BROKEN, says
    if used >= USED_LOOK or 2 * pools > most:
        return Verdict.LOOK, says
    return Verdict.WELL, says


def _key(key: Key, inside: Inside) -> Judged:
    says = f"generation {key.generation}" if key.generation else "one of your own"
    says += f", rotated {key.rotations} times" if key.rotations else ""
    if key.rotating:
        return Verdict.LOOK, f"{says}; {', '.join(key.rotating)} encrypts everything again"
    if "key" in inside.errors:
        return Verdict.LOOK, f"{says}; the pod could not be asked ({inside.errors['key']})"
    says += f"; fingerprint {inside.mounted}"
    made = {"volume": inside.on_volume, "database": inside.in_database}
    other = [
        f"the {place} was made with {one}" for place, one in made.items() if one not in (None, inside.mounted)
    ]
    if other:
        return Verdict.BROKEN, f"{says}, but {' and '.join(other)}"
    if not any(made.values()):
        return Verdict.LOOK, f"{says}; neither volume nor database says which key it was made with"
    silent = [place for place, one in made.items() if one is None]
    return Verdict.WELL, says + (f"; the {silent[0]} does not say its own" if silent else ", as the data's")


def _longest(schedule: str) -> timedelta:
    """How old the last backup of a schedule may be."""
    return DAILY if schedule.split()[2:] == ["*", "*", "*"] else RARELY


def _archive(it: Archive, now: datetime) -> Judged:
    if isinstance(it.log, Unknown):
        return Verdict.LOOK, f"in {it.kept_in}; the primary could not be asked: {it.log.why}"
    archived, failed = it.log.archived, it.log.failed
    failing = bool(failed and (archived is None or failed > archived))
    newest = f"{archived:%Y-%m-%d %H:%M:%S} UTC" if archived else "none"
    says = f"newest point in time {newest}, in {it.kept_in}"
    verdict = Verdict.WELL
    if it.taken is None:
        says = (
            f"no base backup is whole yet in {it.kept_in}, so no moment can be restored: take one as docs/operating.md"
            " says under Point in time"
        )
        verdict = Verdict.BROKEN if it.failed or now - it.since > _longest(it.schedule) else Verdict.LOOK
    else:
        says += f"; oldest {it.first:%Y-%m-%d %H:%M:%S} UTC" if it.first else ""
        says += f"; base backup {_ago(now - it.taken)} ago"
        if now - it.taken > _longest(it.schedule):
            verdict = Verdict.BROKEN
    if it.failed and (it.taken is None or it.failed > it.taken):
        says += f"; the last base backup failed, {_ago(now - it.failed)} ago"
        verdict = max(verdict, Verdict.LOOK, key=list(Verdict).index)
    if failing:
        says += "; the write-ahead log does not reach the bucket"
        since = archived or it.since
        verdict = (
            Verdict.BROKEN
            if now - since > LOG_BROKEN
            else max(verdict, Verdict.LOOK, key=list(Verdict).index)
        )
    return verdict, says


def _backup(it: Backup, status: Status) -> Judged:
    now, stack = status.at, status.stack
    longest = _longest(it.schedule)
    if it.taken is None:
        says = f"none was taken yet: python -m operations backup --stack {stack}"
        verdict = Verdict.BROKEN if it.failed or now - it.since > longest else Verdict.LOOK
    else:
        says = (
            f"{_ago(now - it.taken)} ago, restored once then, in {it.kept_in}; the newest moment to go back to is"
            f" {it.taken:%Y-%m-%d %H:%M} UTC"
            + ("" if status.archive else " (no write-ahead log is archived)")
        )
        verdict = Verdict.BROKEN if it.failed or now - it.taken > longest else Verdict.WELL
    if it.failed:
        says += f"; the last run failed, {_ago(now - it.failed)} ago"
    if it.running:
        says += "; one runs now"
    if it.restoring:
        return Verdict.BROKEN, f"{says}; a restore of {it.restoring} has begun and not ended"
    if it.suspended:
        return max(verdict, Verdict.LOOK, key=list(Verdict).index), f"{says}; the CronJob is suspended"
    return verdict, says


def _certificate(it: Certificate, now: datetime) -> Judged:
    trouble = f"; {it.trouble}" if it.trouble else ""
    if it.begins is None or it.ends is None:
        return Verdict.BROKEN, f"{it.host}: none in {it.held_in}{trouble}"
    left = it.ends - now
    says = f"{it.host}: {_days(left)} left, {it.held_in}{trouble}"
    if left <= timedelta():
        return Verdict.BROKEN, f"{it.host}: ended {_ago(-left)} ago, {it.held_in}{trouble}"
    if trouble or left < min(RENEWED, (it.ends - it.begins) / 4):
        return Verdict.LOOK, says
    return Verdict.WELL, says


def _volume(it: Volume) -> Judged:
    says = f"{it.percent} % full, {it.free_kib >> 10} MiB left"
    if it.percent >= FULL_BROKEN:
        return Verdict.BROKEN, says
    return (Verdict.LOOK if it.percent >= FULL_LOOK else Verdict.WELL), says


def _alerts(alerts: tuple[Alert, ...], now: datetime) -> Judged:
    says = "; ".join(f"{each.name} for {_ago(now - each.since)}: {each.summary}" for each in alerts)
    if any(each.severity == "critical" for each in alerts):
        return Verdict.BROKEN, says
    return (Verdict.LOOK, says) if alerts else (Verdict.WELL, "none fires")


def _unfinished(sentences: tuple[str, ...], inside: Known[Inside], stack: str) -> Judged:
    marker = inside.restoring if isinstance(inside, Inside) else None
    if marker:
        again = f"python -m operations restore --stack {stack} --backup {marker}"
        return Verdict.BROKEN, "; ".join([f"a restore of backup {marker}: {again}", *sentences])
    return (Verdict.LOOK, "; ".join(sentences)) if sentences else (Verdict.WELL, "nothing")


def _drift(sentences: tuple[str, ...], stack: str) -> Judged:
    whole = f"`make drift STACK={stack}` is the whole answer"
    if sentences:
        return Verdict.LOOK, f"{'; '.join(sentences)}; {whole}"
    return Verdict.WELL, f"none at a glance; {whole}"


def _ago(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"


def _days(time: timedelta) -> str:
    return f"{time.days} days" if time.days > 1 else _ago(time)
