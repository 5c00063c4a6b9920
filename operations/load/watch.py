"""What pods and the database take while load is sent: by the metrics API, and from inside a pod of the backend."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.load.measured import Connections, Use
from operations.preflight.quantity import amount
from operations.program import ProgramError
from operations.review.preview import at
from operations.status.asked import Asked, known, time
from operations.status.facts import Known, Unknown
from operations.status.inside_pods import inside

MIB = 2**20
METRICS = "/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods"
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
"""Seconds by what Go writes after a number."""

Object = dict[str, Any]


class Watch:
    """Readings of one step, from its making to its end."""

    def __init__(self, asked: Asked, seconds: float) -> None:
        self._asked = asked.again()
        self._began = datetime.now(UTC)
        self._half = self._began + timedelta(seconds=seconds / 2)
        self._rows: dict[tuple[str, str], Object] = {}
        self._refused: Unknown | None = None
        self._connections: Known[Connections] = Unknown("the step ended before it was asked")
        self._asked_inside = False
        staying = self._asked.staying()
        self._limits = {
            pod["metadata"]["name"]: {key: _limit(pod, key) for key in ("cpu", "memory")} for pod in staying
        }
        self.backend = tuple(
            pod["metadata"]["name"]
            for pod in staying
            if at(pod, "metadata", "labels", "app") == asked.outputs.backend_service
        )

    def look(self) -> None:
        """Reads the metrics API, and once, in the middle of the step, the database's connections."""
        rows = known(_metrics, self._asked)
        if isinstance(rows, Unknown):
            self._refused = rows
        else:
            self._rows |= {(row["metadata"]["name"], row["timestamp"]): row for row in rows}
        if not self._asked_inside and datetime.now(UTC) >= self._half:
            self._asked_inside = True
            self._connections = known(_connections, self._asked)

    def pods(self) -> Known[dict[str, Use]]:
        """Use by pod, of what was measured while the step ran and at no other time."""
        ended = datetime.now(UTC)
        within: dict[str, list[Object]] = {}
        for (name, stamp), row in self._rows.items():
            if time(stamp) - _duration(row["window"]) >= self._began and time(stamp) <= ended:
                within.setdefault(name, []).append(row)
        if not within:
            return self._refused or Unknown(
                "the metrics API measured nothing within the step: make it longer"
            )
        return {name: self._use(name, rows) for name, rows in sorted(within.items())}

    def _use(self, name: str, rows: list[Object]) -> Use:
        limits = self._limits.get(name, {})
        memory = limits.get("memory")
        return Use(
            cores=sum(_sum(row, "cpu") for row in rows) / len(rows),
            mib=max(_sum(row, "memory") for row in rows) / MIB,
            cores_limit=limits.get("cpu"),
            mib_limit=None if memory is None else memory / MIB,
        )

    def connections(self) -> Known[Connections]:
        """Connections in the middle of the step."""
        return self._connections


def _metrics(asked: Asked) -> list[Object]:
    path = METRICS.format(asked.kubectl.namespace)
    found: list[Object] = json.loads(asked.kubectl.run("get", f"--raw={path}"))["items"]
    return found


def _connections(asked: Asked) -> Connections:
    said = inside(asked)
    if said.connections is None or not said.max_connections:
        raise ProgramError(said.errors.get("database", "no answer"))
    return Connections(used=said.connections, most=said.max_connections - said.reserved)


def _sum(row: Object, key: str) -> float:
    return float(sum(amount(container["usage"][key]) for container in row["containers"]))


def _duration(text: str) -> timedelta:
    """A duration as Go writes it, such as `1m2.5s`."""
    parts = re.findall(r"([\d.]+)([a-zµ]+)", text)
    return timedelta(seconds=sum(float(number) * UNITS[unit] for number, unit in parts))


def _limit(pod: Object, key: str) -> float | None:
    """A limit of all containers of a pod that go on, or None where one of them has none."""
    limits = [at(container, "resources", "limits", key) for container in pod["spec"]["containers"]]
    return float(sum(map(amount, limits))) if all(limits) else None
