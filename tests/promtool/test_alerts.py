"""Each alert by Prometheus' own evaluation: it fires once it has held for its time, and not just below its threshold."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lab import toolchain
from tests.alerting import STACKS, groups, rules, watched

MINUTES = 60
DAY = 24 * MINUTES
SERIES = dict[str, str]
"""Samples once a minute as promtool writes them (`0+1x60`), by series."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What makes an alert fire, and what is nearly so."""

    alert: str
    stack: str = "traefik"
    fires: SERIES
    quiet: SERIES
    begins: int = 0
    """Minute from which on the condition holds."""

    @property
    def name(self) -> str:
        return f"{self.alert} ({self.stack})"


HERE = 'namespace="skillflaw"'
SERVICE = 'service="skillflaw-skillflaw-backend-7860@kubernetes"'
DEPLOYMENT = f'{HERE},deployment="skillflaw-backend"'
BACKUP = f'{HERE},cronjob="skillflaw-backup"'
CLAIM = f'{HERE},persistentvolumeclaim="skillflaw-backend-data",node="a"'
CONTAINER = f'{HERE},pod="skillflaw-backend-1",container="backend"'
INSTANCE = f'{HERE},pod="database-1"'
CERTIFICATE = 'exported_namespace="skillflaw",namespace="cert-manager",name="skillflaw-api-tls"'
GUARD = f'{HERE},pod="skillflaw-backend-1",container="guard"'
LONG = f"x{8 * DAY}"


def answers(series: str, well: str, failed: str, *, of: int) -> SERIES:
    """100 requests in a minute, and so many that failed among them."""
    return {f"{series}{{{well}}}": f"0+{100 - of}x{MINUTES}", f"{series}{{{failed}}}": f"0+{of}x{MINUTES}"}


def traefik(of: int) -> SERIES:
    series = "traefik_service_requests_total"
    return answers(series, f'{SERVICE},code="200"', f'{SERVICE},code="502"', of=of)


def nginx(path: str, of: int, namespace: str = "exported_namespace") -> SERIES:
    route = f'{namespace}="skillflaw",ingress="skillflaw-api",path="{path}"'
    series = "nginx_ingress_controller_requests"
    return answers(series, f'{route},status="200"', f'{route},status="500"', of=of)


def haproxy(of: int) -> SERIES:
    proxy = 'proxy="skillflaw_svc_skillflaw-backend_http"'
    return answers(
        "haproxy_backend_http_responses_total", f'{proxy},code="2xx"', f'{proxy},code="5xx"', of=of
    )


def took(series: str, of: str, seconds: int) -> SERIES:
    """Ten requests in a minute that took so many seconds each."""
    return {
        f"{series}_sum{{{of}}}": f"0+{10 * seconds}x{MINUTES}",
        f"{series}_count{{{of}}}": f"0+10x{MINUTES}",
    }


def replicas(wanted: int, available: int, more: str = "") -> SERIES:
    of = f"{{{DEPLOYMENT}{more}}}"
    return {
        f"kube_deployment_spec_replicas{of}": f"{wanted}x{MINUTES}",
        f"kube_deployment_status_replicas_available{of}": f"{available}x{MINUTES}",
    }


def connections(idle: int) -> SERIES:
    return {
        f'cnpg_backends_total{{{INSTANCE},state="active"}}': f"40x{MINUTES}",
        f'cnpg_backends_total{{{INSTANCE},state="idle"}}': f"{idle}x{MINUTES}",
        f'cnpg_pg_settings_setting{{{INSTANCE},name="max_connections"}}': f"100x{MINUTES}",
        f'cnpg_pg_settings_setting{{{INSTANCE},name="work_mem"}}': f"1x{MINUTES}",
    }


def archiver(failed: int, archived: int, pod: str = "database-1") -> SERIES:
    """When the log last did not reach the bucket, and when it last did, in seconds since the epoch."""
    return {
        f'cnpg_pg_stat_archiver_last_{what}_time{{{HERE},pod="{pod}"}}': f"{at}x{MINUTES}"
        for what, at in (("failed", failed), ("archived", archived))
    }


