"""A client that runs a flow, waits for the answer and runs it again; locust starts as many as a step has.

Run by locust as a file of its own, since gevent takes the place of threads and sockets in all of a process. What it is given
are variables: an API key in SKILLFLAW_API_KEY, and in LOAD as JSON `flow`, `requests` (the most it sends), `address` (where
the host leads to, or null for DNS) and `caFile` (the only authority trusted, or null for the system's). Its last line is
JSON: what `Sent` of sender.py holds.
"""

import functools
import json
import os
import ssl
import uuid
from typing import Any

import gevent
import gevent.socket
import gevent.ssl
from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.exception import StopUser

GIVEN = json.loads(os.environ["LOAD"])
PATIENCE_SECONDS = 120
REASONS = 3
"""Failures that are named, the most frequent ones."""
resolve = gevent.socket.getaddrinfo
left = GIVEN["requests"]


def _resolve(host: Any, *words: Any, **more: Any) -> Any:
    return resolve(GIVEN["address"] or host, *words, **more)


@functools.cache
def _trust(**_authorities: str) -> ssl.SSLContext:
    # The library offers authorities of its own.
    trusted: ssl.SSLContext = gevent.ssl.create_default_context(cafile=GIVEN["caFile"])
    return trusted


gevent.socket.getaddrinfo = _resolve


class Client(FastHttpUser):
    """One request at a time, each in a session of its own: a conversation that grows would slow down by itself."""

    connection_timeout = 10
    network_timeout = PATIENCE_SECONDS
    insecure = False
    ssl_context_factory = staticmethod(_trust)

    @task
    def run_flow(self) -> None:
        global left
        if not left:
            gevent.spawn(self.environment.runner.quit)
            raise StopUser
        left -= 1
        question = {
            "input_value": "load: say something",
            "input_type": "chat",
            "output_type": "chat",
            "session_id": f"load-{uuid.uuid4()}",
        }
        with self.client.post(
            f"/api/v1/run/{GIVEN['flow']}?stream=false",
            json=question,
            headers={"x-api-key": os.environ["SKILLFLAW_API_KEY"]},
            name="run",
            allow_redirects=False,
            catch_response=True,
        ) as answer:
            # 0 is a request that found no answer; the library has its reason.
            if answer.status_code not in (0, 200):
                answer.failure(f"{answer.status_code}: {' '.join((answer.text or '').split())[:200]}")


def report(environment: Environment, **_: Any) -> None:
    """Prints what was sent and what became of it; times are in seconds."""
    total = environment.stats.total
    failures = sorted(environment.stats.errors.values(), key=lambda row: -row.occurrences)
    times = {
        name: total.get_response_time_percentile(share) / 1000 if total.num_requests else None
        for name, share in (("p50", 0.5), ("p95", 0.95))
    }
    said = {
        "seconds": (total.last_request_timestamp or total.start_time) - total.start_time,
        "requests": total.num_requests,
        "failed": total.num_failures,
        "reasons": [str(row.error)[:300] for row in failures[:REASONS]],
        # Above 90 % of a core the clients wait for themselves.
        "busy": bool(environment.runner and environment.runner.cpu_warning_emitted),
        **times,
    }
    print(json.dumps(said), flush=True)


events.quitting.add_listener(report)  # type: ignore[no-untyped-call]
