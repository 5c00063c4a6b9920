"""Alerts about what users of a stack notice, or will soon. Each has a section of docs/runbooks.md under its name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import names
from .edge import Target
from .edge_series import SERIES

RUNBOOKS = "docs/runbooks.md"

# --- thresholds --------------------------------------------------------------------------------

FAILED_SHARE = 0.05
"""Share of requests answered with 5xx."""
FAILED_REQUESTS = 2
"""So many failed requests in the window are nothing: one of few would be a large share."""
MISSING_REPLICA = "30m"
"""Longer than a rollout of one pod may take."""
MEMORY_SHARE = 0.9
"""Share of the memory limit, past which the kernel ends the process."""
VOLUME_SHARE = 0.1
"""Share of a volume that is free."""
CONNECTIONS_SHARE = 0.9
"""Share of the connections that the database allows."""
BACKUP_SECONDS = 6 * 3600
"""How long after a backup is due it may end, in seconds: the deadline of its Job."""
VERIFIED_SECONDS = 7 * 86400
"""Age of the newest backup that was restored, in seconds, from which on nobody knows whether any can be."""
OVERDUE_SECONDS = 86400
"""How long after it should have been renewed a certificate is late, in seconds."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert."""

    name: str
    """Its name, and that of its section in the runbooks."""
    expr: str
    """PromQL that yields a series for whatever is wrong, and none otherwise."""
    wait: str
    """How long that must hold before it fires, as Prometheus writes durations."""
    severity: str
    """`critical`: users notice now, or data is at risk. `warning`: they will."""
    summary: str
    """One line; a template over the labels of the series."""
    description: str
    """What it means; a template too."""

    def rule(self, namespace: str) -> dict[str, Any]:
        """The alert as a rule of Prometheus."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.wait,
            # An aggregation may have lost the namespace, by which alerts are routed.
            "labels": {"severity": self.severity, "namespace": namespace},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                # A section of this repository, whose public address only its owner knows.
                "runbook": f"{RUNBOOKS}#{self.name.lower()}",
            },
        }


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a stack has that can go wrong."""

    public: Sequence[Target]
    """Services that routes lead to."""
    deployments: Sequence[str]
    """Names of the Deployments; those behind `public` are among them."""
    controller: str = "none"
    """Ingress controller that measures requests, by its name in `SERIES`; any other measures none."""
    flows: bool = False
    """Whether runs of flows have a path of their own at the edge."""
    latency_seconds: int = 30
    """Mean duration of requests that users bear, in seconds."""
    stateful_sets: Sequence[str] = ()
    """Names of the StatefulSets."""
    instances: int = 0
    """Instances of the database that CloudNativePG runs; 0 without one."""
    archived: bool = False
    """Whether every change of that database goes to a bucket."""
    scraped: bool = False
    """Whether Prometheus scrapes the stack's own pods."""
    claims: Sequence[str] = ()
    """Names of the claims, as regular expressions."""
    backup_wait_days: int | None = None
    """Longest wait between two backups, in days; None where none is ever due."""
    certificates: Sequence[str] = ()
    """Names of cert-manager's Certificates."""


def alerts(namespace: str, watched: Watched) -> list[Alert]:
    """The alerts about a namespace, in the order of the runbooks."""
    return [
        *_requests(namespace, watched),
        *_replicas(namespace, watched),
        *_key(namespace),
        *_resources(namespace, watched),
        *_database(namespace, watched),
        *_archive(namespace, watched),
        *_backups(namespace, watched),
        *_certificates(namespace, watched),
    ]


def _requests(namespace: str, watched: Watched) -> Iterator[Alert]:
    if watched.controller not in SERIES or not watched.public:
        return
    edge = SERIES[watched.controller](namespace, watched.public)
    of = f"{{{{ $labels.{edge.label} }}}}"
    yield Alert(
        name="SkillFlawRequestsFailing",
        expr=_share(edge.failed, edge.requests),
        wait="5m",
        severity="critical",
        summary=f"Public requests to {of} fail",
        description=f"{{{{ $value | humanizePercentage }}}} of the requests to {of} were answered with 5xx.",
    )
    if watched.flows and edge.flows and edge.failed_flows:
        yield Alert(
            name="SkillFlawFlowsFailing",
            expr=_share(edge.failed_flows, edge.flows),
            wait="5m",
            severity="critical",
            summary="Flows fail",
            description="{{ $value | humanizePercentage }} of the runs of flows were answered with 5xx.",
        )
    yield Alert(
        name="SkillFlawRequestsSlow",
        expr=f"{edge.seconds} > {watched.latency_seconds}",
        wait="10m",
        severity="warning",
        summary=f"Public requests to {of} are slow",
        description=f"A request to {of} took {{{{ $value | humanizeDuration }}}} on average.",
    )