def last_backup(minute: int) -> SERIES:
    """A CronJob as old as time, whose last success was at a minute."""
    return {
        f"kube_cronjob_created{{{BACKUP}}}": f"0{LONG}",
        f"kube_cronjob_status_last_successful_time{{{BACKUP}}}": f"{minute * 60}{LONG}",
    }


def certificate(ready: int, renewal: int) -> SERIES:
    return {
        f'certmanager_certificate_ready_status{{{CERTIFICATE},condition="True"}}': f"{ready}{LONG}",
        f"certmanager_certificate_renewal_timestamp_seconds{{{CERTIFICATE}}}": f"{renewal}{LONG}",
    }


NGINX_SECONDS = "nginx_ingress_controller_request_duration_seconds"
TRAEFIK_SECONDS = "traefik_service_request_duration_seconds"
SOME_ROUTE = f'{HERE},ingress="skillflaw-app",path="/"'
STREAM = f'{HERE},ingress="skillflaw-api",path="/api/v1/mcp/streamable"'
STANDBYS = "cnpg_pg_replication_streaming_replicas"
DUE = DAY + 6 * MINUTES
"""Minutes after its last success in which a daily backup is in time."""

CASES = [
    Case(alert="SkillFlawRequestsFailing", fires=traefik(6), quiet=traefik(4)),
    # One of a few that fails is a large share, and no outage.
    Case(
        alert="SkillFlawRequestsFailing",
        fires={f'traefik_service_requests_total{{{SERVICE},code="500"}}': "0+1x60"},
        quiet={f'traefik_service_requests_total{{{SERVICE},code="500"}}': "0x4 1x60"},
        begins=3,
    ),
    # Another stack's, whose namespace begins alike.
    Case(
        alert="SkillFlawRequestsFailing",
        fires=traefik(100),
        quiet={
            series.replace('"skillflaw-skill', '"skillflaw-dev-skill'): row
            for series, row in traefik(100).items()
        },
    ),
    Case(alert="SkillFlawRequestsFailing", stack="nginx", fires=nginx("/", 6), quiet=nginx("/", 4)),
    Case(
        alert="SkillFlawRequestsFailing",
        stack="nginx",
        fires=nginx("/", 6, "namespace"),
        quiet={series.replace("skillflaw", "another"): row for series, row in nginx("/", 6).items()},
    ),
    Case(alert="SkillFlawRequestsFailing", stack="haproxy", fires=haproxy(6), quiet=haproxy(4)),
    Case(
        alert="SkillFlawFlowsFailing",
        stack="nginx",
        fires=nginx("/api/v1/run", 6),
        quiet=nginx("/health", 100) | nginx("/api/v1/run", 4),
    ),
    Case(
        alert="SkillFlawRequestsSlow",
        fires=took(TRAEFIK_SECONDS, f'{SERVICE},protocol="http"', 31),
        # A stream that a client of MCP holds open takes as long as it likes.
        quiet=took(TRAEFIK_SECONDS, f'{SERVICE},protocol="http"', 29)
        | took(TRAEFIK_SECONDS, f'{SERVICE},protocol="sse"', 3000),
    ),
    Case(
        alert="SkillFlawRequestsSlow",
        stack="nginx",
        fires=took(NGINX_SECONDS, SOME_ROUTE, 31),
        quiet=took(NGINX_SECONDS, SOME_ROUTE, 29) | took(NGINX_SECONDS, STREAM, 3000),
    ),
    Case(
        alert="SkillFlawRequestsSlow",
        stack="haproxy",
        fires={
            'haproxy_backend_total_time_average_seconds{proxy="skillflaw_svc_skillflaw-backend_http"}': "31x60"
        },
        quiet={
            'haproxy_backend_total_time_average_seconds{proxy="skillflaw_svc_skillflaw-backend_http"}': "30x60"
        },
    ),
    Case(alert="SkillFlawUnavailable", fires=replicas(2, 0), quiet=replicas(2, 1)),
    Case(alert="SkillFlawReplicaMissing", fires=replicas(2, 1), quiet=replicas(2, 2)),
    Case(
        alert="SkillFlawReplicaMissing",
        fires={
            f'kube_statefulset_replicas{{{HERE},statefulset="postgresql"}}': "1x60",
            f'kube_statefulset_status_replicas_ready{{{HERE},statefulset="postgresql"}}': "0x60",
        },
        quiet={
            'kube_statefulset_replicas{namespace="another",statefulset="postgresql"}': "1x60",
            'kube_statefulset_status_replicas_ready{namespace="another",statefulset="postgresql"}': "0x60",
        },
    ),
    Case(
        alert="SkillFlawReplicaMissing",
        stack="a database of an operator",
        fires={f"{STANDBYS}{{{INSTANCE}}}": "0x60"},
        quiet={f"{STANDBYS}{{{INSTANCE}}}": "1x60"},
    ),
    Case(
        alert="SkillFlawScrapeFailing",
        fires={f'up{{{HERE},job="skillflaw/skillflaw-backend",pod="a"}}': "0x60"},
        quiet={f'up{{{HERE},job="skillflaw/skillflaw-backend",pod="a"}}': "1x60"},
    ),
    Case(
        alert="SkillFlawScrapeFailing",
        stack="a database of an operator",
        fires={f'up{{{HERE},job="skillflaw/skillflaw-backend",pod="a"}}': "1x60"},
        quiet={
            f'up{{{HERE},job="skillflaw/skillflaw-backend",pod="a"}}': "1x60",
            f'up{{{HERE},job="skillflaw/skillflaw-database",pod="database-1"}}': "1x60",
        },
    ),
    Case(
        alert="SkillFlawKeyGuardRefusing",
        # Now waiting, now terminated.
        fires={
            f'kube_pod_init_container_status_waiting_reason{{{GUARD},reason="CrashLoopBackOff"}}': "1 0 1 0 1 0 1 1x60",
            f'kube_pod_init_container_status_terminated_reason{{{GUARD},reason="Error"}}': "0 1 0 1 0 1 0 0x60",
        },
        quiet={
            f'kube_pod_init_container_status_waiting_reason{{{GUARD},reason="PodInitializing"}}': "1x60",
            f'kube_pod_init_container_status_terminated_reason{{{GUARD},reason="Completed"}}': "1x60",
        },
    ),
    Case(
        alert="SkillFlawKeyGuardRefusing",
        fires={
            f'kube_pod_container_status_terminated_reason{{{HERE},pod="k",container="key-guard",reason="Error"}}': "1x60"
        },
        quiet={
            f'kube_pod_container_status_terminated_reason{{{HERE},pod="k",container="repository",reason="Error"}}': "1x60"
        },
    ),
    Case(
        alert="SkillFlawMemoryNearLimit",
        fires={
            f"container_memory_working_set_bytes{{{CONTAINER}}}": "91x60",
            f'kube_pod_container_resource_limits{{{CONTAINER},resource="memory",unit="byte"}}': "100x60",
        },
        quiet={
            f"container_memory_working_set_bytes{{{CONTAINER}}}": "90x60",
            f'kube_pod_container_resource_limits{{{CONTAINER},resource="memory",unit="byte"}}': "100x60",
            f'kube_pod_container_resource_limits{{{CONTAINER},resource="cpu",unit="core"}}': "2x60",
        },
    ),
    Case(
        alert="SkillFlawVolumeFilling",
        fires={
            f"kubelet_volume_stats_available_bytes{{{CLAIM}}}": "9x60",
            f"kubelet_volume_stats_capacity_bytes{{{CLAIM}}}": "100x60",
        },
        quiet={
            f"kubelet_volume_stats_available_bytes{{{CLAIM}}}": "10x60",
            f"kubelet_volume_stats_capacity_bytes{{{CLAIM}}}": "100x60",
        },
    ),
    Case(
        alert="SkillFlawVolumeFilling",
        stack="a database of an operator",
        fires={
            f'kubelet_volume_stats_available_bytes{{{HERE},persistentvolumeclaim="database-2-wal"}}': "9x60",
            f'kubelet_volume_stats_capacity_bytes{{{HERE},persistentvolumeclaim="database-2-wal"}}': "100x60",
        },
        quiet={
            f'kubelet_volume_stats_available_bytes{{{HERE},persistentvolumeclaim="elsewhere"}}': "9x60",
            f'kubelet_volume_stats_capacity_bytes{{{HERE},persistentvolumeclaim="elsewhere"}}': "100x60",
        },
    ),
    Case(
        alert="SkillFlawConnectionsNearLimit",
        stack="a database of an operator",
        fires=connections(51),
        quiet=connections(50),
    ),
    Case(
        alert="SkillFlawDatabaseWithoutStandby",
        stack="a database of an operator",
        fires={f"{STANDBYS}{{{INSTANCE}}}": "0x60", f'{STANDBYS}{{{HERE},pod="database-2"}}': "0x60"},
        # Only the primary counts them.
        quiet={f"{STANDBYS}{{{INSTANCE}}}": "0x60", f'{STANDBYS}{{{HERE},pod="database-2"}}': "1x60"},
    ),
    Case(
        alert="SkillFlawArchiveFailing",
        stack="an archived database",
        fires=archiver(failed=60, archived=59),
        quiet=archiver(failed=60, archived=61),
    ),
    # None ever reached the bucket.
    Case(
        alert="SkillFlawArchiveFailing",
        stack="an archived database",
        fires=archiver(failed=60, archived=-1),
        quiet=archiver(failed=-1, archived=-1),
    ),
    # A Cluster that was restored.
    Case(
        alert="SkillFlawArchiveFailing",
        stack="an archived database",
        fires=archiver(failed=60, archived=59, pod="database-g2-1"),
        quiet=archiver(failed=60, archived=59, pod="somebodys-database-1"),
    ),
    Case(alert="SkillFlawBackupMissing", fires=last_backup(0), quiet=last_backup(20), begins=DUE + 1),
    Case(
        alert="SkillFlawBackupMissing",
        # None ever succeeded.
        fires={f"kube_cronjob_created{{{BACKUP}}}": f"0{LONG}"},
        quiet={f"kube_cronjob_created{{{BACKUP}}}": f"{20 * 60}{LONG}"},
        begins=DUE + 1,
    ),
    Case(alert="SkillFlawBackupUnverified", fires=last_backup(0), quiet=last_backup(20), begins=7 * DAY + 1),
    Case(
        alert="SkillFlawCertificateNotRenewed",
        fires=certificate(0, 0),
        quiet=certificate(1, 0),
    ),
    Case(
        alert="SkillFlawCertificateNotRenewed",
        fires=certificate(1, 60),
        quiet=certificate(1, 3 * 3600),
        begins=DAY + 2,
    ),
]


