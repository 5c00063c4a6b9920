"""A check, and how it fails."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx2


class CheckError(Exception):
    """A check that failed; the message is the reason shown."""


@dataclass(frozen=True)
class Check:
    """A named assertion about a live stack; `holds` returns what it saw that is worth a word, or raises what went wrong."""

    name: str
    holds: Callable[[], str | None]


def expect(response: httpx2.Response, *statuses: int) -> httpx2.Response:
    """The response, when its status is one of these.

    Raises:
        CheckError: any other status, with the beginning of what was said.
    """
    if response.status_code not in statuses:
        asked = f"{response.request.method} {response.request.url.path}"
        said = " ".join(response.text.split())[:200] or "(empty)"
        wanted = " or ".join(map(str, statuses))
        raise CheckError(f"{asked} answered {response.status_code}, not {wanted}: {said}")
    return response
