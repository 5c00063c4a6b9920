"""A verdict on each fact: what is well, what is worth a look, what is broken.

Broken is what somebody notices now (nobody is served, a certificate has ended) or what a loss would find missing (a
backup, a key). Worth a look is what may become that, and every fact that could not be had.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from operations.backup import BACKEND
from operations.status.facts import Alert, Certificate, Inside, Key, Known, Status, Unknown, Volume
from operations.status.verdicts import copies, database, pods
from operations.status.verdicts.verdict import Judged, Verdict, ago, days

FULL_LOOK, FULL_BROKEN = 80, 95
"""How full a file system may be, in percent."""
RENEWED = timedelta(days=21)
"""How long before its end a certificate should have been renewed; a short one in the last quarter of its life."""

T = TypeVar("T")


class Line(Struct, frozen=True):
    """A fact in words, and how it is."""

    name: str
    verdict: Verdict
    says: str


def worst(lines: list[Line]) -> Verdict:
    """The worst verdict of some lines."""
    return max((line.verdict for line in lines), key=list(Verdict).index, default=Verdict.WELL)


def judge(status: Status) -> list[Line]:
    """A line for each fact, in the order in which a person reads them."""
    return list(_lines(status))


def _lines(it: Status) -> Iterator[Line]:
    own_pods = () if isinstance(it.pods, Unknown) else it.pods
    nodes = () if isinstance(it.nodes, Unknown) else it.nodes
    yield _line("application", it.inside, pods.application)
    for name, workload in it.workloads.items():
        yield _line(name, workload, lambda known: pods.workload(known, own_pods, nodes))
    yield _line("pods", it.pods, lambda known: pods.pods(known, it.at))
    yield _line("nodes", it.nodes, lambda known: pods.nodes(known, own_pods))
    yield _line("database", it.inside, lambda known: database.database(it.database, known))
    if it.replication:
        yield _line("standbys", it.replication, database.replication)
    if it.operator:
        yield _line("operator", it.operator, database.operator)
    yield _line(
        "connections", it.inside, lambda known: database.connections(known, it.workloads.get(BACKEND))
    )
    yield _line("secret key", it.inside, lambda known: _key(it.key, known))
    if it.archive:
        yield _line("archive", it.archive, lambda known: copies.archive(known, it.at))
    if it.backup:
        yield _line("backup", it.backup, lambda known: copies.backup(known, it))
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


def _key(key: Key, inside: Inside) -> Judged:
    says = key.reference or "not known until an `up` ends"
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


def _certificate(it: Certificate, now: datetime) -> Judged:
    trouble = f"; {it.trouble}" if it.trouble else ""
    if it.begins is None or it.ends is None:
        return Verdict.BROKEN, f"{it.host}: none in {it.held_in}{trouble}"
    left = it.ends - now
    says = f"{it.host}: {days(left)} left, {it.held_in}{trouble}"
    if left <= timedelta():
        return Verdict.BROKEN, f"{it.host}: ended {ago(-left)} ago, {it.held_in}{trouble}"
    if trouble or left < min(RENEWED, (it.ends - it.begins) / 4):
        return Verdict.LOOK, says
    return Verdict.WELL, says


def _volume(it: Volume) -> Judged:
    says = f"{it.percent} % full, {it.free_kib >> 10} MiB left"
    if it.percent >= FULL_BROKEN:
        return Verdict.BROKEN, says
    return (Verdict.LOOK if it.percent >= FULL_LOOK else Verdict.WELL), says


def _alerts(alerts: tuple[Alert, ...], now: datetime) -> Judged:
    says = "; ".join(f"{each.name} for {ago(now - each.since)}: {each.summary}" for each in alerts)
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