@pytest.fixture(scope="module")
def promtool() -> Path:
    return toolchain.promtool(lambda words: None)


@pytest.fixture(scope="module", params=STACKS)
def rule_file(request, tmp_path_factory) -> Path:
    return written(request.param, tmp_path_factory.mktemp("rules"))


def written(stack: str, folder: Path) -> Path:
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": groups(watched(stack))}))
    return file


def test_prometheus_reads_every_rule(promtool, rule_file):
    done = subprocess.run(
        [promtool, "check", "rules", rule_file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def minutes(duration: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([mh])", duration).groups()
    return int(number) * {"m": 1, "h": MINUTES}[unit]


def firing(alert: str, minute: int, expected: int) -> dict:
    return {
        "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": "{}", "value": expected}] if expected else [],
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_alert_fires_when_it_has_held_for_its_time_and_not_just_below(promtool, tmp_path, case):
    wait = minutes(rules(watched(case.stack))[case.alert]["for"])
    early, late = case.begins + wait - 1, case.begins + wait + 2

    def judged(series: SERIES, *tests: dict) -> dict:
        rows = [{"series": name, "values": values} for name, values in series.items()]
        return {"interval": "1m", "input_series": rows, "promql_expr_test": list(tests)}

    file = tmp_path / "tests.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "rule_files": [written(case.stack, tmp_path).name],
                "evaluation_interval": "1m",
                "tests": [
                    judged(case.fires, firing(case.alert, early, 0), firing(case.alert, late, 1)),
                    judged(case.quiet, firing(case.alert, late, 0)),
                ],
            }
        )
    )
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case():
    declared = {alert for stack in STACKS for alert in rules(watched(stack))}
    assert {case.alert for case in CASES} == declared
