"""Alerts of the stack that fire, as the Prometheus says that loaded them.

It is asked through the API server, so whoever asks needs no way to its pods, and the network stays as closed as it is.
"""

from operations.program import ProgramError
from operations.review.preview import at
from operations.status.asked import Asked, Object, time
from operations.status.facts import Alert

PROMETHEUSES = "/apis/monitoring.coreos.com/v1/prometheuses"
SERVICE, PORT = "prometheus-operated", "web"
"""Service and port that the Prometheus operator gives every Prometheus which asks for no other."""


def firing(asked: Asked) -> tuple[Alert, ...]:
    """Alerts that fire, the most severe first. Raises `ProgramError` when no Prometheus has loaded the stack's rules."""
    rules = [rule for each in asked.found.items(PROMETHEUSES) for rule in _rules(asked, each)]
    if not rules:
        raise ProgramError("no Prometheus of the cluster has loaded the stack's PrometheusRule")
    alerts = [
        Alert(
            name=rule["name"],
            severity=rule["labels"]["severity"],
            summary=each["annotations"]["summary"],
            since=time(each["activeAt"]),
        )
        for rule in rules
        for each in rule["alerts"]
        if each["state"] == "firing"
    ]
    return tuple(sorted(alerts, key=lambda each: (each.severity, each.name, each.since)))


def _rules(asked: Asked, prometheus: Object) -> list[Object]:
    """The stack's alerting rules that a Prometheus evaluates."""
    spec = prometheus["spec"]
    service, port = spec.get("serviceName") or SERVICE, spec.get("portName") or PORT
    scheme = "https:" if at(spec, "web", "tlsConfig") else ""
    where = (
        f"/api/v1/namespaces/{prometheus['metadata']['namespace']}/services/{scheme}{service}:{port}/proxy"
    )
    path = f"{where}{(spec.get('routePrefix') or '').rstrip('/')}/api/v1/rules?type=alert"
    answer = asked.found.read(path)
    if answer is None:
        raise ProgramError(f"{path}: nothing is there")
    groups = _groups(asked)
    return [
        rule
        for group in answer["data"]["groups"]
        for rule in group["rules"]
        if group["name"] in groups and at(rule, "labels", "namespace") == asked.outputs.namespace
    ]


def _groups(asked: Asked) -> set[str]:
    """Names of the groups that the stack's PrometheusRules declare."""
    declared = [row for row in asked.declared if row["kind"] == "PrometheusRule"]
    return {group["name"] for row in declared for group in at(row, "spec", "groups") or ()}
