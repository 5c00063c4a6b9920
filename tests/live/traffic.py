"""Requests at a steady pace while something happens to the stack, and what became of each."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import httpx2

MOST_SECONDS = 900
"""Longest traffic of any test, in seconds."""

MOST_AT_ONCE = 10
"""Requests of one kind at a time: a backend that is slow for a moment is not buried under what piled up meanwhile."""

MOST_SECONDS_EACH = 90
"""Seconds after which an unanswered request has failed."""

LAST_SECONDS = 5
"""Seconds that requests under way have at the end; streams that take longer are given up, and not counted."""

Ask = Callable[[httpx2.AsyncClient], Awaitable[None]]
"""Asks once; raises when the answer is not what it must be."""


@dataclass(frozen=True)
class Asked:
    kind: str
    begun: float
    """Seconds since the traffic began."""
    seconds: float
    failure: str | None


class Traffic:
    """While the block runs, asks each of `asks` every so many seconds."""

    def __init__(self, client: Callable[[], httpx2.AsyncClient], asks: dict[str, tuple[float, Ask]]) -> None:
        self._client = client
        self._asks = asks
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.asked: list[Asked] = []

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        self._lasted = self.since_start()
        self._thread.join()

    @property
    def failures(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.failure]

    @property
    def story(self) -> str:
        """Outcomes of each kind, for the message of a test that failed."""
        return "\n".join(
            f"{kind}: {number} asked, slowest {max(it.seconds for it in self.asked if it.kind == kind):.1f} s"
            for kind, number in self.count.items()
        ) + "".join(
            f"\n{it.begun:6.1f} s +{it.seconds:.1f} s {it.kind}: {it.failure}" for it in self.failures
        )

    @property
    def count(self) -> Counter[str]:
        return Counter(asked.kind for asked in self.asked)

    @property
    def gaps(self) -> dict[str, float]:
        """Longest time between two good answers of each kind that is asked every second or more often, in seconds."""
        ends = {kind: [0.0] for kind, (every, _) in self._asks.items() if every <= 1}
        for it in self.asked:
            if it.kind in ends and not it.failure:
                ends[it.kind].append(it.begun + it.seconds)
        return {
            kind: max(after - before for before, after in pairwise([*sorted(times), self._lasted]))
            for kind, times in ends.items()
        }

    def last_failure(self, begun: float) -> float:
        """Seconds from a moment after the start to the end of the last request that failed after it; 0 if none did."""
        return max((it.begun + it.seconds - begun for it in self.failures if it.begun >= begun), default=0.0)

    def since_start(self) -> float:
        return time.monotonic() - self._began

    async def _run(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        async with self._client() as client:
            asking = [
                asyncio.create_task(self._keep_asking(client, kind, every, ask, under_way))
                for kind, (every, ask) in self._asks.items()
            ]
            await asyncio.to_thread(self._stop.wait, MOST_SECONDS)
            for task in asking:
                task.cancel()
            if under_way:
                await asyncio.wait(under_way, timeout=LAST_SECONDS)
            for task in under_way:
                task.cancel()
            await asyncio.gather(*asking, *under_way, return_exceptions=True)

    async def _keep_asking(
        self,
        client: httpx2.AsyncClient,
        kind: str,
        every: float,
        ask: Ask,
        under_way: set[asyncio.Task[None]],
    ) -> None:
        places = asyncio.Semaphore(MOST_AT_ONCE)
        while True:
            await places.acquire()
            task = asyncio.create_task(self._ask(client, kind, ask))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            task.add_done_callback(lambda _: places.release())
            await asyncio.sleep(every)

    async def _ask(self, client: httpx2.AsyncClient, kind: str, ask: Ask) -> None:
        begun, failure = self.since_start(), None
        try:
            async with asyncio.timeout(MOST_SECONDS_EACH):
                await ask(client)
        except Exception as error:  # whatever it is, a user met it
            failure = f"{type(error).__name__}: {error}"[:300]
        self.asked.append(Asked(kind, begun, self.since_start() - begun, failure))
