"""What Prometheus and Grafana are given: whom to scrape, when to alert, what to show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from . import labels, names
from .alerts import Watched, alerts
from .component import Component

API_VERSION = "monitoring.coreos.com/v1"
BOARD = Path(__file__).with_name("dashboard.json")
PLACEHOLDER = "@namespace@"
"""What the dashboard calls its stack's namespace."""


@dataclass(frozen=True, kw_only=True)
class Scrape:
    """How Prometheus scrapes the stack's pods."""

    interval: str | None = None
    """Time between two scrapes, as Prometheus writes durations; None is its own."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that Prometheus selects PodMonitors by."""
    cluster: str | None = None
    """Cluster of CloudNativePG that is the database, whose instances answer scrapes too."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What Prometheus alerts about."""

    watched: Watched
    """What the stack has that can go wrong."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that Prometheus selects PrometheusRules by."""


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """The three that a stack may ask for; None leaves one out."""

    namespace: pulumi.Input[str]
    """Namespace of the objects, and the only one that they speak of."""
    scrape: Scrape | None = None
    """Whom to scrape."""
    rules: Rules | None = None
    """When to alert."""
    dashboard_labels: Mapping[str, str] | None = None
    """Labels that Grafana's sidecar looks for; None: no dashboard."""


class Monitoring(Component):
    """PodMonitors, a PrometheusRule and a dashboard. Who may scrape is `Network`'s to say."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Monitoring", name, None, opts)
        if args.scrape:
            self._pod_monitor(
                f"{name}-backend", names.BACKEND, args, args.scrape, labels.selector(names.BACKEND)
            )
        if args.scrape and args.scrape.cluster:
            selector = {"cnpg.io/cluster": args.scrape.cluster, "cnpg.io/podRole": "instance"}
            self._pod_monitor(f"{name}-database", names.CLUSTER, args, args.scrape, selector)
        if args.rules:
            self._rules(f"{name}-rules", args, args.rules)
        if args.dashboard_labels is not None:
            self._dashboard(f"{name}-dashboard", args, args.dashboard_labels)
        self.register_outputs({})

    def _pod_monitor(
        self, name: str, component: str, args: MonitoringArgs, scrape: Scrape, selector: Mapping[str, str]
    ) -> None:
        endpoint = {"port": names.METRICS, **({"interval": scrape.interval} if scrape.interval else {})}
        self._custom(
            name,
            "PodMonitor",
            component,
            args,
            scrape.labels,
            {"selector": {"matchLabels": dict(selector)}, "podMetricsEndpoints": [endpoint]},
        )

    def _rules(self, name: str, args: MonitoringArgs, rules: Rules) -> None:
        def groups(namespace: str) -> list[dict[str, Any]]:
            found = [alert.rule(namespace) for alert in alerts(namespace, rules.watched)]
            return [{"name": names.prefixed(names.ALERTS), "rules": found}]

        namespace = pulumi.Output.from_input(args.namespace)
        spec = {"groups": namespace.apply(groups)}
        self._custom(name, "PrometheusRule", names.ALERTS, args, rules.labels, spec)

    def _custom(
        self,
        name: str,
        kind: str,
        component: str,
        args: MonitoringArgs,
        more_labels: Mapping[str, str],
        spec: Mapping[str, Any],
    ) -> None:
        k8s.apiextensions.CustomResource(
            name,
            api_version=API_VERSION,
            kind=kind,
            metadata=labels.metadata(
                component, args.namespace, name=names.prefixed(component), more_labels=more_labels
            ),
            spec=spec,
            opts=self.child(),
        )

    def _dashboard(self, name: str, args: MonitoringArgs, more_labels: Mapping[str, str]) -> None:
        # The sidecar keeps every dashboard of a cluster in one folder, and forgets a file when the object that brought it
        # is deleted: a name of its own, and a new version in the place of the old one, never next to it.
        namespace = pulumi.Output.from_input(args.namespace)
        k8s.core.v1.ConfigMap(
            name,
            metadata=labels.metadata(
                names.DASHBOARD,
                args.namespace,
                name=names.prefixed(names.DASHBOARD),
                more_labels=more_labels,
            ),
            data=namespace.apply(
                lambda it: {f"skillflaw-{it}.json": BOARD.read_text().replace(PLACEHOLDER, it)}
            ),
            opts=self.child(),
        )
