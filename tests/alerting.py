"""Stacks that are watched, and what Prometheus is given for each."""

from typing import Any

from tests.edits import edited
from tests.unit.recorder import Program, plain, run

SCRAPER = {"namespace": "monitoring", "labels": {"app.kubernetes.io/name": "prometheus"}}
EVERYTHING: dict[str, Any] = {
    "monitoring": {"metrics": {}, "rules": {}, "dashboard": {}},
    "network.monitoring": [SCRAPER],
    "backup.schedule": "0 3 * * *",
    "backend.longestFlowSeconds": 60,
}
"""Edits of the lab's stack file: all that can be asked for."""
OPERATED: dict[str, Any] = {
    "database": {"cloudNativePg": {"major": 15, "className": "local"}},
    "network.apiServer": [{"cidr": "10.0.0.4/32", "ports": [6443]}],
}
ARCHIVED = OPERATED | {
    "database": {
        "cloudNativePg": OPERATED["database"]["cloudNativePg"]
        | {
            "objectStore": {
                "endpoint": "https://s3.test",
                "bucket": "archive",
                "secretName": "archive",
                "prefix": "lab",
            }
        }
    }
}
STACKS: dict[str, dict[str, Any]] = {
    "traefik": EVERYTHING,
    "nginx": EVERYTHING | {"edge.ingress.controller": "nginx"},
    "haproxy": EVERYTHING | {"edge.ingress.controller": "haproxy"},
    "a database of an operator": EVERYTHING | OPERATED,
    "an archived database": EVERYTHING | ARCHIVED,
}
"""Edits of the lab's stack file by what is watched."""


def watched(stack: str) -> Program:
    """The program of one of `STACKS`."""
    return run(edited(STACKS[stack]))


def groups(program: Program) -> list[dict[str, Any]]:
    """Groups of rules that a program declares."""
    found: list[dict[str, Any]] = plain(program.one("PrometheusRule", "monitoring-rules").inputs)["spec"][
        "groups"
    ]
    return found


def rules(program: Program) -> dict[str, dict[str, Any]]:
    """Alerting rules that a program declares, by their alert."""
    return {rule["alert"]: rule for group in groups(program) for rule in group["rules"]}
