"""How the program grows: declared once, and many times over."""

import gc
import time
from collections.abc import Mapping
from typing import Any

from bench.registrations import registrations


def seconds_per_copy(sections: Mapping[str, Any], copies: int, *, collected: bool) -> float:
    """Time to declare the sections' stack once, when one process declares it that many times.

    `collected` leaves Python's garbage collector on. It walks whatever lives each time, so its share grows with the
    copies that one process holds, whoever made them; a process of Pulumi holds one.
    """
    gc.collect()
    if not collected:
        gc.disable()
    began = time.perf_counter()
    registrations(sections, copies)
    seconds = (time.perf_counter() - began) / copies
    gc.enable()
    return seconds
