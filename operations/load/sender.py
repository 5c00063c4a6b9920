"""Clients that send load for a while: locust, as a program of its own."""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import msgspec

from detection.scrub import scrubbed
from operations.load.measured import Sent
from operations.program import ProgramError
from operations.validate import api
from operations.validate.check import CheckError
from operations.wire import Endpoint, resolved

CLIENT = Path(__file__).with_name("client.py")
LAST_SECONDS = 130
"""How long requests under way have when a step ends; a client gives up after 120."""
EVERY_SECONDS = 5.0
"""How often whoever watches is called."""


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who sends what, and whither."""

    origin: str
    flow: str
    key: str = field(repr=False)
    address: str | None = None
    """Address that the host leads to, instead of what DNS says."""
    ca_file: Path | None = None
    """The only authority trusted, instead of the system's."""

    def check(self) -> None:
        """Runs the flow once, as a client that goes on only when it answers with a text.

        Raises:
            ProgramError: it does not.
        """
        at = Endpoint(self.origin, ssl.create_default_context(cafile=self.ca_file))
        with resolved({at.host}, self.address):
            try:
                api.runs_flow(at, self.key, self.flow)
            except (CheckError, httpx2.HTTPError) as error:
                raise ProgramError(
                    self._concealed(f"the flow does not run through {self.origin}: {error}")
                ) from None

    def send(self, users: int, seconds: int, requests: int, watch: Callable[[], None]) -> Sent:
        """Load of so many clients at a time, of at most so many seconds and requests; `watch` is called meanwhile.

        Raises:
            ProgramError: locust ended without a result.
        """
        given = {
            "flow": self.flow,
            "requests": requests,
            "address": self.address,
            "caFile": str(self.ca_file.absolute()) if self.ca_file else None,
        }
        command = (
            *(sys.executable, "-m", "locust", f"--locustfile={CLIENT}", f"--host={self.origin}"),
            *("--headless", "--only-summary", "--exit-code-on-error=0", f"--run-time={seconds}s"),
            *(f"--users={users}", f"--spawn-rate={users}", f"--stop-timeout={LAST_SECONDS}"),
        )
        own = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        # An empty home: options of the operator's own would change what is sent.
        with tempfile.TemporaryDirectory() as home, (Path(home) / "log").open("w+") as log:
            given_as = {"HOME": home, "LOAD": json.dumps(given), "SKILLFLAW_API_KEY": self.key}
            process = subprocess.Popen(
                command,
                cwd=home,
                env=own | given_as,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # A Ctrl-C of the terminal is for whoever waits, who then ends this one.
                start_new_session=True,
            )
            try:
                said = _watched(process, seconds + LAST_SECONDS, watch)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.communicate()
            log.seek(0)
            return self._result(said, log.read())

    def _result(self, said: str, log: str) -> Sent:
        last = said.strip().rpartition("\n")[2]
        try:
            sent = msgspec.json.decode(last, type=Sent)
        except msgspec.MsgspecError:
            words = " ".join(log.strip().splitlines()[-3:]) or "it said nothing"
            raise ProgramError(f"locust: {self._concealed(words)}") from None
        return msgspec.structs.replace(sent, reasons=tuple(map(self._concealed, sent.reasons)))

    def _concealed(self, text: str) -> str:
        return scrubbed(text.replace(self.key, "•••"))[:300]


def _watched(process: subprocess.Popen[str], seconds: float, watch: Callable[[], None]) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return process.communicate(timeout=EVERY_SECONDS)[0]
        except subprocess.TimeoutExpired:
            watch()
    raise ProgramError(f"locust: no end within {seconds:g} s")
