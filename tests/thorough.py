"""Cases that `make test` leaves to `make thorough`."""

from typing import Any

import pytest


def further(first: Any, *others: Any) -> list[Any]:
    """Parameters of a test, of which `make test` runs the first alone; a tuple is a value for each of several names."""
    return [
        first,
        *(
            pytest.param(*(case if isinstance(case, tuple) else [case]), marks=pytest.mark.thorough)
            for case in others
        ),
    ]
