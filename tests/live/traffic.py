"""Requests at a steady pace while something happens to the stack, and what became of each."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import httpx2

MOST_SECONDS = 900
"""No test keeps it up for longer."""

MOST_AT_ONCE = 10
"""Of one kind: a backend that is slow for a moment is not buried under what piled up meanwhile."""

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
    """While the block runs, asks each of `asks` every so many seconds; at its end, waits for what is under way."""

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
        self._thread.join()

    @property
    def failures(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.failure]

    @property
    def story(self) -> str:
        """What each kind met, for who reads why a test failed."""
        return "\n".join(
            f"{kind}: {number} asked, slowest {max(it.seconds for it in self.asked if it.kind == kind):.1f} s"
            for kind, number in self.count.items()
        ) + "".join(
            f"\n{it.begun:6.1f} s +{it.seconds:.1f} s {it.kind}: {it.failure}" for it in self.failures
        )

    @property
    def count(self) -> Counter[str]:
        return Counter(asked.kind for asked in self.asked)

    def since_start(self) -> float:
        return time.monotonic() - self._began

    async def _run(self) -> None:
        async with self._client() as client, asyncio.TaskGroup() as under_way:
            for kind, (every, ask) in self._asks.items():
                under_way.create_task(self._keep_asking(client, kind, every, ask, under_way))

    async def _keep_asking(
        self, client: httpx2.AsyncClient, kind: str, every: float, ask: Ask, under_way: asyncio.TaskGroup
    ) -> None:
        places = asyncio.Semaphore(MOST_AT_ONCE)
        while not self._stop.is_set() and self.since_start() < MOST_SECONDS:
            await places.acquire()
            under_way.create_task(self._ask(client, kind, ask, places))
            await asyncio.sleep(every)

    async def _ask(self, client: httpx2.AsyncClient, kind: str, ask: Ask, places: asyncio.Semaphore) -> None:
        begun, failure = self.since_start(), None
        try:
            await ask(client)
        except (httpx2.HTTPError, AssertionError) as error:
            failure = f"{type(error).__name__}: {error}"[:300]
        finally:
            places.release()
        self.asked.append(Asked(kind, begun, self.since_start() - begun, failure))
