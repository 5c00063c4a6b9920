"""The checks, in the order in which they are shown, and a run of all of them."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from operations import planned
from operations.kubectl import Kubectl
from operations.preflight import (
    archive,
    budget,
    dns,
    edge,
    images,
    kinds,
    namespace,
    operator,
    peers,
    prometheus,
    references,
    server,
    volumes,
)
from operations.preflight.found import Found
from operations.preflight.problem import Check, Outcome
from operations.preflight.wanted import Wanted
from operations.program import ProgramError

CHECKS: tuple[Check, ...] = (
    server.new_enough,
    kinds.known,
    kinds.permitted,
    namespace.usable,
    namespace.free,
    references.secrets,
    references.config_maps,
    references.classes,
    volumes.claims,
    volumes.classes,
    edge.ingress_classes,
    edge.gateways,
    edge.certificates,
    dns.reachable,
    peers.answered,
    operator.ready,
    operator.api_server,
    archive.ready,
    prometheus.selected,
    kinds.metrics,
    budget.limits,
    budget.quotas,
    images.listed,
)
AT_ONCE = 8
"""Each kubectl waits for the API server most of its time."""


@dataclass(frozen=True)
class Preflight:
    """What a stack would have, and the cluster that it would have it in."""

    where: str
    """The context and the API server's version."""
    wanted: Wanted
    found: Found

    def run(self) -> list[Outcome | ProgramError]:
        """What each check says; an error is what it could not look at."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(self._one, CHECKS))

    def _one(self, check: Check) -> Outcome | ProgramError:
        try:
            return check(self.wanted, self.found)
        except ProgramError as error:
            return error


@contextlib.contextmanager
def prepare(stack: str) -> Iterator[Preflight]:
    """The preview of a stack and its cluster, while the block runs.

    Raises:
        ProgramError: the cluster does not answer, or the preview fails.
    """
    with planned.cluster_of(stack) as options:
        # First the cluster: a preview that cannot reach it says so later, and at length.
        where = server.context(Kubectl(options, "default"))
        wanted = wanted_by(stack)
        yield Preflight(where, wanted, Found(Kubectl(options, wanted.namespace)))


def wanted_by(stack: str) -> Wanted:
    """What a stack would have.

    Raises:
        ProgramError: the preview fails.
    """
    return Wanted(planned.steps(stack))
