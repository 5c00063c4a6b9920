"""A stack whose database CloudNativePG runs, and a writer that knows which of its rows the server has acknowledged."""

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

from lab.errors import LabError
from lab.layout import REAL
from lab.process import wait_for
from operations.wire import Endpoint, resolved
from tests.engine.stack import Stack
from tests.live.alone import alone
from tests.live.namespace import staying

NAME = "operated"
"""The stack, and its namespace."""
HOST = "operated.skillflaw.test"
TRAEFIK = "traefik.ingress.kubernetes.io"
INSTANCE = "cnpg.io/cluster=database,cnpg.io/podRole=instance"
SECTIONS = {
    "namespace": {"name": NAME},
    "surfaces": {
        "api": {
            "host": HOST,
            "annotations": {f"{TRAEFIK}/router.middlewares": "again@file"},
            "serviceAnnotations": {f"{TRAEFIK}/service.serverstransport": "quick@file"},
        }
    },
    "database": {
        "cloudNativePg": {
            "major": 15,
            "size": "1Gi",
            "className": "local",
            "uid": 10001,
            "gid": 10001,
            "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        }
    },
    "network.apiServer": [{"cidr": f"{REAL.machine}/32", "ports": [6443]}],
    "backup": {},
}
"""Edits of the lab's stack file: an API whose edge asks another pod when one does not answer, and two instances."""

SCRIPT = """
import json, os, sys, time
import psycopg

url, number, connection = os.environ["SKILLFLAW_DATABASE_URL"], 0, None
# A wait of the client's own: to cancel a commit on the server is to have it without a standby.
hasty = dict(connect_timeout=2, tcp_user_timeout=2000, keepalives_idle=1, keepalives_interval=1, keepalives_count=2)
with psycopg.connect(url, autocommit=True) as first:
    # In a schema of its own: the application does not start next to a table that it does not know.
    first.execute("CREATE SCHEMA IF NOT EXISTS drill")
    first.execute("CREATE TABLE IF NOT EXISTS drill.written (number bigint)")
    first.execute("TRUNCATE drill.written")
while True:
    number += 1
    try:
        if connection is None:
            connection = psycopg.connect(url, autocommit=True, **hasty)
        connection.execute("INSERT INTO drill.written VALUES (%s)", (number,))
        said = ""
    except psycopg.Error as error:
        said = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        if connection is not None:
            connection.close()
        connection = None
    print(json.dumps([number, time.time(), said]), flush=True)
    time.sleep(0.05)
"""


@dataclass(frozen=True)
class Tried:
    """One row: its number, when the answer came (seconds since the epoch), and why it was no acknowledgement."""

    number: int
    at: float
    failure: str


class Writer:
    """While the block runs, writes row after row from a pod of the backend, as the application would."""

    def __init__(self, kubectl: list[str], pod: str) -> None:
        self._command = [
            *kubectl, "exec", "--stdin", pod, f"--namespace={NAME}", "--container=backend", "--",
            "python3", "-u", "-",
        ]  # fmt: skip
        self.tried: list[Tried] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._process.stdin.write(SCRIPT)
        self._process.stdin.close()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        wait_for(lambda: len(self.acknowledged) > 20, 30, "rows written", alive=self._thread.is_alive)
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._thread.join()
        self._process.wait()

    def _read(self) -> None:
        for line in self._process.stdout:
            number, at, failure = json.loads(line)
            self.tried.append(Tried(number, at, "".join(failure)))

    @property
    def acknowledged(self) -> set[int]:
        return {row.number for row in self.tried if not row.failure}

    @property
    def outage(self) -> float:
        """Longest time between two acknowledgements, in seconds."""
        times = [row.at for row in self.tried if not row.failure]
        return max(after - before for before, after in pairwise(times))

    def goes_on(self, seconds: float = 60) -> None:
        """Returns once rows are written again, after all that was tried so far."""
        known = len(self.tried)
        wait_for(
            lambda: sum(not row.failure for row in self.tried[known:]) >= 20,
            seconds,
            "rows written again",
            alive=self._thread.is_alive,
        )


class Operated:
    """The stack, one of its Clusters and their pods."""

    def __init__(self, stack: Stack, kubectl, command: list[str], cluster: str = "database") -> None:
        self.stack, self.kubectl, self._command, self._cluster = stack, kubectl, command, cluster

    def status(self, field: str) -> str:
        return self.kubectl(
            "get", f"clusters.postgresql.cnpg.io/{self._cluster}", f"--namespace={NAME}",
            f"--output=jsonpath={{.status.{field}}}",
        )  # fmt: skip

    def other(self, cluster: str) -> "Operated":
        """The same stack by another of its Clusters."""
        return Operated(self.stack, self.kubectl, self._command, cluster)

    @property
    def primary(self) -> str:
        return self.status("currentPrimary")

    @property
    def standby(self) -> str:
        """The one of two instances that is not the primary."""
        (name,) = {f"{self._cluster}-1", f"{self._cluster}-2"} - {self.primary}
        return name

    def node_of(self, pod: str) -> str:
        return self.kubectl("get", "pod", pod, f"--namespace={NAME}", "--output=jsonpath={.spec.nodeName}")

    def pod_away_from(self, node: str, component: str = "backend") -> str:
        """A pod of the backend on another node."""
        found = staying(self.kubectl, NAME, f"app=skillflaw-{component}")
        return next(pod["metadata"]["name"] for pod in found if pod["spec"]["nodeName"] != node)

    def writer(self, away_from: str | None = None) -> Writer:
        """A writer on another node than this one, or than the primary's."""
        return Writer(self._command, self.pod_away_from(away_from or self.node_of(self.primary)))

    def psql(self, statement: str) -> str:
        return self.kubectl(
            "exec", self.primary, f"--namespace={NAME}", "--container=postgres", "--",
            "psql", "--dbname=skillflaw", "--tuples-only", "--no-align", f"--command={statement}",
        )  # fmt: skip

    def rows(self) -> set[int]:
        return {int(word) for word in self.psql("SELECT number FROM drill.written").split()}

    def lost(self, writer: Writer) -> set[int]:
        """Rows that the server acknowledged and does not have."""
        return writer.acknowledged - self.rows()

    def whole(self) -> bool:
        """Whether every instance is ready and streams."""
        if self.status("phase") != "Cluster in healthy state" or self.status("readyInstances") != "2":
            return False
        return (
            self.psql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'").strip() == "1"
        )

    def wait_until_whole(self, seconds: float = 180) -> None:
        wait_for(self._is_whole, seconds, "a primary and a standby that streams")

    def _is_whole(self) -> bool:
        try:
            return self.whole()
        except LabError:  # an instance that is on its way answers nothing yet
            return False


@contextmanager
def operated(kubectl, tools, folder: Path) -> Iterator[Operated]:
    """The stack, up; gone with its volumes after the block."""
    with alone(kubectl, folder, NAME, SECTIONS) as stack:
        stack.up()
        yield Operated(stack, kubectl, [str(tools.program("kubectl")), f"--kubeconfig={REAL.kubeconfig}"])
        stack.pulumi("destroy", "--yes", "--skip-preview")


@contextmanager
def api(address: str) -> Iterator[Endpoint]:
    """The stack's API by way of one node."""
    with resolved({HOST}, address):
        yield Endpoint(f"https://{HOST}", ssl.create_default_context(cafile=REAL.pki / "ca.crt"))
