"""How the program grows: declared once, and many times over."""

import time

from tests.unit.recorder import record, whole_program


def seconds_per_copy(config: dict[str, str], copies: int) -> float:
    """Time to run the program once, when it runs that many times in one process."""

    def program() -> None:
        for _ in range(copies):
            whole_program()

    began = time.perf_counter()
    record(program, config=config, copies=copies)
    return (time.perf_counter() - began) / copies
