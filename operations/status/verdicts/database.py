"""The database: whether it takes writes, who else has them, and how many connections are left."""

from operations.status.facts import Inside, Known, Operator, Replication, Unknown, Workload
from operations.status.verdicts.verdict import Judged, Verdict

USED_LOOK, USED_BROKEN = 75, 90
"""How many of the connections may be in use, in percent."""
LAG_LOOK_BYTES, LAG_LOOK_SECONDS = 64 << 20, 30
"""How far a standby may be behind; four segments of write-ahead log."""


def database(mode: str, inside: Inside) -> Judged:
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


def replication(it: Replication) -> Judged:
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


def operator(it: Operator) -> Judged:
    nodes = sorted(set(it.nodes))
    if not nodes:
        return Verdict.LOOK, "CloudNativePG: no pod of it is ready, and nobody promotes a standby"
    says = f"CloudNativePG {', '.join(it.versions)}, {len(it.nodes)} pods on {', '.join(nodes)}"
    if len(nodes) == 1:
        return Verdict.LOOK, f"{says}: with that node goes whoever promotes a standby"
    return Verdict.WELL, says


def connections(inside: Inside, backend: Known[Workload] | None) -> Judged:
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
