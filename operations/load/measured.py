"""What was sent and what it took; in JSON each has the names below in camelCase."""

from datetime import datetime

import msgspec

from operations.status.facts import Fact, Known, Unknown


class Sent(Fact, frozen=True, kw_only=True):
    """Requests of one step, by whoever sent them."""

    seconds: float
    """Time from the first request to the last answer."""
    requests: int
    failed: int
    """Those among them that were refused, cut or not answered."""
    reasons: tuple[str, ...] = ()
    """The most frequent failures."""
    p50: float | None
    """Median time of a request, in seconds; None where none ended."""
    p95: float | None
    """Time that 95 of 100 requests stayed below, in seconds."""
    busy: bool = False
    """Whether the clients' own processor was what they waited for."""

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return (self.requests - self.failed) / self.seconds if self.seconds > 0 else 0.0


class Use(Fact, frozen=True, kw_only=True):
    """What a pod used during a step, as the metrics API says."""

    cores: float
    """Mean use of CPU."""
    mib: float
    """Most memory (working set), in MiB."""
    cores_limit: float | None = None
    mib_limit: float | None = None
    """Limits of its containers together; None where one of them has none."""


class Connections(Fact, frozen=True, kw_only=True):
    """Connections to the database's server."""

    used: int
    """All of them, of every client."""
    most: int
    """Connections that the server lets everybody but superusers have."""


class Step(Fact, frozen=True, kw_only=True):
    """A number of clients, and what it took to serve them."""

    users: int
    """Clients, each of which has one request under way at any time."""
    sent: Sent
    backend: tuple[str, ...]
    """Pods of the backend."""
    pods: Known[dict[str, Use]]
    """Use by pod, of the whole namespace."""
    connections: Known[Connections]

    @property
    def cores(self) -> float | None:
        """Mean CPU of all pods of the backend."""
        return None if (own := self.uses) is None else sum(use.cores for use in own)

    @property
    def mib(self) -> float | None:
        """Most memory of any pod of the backend, in MiB."""
        return None if (own := self.uses) is None else max(use.mib for use in own)

    @property
    def milliseconds(self) -> float | None:
        """CPU of the backend for each request, in thousandths of a core's second."""
        return None if self.cores is None or not self.sent.rate else 1000 * self.cores / self.sent.rate

    @property
    def uses(self) -> list[Use] | None:
        """Use of each pod of the backend; None unless all of them were measured."""
        if isinstance(self.pods, Unknown) or not set(self.backend) <= self.pods.keys() or not self.backend:
            return None
        return [self.pods[name] for name in self.backend]


class Goal(Fact, frozen=True, kw_only=True):
    """What a step must keep."""

    p95_seconds: float
    failed_percent: float

    def broken_by(self, sent: Sent) -> str | None:
        """What a step did not keep, in words."""
        if sent.p95 is None:
            return "no request ended"
        failed = 100 * sent.failed / sent.requests
        if not failed <= self.failed_percent:
            return f"{failed:.1f} % failed, not at most {self.failed_percent:g} %"
        if not sent.p95 <= self.p95_seconds:
            return f"p95 {sent.p95:.2f} s, not at most {self.p95_seconds:g} s"
        return None


class Load(Fact, frozen=True, kw_only=True):
    """A whole measurement."""

    stack: str
    host: str
    flow: str
    at: datetime
    goal: Goal
    autoscaled_to: int | None
    """The most pods of the backend's autoscaler; None where their number is fixed."""
    steps: tuple[Step, ...]
    ended: str
    """Why no further step followed, in words."""

    @property
    def best(self) -> Step | None:
        """The step with the most good answers per second among those that kept the goal."""
        kept = [step for step in self.steps if self.goal.broken_by(step.sent) is None]
        return max(kept, key=lambda step: step.sent.rate, default=None)


def as_json(load: Load, **more: object) -> str:
    """The document of `--json`: the measurement, and more."""
    document = msgspec.to_builtins(load) | more
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
