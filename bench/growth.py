"""How the program grows: declared once, and many times over."""

import time
from collections.abc import Mapping
from typing import Any

from bench.registrations import registrations


def seconds_per_copy(sections: Mapping[str, Any], copies: int) -> float:
    """Time to declare the sections' stack once, when one process declares it that many times."""
    began = time.perf_counter()
    registrations(sections, copies)
    return (time.perf_counter() - began) / copies
