"""Progress of a long run: which step of how many, for how long, and what it waits for."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

Report = Callable[[str], None]
"""Called with a few words on how far a step is."""

SILENCE_SECONDS = 15
"""Longest silence of a step where no line can be rewritten (a log, CI)."""


class Progress:
    """Counts the steps of one run and reports them to the user."""

    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        self._steps = steps
        self._number = 0
        self._began = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator[Report]:
        """One step; what is yielded takes a few words on how far it is, from any thread."""
        self._number += 1
        label = f"[{self._number}/{self._steps}] {title}"
        began = time.monotonic()
        latest = [""]
        ended = threading.Event()
        teller = threading.Thread(target=self._tell, args=(label, began, latest, ended), daemon=True)
        teller.start()

        def report(words: str) -> None:
            latest[0] = words

        try:
            yield report
        finally:
            ended.set()
            teller.join()
        self._console.print(f"{escape(label)}: done in {time.monotonic() - began:.0f} s", highlight=False)

    def skip(self, steps: int) -> None:
        """Takes steps that turned out to be needless from the count."""
        self._steps -= steps

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def _tell(self, label: str, began: float, latest: list[str], ended: threading.Event) -> None:
        def line() -> str:
            return escape(f"{label}  {time.monotonic() - began:.0f} s  {latest[0]}")

        if self._console.is_terminal:
            with self._console.status(line()) as status:
                while not ended.wait(1):
                    status.update(line())
        else:
            self._console.print(escape(label), highlight=False)
            while not ended.wait(SILENCE_SECONDS):
                self._console.print(line(), highlight=False)