def _share(failed: str, requests: str) -> str:
    return (
        f"{failed} / {requests} > {FAILED_SHARE} "
        f"and {failed.replace('rate(', 'increase(')} > {FAILED_REQUESTS}"
    )


def _replicas(namespace: str, watched: Watched) -> Iterator[Alert]:
    here = f'namespace="{namespace}"'
    public = "|".join(target.service for target in watched.public) or names.prefixed(names.BACKEND)
    yield Alert(
        name="SkillFlawUnavailable",
        expr=f'kube_deployment_status_replicas_available{{{here},deployment=~"{public}"}} == 0',
        wait="5m",
        severity="critical",
        summary="{{ $labels.deployment }} is away",
        description="No pod of Deployment {{ $labels.deployment }} is available.",
    )
    deployments = f'{here},deployment=~"{"|".join(watched.deployments)}"'
    missing = [
        f"kube_deployment_spec_replicas{{{deployments}}} - kube_deployment_status_replicas_available{{{deployments}}} > 0"
    ]
    if watched.stateful_sets:
        sets = f'{here},statefulset=~"{"|".join(watched.stateful_sets)}"'
        missing.append(
            f"kube_statefulset_replicas{{{sets}}} - kube_statefulset_status_replicas_ready{{{sets}}} > 0"
        )
    if watched.scraped and watched.instances > 1:
        missing.append(f"{watched.instances - 1} - {_standbys(namespace)} > 0")
    yield Alert(
        name="SkillFlawReplicaMissing",
        expr=" or ".join(missing),
        wait=MISSING_REPLICA,
        severity="warning",
        summary="A replica is missing",
        description="{{ $value }} of {{ $labels.deployment }}{{ $labels.statefulset }}{{ $labels.cluster }} "
        "did not come back.",
    )
    if watched.scraped:
        jobs = [
            names.prefixed(names.BACKEND),
            *([names.prefixed(names.CLUSTER)] if watched.instances else []),
        ]
        targets = [f'up{{{here},job="{namespace}/{job}"}}' for job in jobs]
        yield Alert(
            name="SkillFlawScrapeFailing",
            expr=" or ".join(f"{target} == 0 or absent({target})" for target in targets),
            wait="10m",
            severity="warning",
            summary="Prometheus does not reach {{ $labels.job }}",
            description="A pod of {{ $labels.job }} answers no scrape, or Prometheus knows none.",
        )


def _key(namespace: str) -> Iterator[Alert]:
    here, guards = f'namespace="{namespace}"', 'container=~"guard|exchange"'
    # Of the Job that comes before any replica.
    first = 'container=~"key-guard|schema-guard|prove"'
    series = [
        f'kube_pod_init_container_status_waiting_reason{{{here},{guards},reason="CrashLoopBackOff"}} > 0',
        f'kube_pod_init_container_status_terminated_reason{{{here},{guards},reason="Error"}} > 0',
        f'kube_pod_container_status_terminated_reason{{{here},{first},reason="Error"}} > 0',
    ]
    yield Alert(
        name="SkillFlawKeyGuardRefusing",
        # Between two tries a container is now waiting, now terminated: one alert, whichever it is.
        expr=f"max by (pod, container) ({' or '.join(series)})",
        wait="5m",
        severity="critical",
        summary="The key guard lets nothing start",
        description="{{ $labels.container }} of pod {{ $labels.pod }} refuses the secret key or data that is half restored.",
    )


def _resources(namespace: str, watched: Watched) -> Iterator[Alert]:
    # PostgreSQL is left out: pages of its files that the kernel keeps in memory count, and are given back.
    of = ",".join(
        (
            f'namespace="{namespace}"',
            f'container=~"{names.BACKEND}|{names.FRONTEND}|{names.DOCS}|{names.CACHE}"',
        )
    )
    labels = "max by (namespace, pod, container)"
    yield Alert(
        name="SkillFlawMemoryNearLimit",
        expr=f"{labels} (container_memory_working_set_bytes{{{of}}}) "
        f'/ {labels} (kube_pod_container_resource_limits{{{of},resource="memory"}}) > {MEMORY_SHARE}',
        wait="15m",
        severity="warning",
        summary="{{ $labels.pod }} is near its memory limit",
        description="{{ $labels.container }} of pod {{ $labels.pod }} uses {{ $value | humanizePercentage }} of its limit.",
    )
    if watched.claims:
        claims = f'namespace="{namespace}",persistentvolumeclaim=~"{"|".join(watched.claims)}"'
        yield Alert(
            name="SkillFlawVolumeFilling",
            expr="min by (namespace, persistentvolumeclaim) "
            f"(kubelet_volume_stats_available_bytes{{{claims}}} / kubelet_volume_stats_capacity_bytes{{{claims}}}) "
            f"< {VOLUME_SHARE}",
            wait="15m",
            severity="critical",
            summary="{{ $labels.persistentvolumeclaim }} fills up",
            description="{{ $value | humanizePercentage }} of claim {{ $labels.persistentvolumeclaim }} is left.",
        )


