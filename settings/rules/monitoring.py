"""What is measured, and by whom."""

from collections.abc import Iterator

from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import Backend, Monitoring, Network


@rule
def scrapers_are_named(monitoring: Monitoring, network: Network) -> Iterator[Problem]:
    if monitoring.metrics and network.policies and not network.monitoring:
        yield Problem(
            path="network.monitoring",
            found="nothing, with closed network policies, behind which no scrape reaches a pod",
            allowed="the peers that scrape: the pods of Prometheus",
            remedy="write network.monitoring, e.g. [{namespace: monitoring, labels: {app.kubernetes.io/name: prometheus}}], "
            "or remove monitoring.metrics",
        )


@rule
def scrapers_find_metrics(monitoring: Monitoring, network: Network) -> Iterator[Problem]:
    if network.policies and network.monitoring and not monitoring.metrics:
        yield Problem(
            path="network.monitoring",
            found="peers that scrape, and no metrics for them",
            allowed="network.monitoring next to monitoring.metrics",
            remedy="write monitoring.metrics: {}, or remove network.monitoring; whoever else calls the backend's port is "
            "network.callers",
        )


@rule
def latency_can_be_exceeded(monitoring: Monitoring, backend: Backend) -> Iterator[Problem]:
    flow = backend.longest_flow_seconds
    if monitoring.rules and monitoring.rules.latency_seconds >= flow:
        yield Problem(
            path="monitoring.rules.latencySeconds",
            found=f"{monitoring.rules.latency_seconds}, and no request takes longer than backend.longestFlowSeconds, {flow}",
            allowed=f"less than {flow}: otherwise the alert never fires",
            remedy=f"write monitoring.rules.latencySeconds: {max(1, flow // 2)}, or a longer backend.longestFlowSeconds",
        )