def _standbys(namespace: str) -> str:
    pods = f'namespace="{namespace}",pod=~"{names.INSTANCES}"'
    return f'label_replace(max(cnpg_pg_replication_streaming_replicas{{{pods}}}), "cluster", "{names.CLUSTER}", "", "")'


def _database(namespace: str, watched: Watched) -> Iterator[Alert]:
    if not watched.instances or not watched.scraped:
        return
    pods = f'namespace="{namespace}",pod=~"{names.INSTANCES}"'
    yield Alert(
        name="SkillFlawConnectionsNearLimit",
        expr=f"sum by (pod) (cnpg_backends_total{{{pods}}}) "
        f'/ max by (pod) (cnpg_pg_settings_setting{{{pods},name="max_connections"}}) > {CONNECTIONS_SHARE}',
        wait="10m",
        severity="warning",
        summary="The database's connections run out",
        description="{{ $value | humanizePercentage }} of the connections that {{ $labels.pod }} allows are open.",
    )
    if watched.instances > 1:
        yield Alert(
            name="SkillFlawDatabaseWithoutStandby",
            expr=f"{_standbys(namespace)} < 1",
            wait="10m",
            severity="critical",
            summary="The database has no standby",
            description="No standby streams: what is written now is on one node alone, and nothing takes its place.",
        )


def _archive(namespace: str, watched: Watched) -> Iterator[Alert]:
    if not watched.archived or not watched.scraped:
        return
    pods = f'namespace="{namespace}",pod=~"{names.INSTANCES}"'
    # Where none ever failed, or reached the bucket, its time is -1. Only the primary has them.
    failed, archived = (
        f"cnpg_pg_stat_archiver_last_{what}_time{{{pods}}}" for what in ("failed", "archived")
    )
    yield Alert(
        name="SkillFlawArchiveFailing",
        expr=f"max by (namespace) ({failed} - {archived}) > 0",
        wait="15m",
        severity="critical",
        summary="The database's write-ahead log does not reach the bucket",
        description="No moment since then can be restored, and the log fills the volume until it is archived.",
    )


def _backups(namespace: str, watched: Watched) -> Iterator[Alert]:
    if watched.backup_wait_days is None:
        return
    age = _age(namespace)
    due = watched.backup_wait_days * 86400 + BACKUP_SECONDS
    yield Alert(
        name="SkillFlawBackupMissing",
        expr=age.format(seconds=due),
        wait="15m",
        severity="warning",
        summary="A backup is missing",
        description="The newest backup is {{ $value | humanizeDuration }} old.",
    )
    yield Alert(
        name="SkillFlawBackupUnverified",
        # Rarely scheduled ones are not verified more often than they are taken.
        expr=age.format(seconds=max(VERIFIED_SECONDS, 2 * due)),
        wait="15m",
        severity="critical",
        summary="No backup is known to be whole",
        description="For {{ $value | humanizeDuration }} no backup was restored in a trial server.",
    )


def _age(namespace: str) -> str:
    """The age of the last success of the CronJob, or of the CronJob where none ever succeeded, past some seconds."""
    of = f'{{{{namespace="{namespace}",cronjob="{names.prefixed(names.BACKUP)}"}}}}'
    successful, created = (
        f"max by (namespace, cronjob) ({series}{of})"
        for series in ("kube_cronjob_status_last_successful_time", "kube_cronjob_created")
    )
    return f"time() - {successful} > {{seconds}} or (time() - {created} > {{seconds}} unless {successful})"


def _certificates(namespace: str, watched: Watched) -> Iterator[Alert]:
    if not watched.certificates:
        return

    def of(series: str, more: str = "") -> str:
        # cert-manager's own namespace takes the place of the certificate's, unless whoever scrapes honours labels.
        either = " or ".join(
            f'{series}{{{label}="{namespace}",name=~"{"|".join(watched.certificates)}"{more}}}'
            for label in ("namespace", "exported_namespace")
        )
        return f"max by (name) ({either})"

    renewal = of("certmanager_certificate_renewal_timestamp_seconds")
    ready = of("certmanager_certificate_ready_status", ',condition="True"')
    yield Alert(
        name="SkillFlawCertificateNotRenewed",
        # Not yet issued, it has 0 for a time. What counts as late follows from its own lifetime, days or years.
        expr=f"{ready} == 0 or time() - ({renewal} > 0) > {OVERDUE_SECONDS}",
        wait="1h",
        severity="critical",
        summary="The certificate {{ $labels.name }} is not renewed",
        description="cert-manager has no valid certificate {{ $labels.name }}, or should have renewed it a day ago.",
    )
