"""What Prometheus and Grafana are given, and that nothing is without being asked for."""

import json
import re

import pytest

from components.alerts import Watched, alerts
from components.edge import Target
from components.edge_series import SERIES
from settings.load import parse
from settings.problems import SettingsError
from settings.sections import Controller
from tests.alerting import EVERYTHING, OPERATED, STACKS, rules, watched
from tests.edits import edited
from tests.stack_files import filled_in, stack_file
from tests.unit.evaluator import Address, Pod, passes
from tests.unit.recorder import ROOT, Program, plain, run

RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()
SCRAPED = {key: value for key, value in EVERYTHING.items() if key != "monitoring"}
PROMETHEUS = Pod("monitoring", {"app.kubernetes.io/name": "prometheus", "more": "labels"})
INSTANCE = Pod("skillflaw", {"cnpg.io/cluster": "database", "cnpg.io/podRole": "instance"})
STRANGERS = [
    Pod("monitoring", {"app.kubernetes.io/name": "grafana"}),
    Pod("elsewhere", dict(PROMETHEUS.labels)),
    Pod("skillflaw", {}),
    Pod("traefik", {"app.kubernetes.io/name": "traefik"}),
    Address("10.1.2.3"),
]


def asked(**monitoring) -> Program:
    """The lab's stack with these keys of `monitoring`."""
    edits = SCRAPED if "metrics" in monitoring else {}
    return run(edited(edits | {"monitoring": monitoring}))


def kinds(program: Program) -> set[str]:
    return {it.kind for it in program.objects if it.name.startswith("monitoring-")}


# --- absent unless asked -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dev", "lab", "prod"])
def test_nobody_is_given_anything_without_being_asked_for(name):
    program = run(filled_in(name))
    assert kinds(program) == set()
    assert not any("PROMETHEUS" in key for it in program.of("ConfigMap") for key in it.inputs["data"])


@pytest.mark.parametrize(
    ("key", "found"),
    [("metrics", {"PodMonitor"}), ("rules", {"PrometheusRule"}), ("dashboard", {"ConfigMap"})],
)
def test_each_of_the_three_comes_alone(key, found):
    assert kinds(asked(**{key: {}})) == found


# --- scrapes -----------------------------------------------------------------------------------


def test_the_backend_listens_on_the_port_that_the_pod_monitor_names():
    program = asked(metrics={"interval": "15s", "labels": {"release": "prometheus"}})
    monitor = program.one("PodMonitor", "monitoring-backend").inputs
    assert monitor["spec"]["podMetricsEndpoints"] == [{"port": "metrics", "interval": "15s"}]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    template = program.templates["backend"]
    selector = monitor["spec"]["selector"]["matchLabels"]
    assert selector.items() <= template["metadata"]["labels"].items()
    [port] = [it for it in template["spec"]["containers"][0]["ports"] if it["name"] == "metrics"]
    environment = program.one("ConfigMap", "runtime-config").inputs["data"]
    assert environment["SKILLFLAW_PROMETHEUS_PORT"] == str(port["containerPort"])
    assert environment["SKILLFLAW_PROMETHEUS_ENABLED"] == "true"


def test_a_pod_monitor_selects_no_pods_but_those_it_means():
    program = asked(metrics={})
    selector = program.one("PodMonitor", "monitoring-backend").inputs["spec"]["selector"]["matchLabels"]
    selected = {
        name for name, it in program.templates.items() if selector.items() <= it["metadata"]["labels"].items()
    }
    assert selected == {"backend"}


def test_instances_of_an_operators_database_are_scraped_too():
    program = watched("a database of an operator")
    monitor = program.one("PodMonitor", "monitoring-database").inputs["spec"]
    assert monitor["selector"]["matchLabels"].items() <= INSTANCE.labels.items()
    assert monitor["podMetricsEndpoints"] == [{"port": "metrics"}]


def test_who_scrapes_reaches_the_metrics_ports_and_nobody_else_does():
    program = watched("a database of an operator")
    policies = [it.inputs for it in program.of("NetworkPolicy")]
    backend = Pod("skillflaw", program.templates["backend"]["metadata"]["labels"])
    for target, port in ((backend, 9090), (INSTANCE, 9187)):
        open_to = [it for it in (PROMETHEUS, *STRANGERS) if passes(policies, it, target, port)]
        assert open_to == [PROMETHEUS]
    for target, ports in ((backend, (7860, 9187)), (INSTANCE, (5432, 8000, 9090))):
        assert not any(passes(policies, PROMETHEUS, target, port) for port in ports)
    for name in ("frontend", "docs", "redis", "backup", "bootstrap"):
        part = Pod("skillflaw", {"app.kubernetes.io/name": "skillflaw", "app.kubernetes.io/component": name})
        assert not any(passes(policies, PROMETHEUS, part, port) for port in (80, 5432, 6379, 8080, 9090))


def test_an_open_network_needs_no_peer_that_scrapes():
    assert kinds(run(edited({"network": {"policies": False}, "monitoring": {"metrics": {}}}))) == {
        "PodMonitor"
    }


@pytest.mark.parametrize("name", ["SKILLFLAW_PROMETHEUS_PORT", "SKILLFLAW_PROMETHEUS_ENABLED"])
def test_the_port_is_the_programs_to_set(name):
    with pytest.raises(SettingsError) as refused:
        parse(stack_file("lab") | {"backend": {"env": {name: "9090"}}}, set())
    [problem] = [it for it in refused.value.problems if it.path == f"backend.env.{name}"]
    assert "monitoring.metrics" in problem.remedy


@pytest.mark.parametrize("interval", ["0s", "30", "1.5m", "1h30m", "-5s", ""])
def test_an_interval_that_prometheus_does_not_read_so_is_refused(interval):
    with pytest.raises(SettingsError) as refused:
        parse(edited(SCRAPED | {"monitoring": {"metrics": {"interval": interval}}}), set())
    assert [it.path for it in refused.value.problems] == ["monitoring.metrics.interval"]


# --- alerts ------------------------------------------------------------------------------------


def all_rules() -> dict[str, dict]:
    return {name: rule for stack in STACKS for name, rule in rules(watched(stack)).items()}


SECTIONS = re.findall(r"^## (SkillFlaw\w+)$", RUNBOOKS, re.MULTILINE)
TABLE = {
    row[0]: row[1:]
    for row in re.findall(
        r"^\| \[(\w+)\]\(#(\w+)\) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", RUNBOOKS, re.MULTILINE
    )
}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert sorted(SECTIONS) == sorted(all_rules()) == sorted(TABLE)
    assert len(SECTIONS) == len(set(SECTIONS))


@pytest.mark.parametrize("name", SECTIONS)
def test_a_runbook_says_what_it_means_what_to_look_at_and_what_to_do(name):
    text = RUNBOOKS.split(f"\n## {name}\n")[1].split("\n## ")[0]
    positions = [text.find(f"**{word}**:") for word in ("Means", "Look at", "Do")]
    assert -1 not in positions
    assert positions == sorted(positions)


def test_an_alert_names_its_runbook_its_severity_and_its_namespace():
    for name, rule in all_rules().items():
        page, _, section = rule["annotations"]["runbook"].partition("#")
        assert (page, section) == ("docs/runbooks.md", name.lower())
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["labels"]["namespace"] == "skillflaw"
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def duration(words: str) -> str:
    number, unit = words.split()
    return f"{number}{unit[0]}"


@pytest.mark.parametrize("stack", STACKS)
def test_the_documented_table_is_what_is_declared(stack):
    for name, rule in rules(watched(stack)).items():
        _, wait, _, series = TABLE[name]
        assert rule["for"] == duration(wait.strip()), name
        assert used(rule["expr"]) <= set(re.findall(r"`(\w+)`", series)), name


def test_the_documented_table_names_no_series_that_no_alert_uses():
    for name, (_, _, _, series) in TABLE.items():
        exprs = [found[name]["expr"] for stack in STACKS if name in (found := rules(watched(stack)))]
        assert set(re.findall(r"`(\w+)`", series)) == set().union(*map(used, exprs)), name


def used(expr: str) -> set[str]:
    """Series in an expression."""
    return set(re.findall(r"([a-z_]\w*)\{", re.sub(r'"[^"]*"', '""', expr)))


def selectors(expr: str) -> list[str]:
    """Label matchers of each series in an expression."""
    return re.findall(r"\w\{(.*?)\}(?=[^\"]*(?:\"[^\"]*\"[^\"]*)*$)", expr)


OURS = re.compile(
    r'(^|,)(namespace|exported_namespace)="skillflaw"(,|$)'
    r'|service=~"(skillflaw-skillflaw-(backend|frontend|docs)-\d+@kubernetes\|?)+"'
    r'|proxy=~"(skillflaw_svc_skillflaw-(backend|frontend|docs)_http\|?)+"'
)


@pytest.mark.parametrize("stack", STACKS)
def test_no_expression_speaks_of_another_namespace(stack):
    for name, rule in rules(watched(stack)).items():
        found = selectors(rule["expr"])
        assert len(found) == len(re.findall(r"\w\{", rule["expr"])), name
        assert all(OURS.search(each) for each in found), name


@pytest.mark.parametrize("stack", STACKS)
def test_every_bracket_of_an_expression_is_closed(stack):
    for name, rule in rules(watched(stack)).items():
        bare = re.sub(r'"[^"]*"', "", rule["expr"])
        for one, other in ("()", "{}", "[]"):
            assert bare.count(one) == bare.count(other), name


EDGE = {"SkillFlawRequestsFailing", "SkillFlawRequestsSlow"}


@pytest.mark.parametrize("controller", Controller.__args__)
def test_requests_are_watched_where_the_controller_counts_them(controller):
    watch = Watched(
        public=[Target(component="backend", port=7860)],
        deployments=["skillflaw-backend"],
        controller=controller,
        flows=True,
    )
    found = {alert.name for alert in alerts("x", watch)} & (EDGE | {"SkillFlawFlowsFailing"})
    assert found == (EDGE if controller in SERIES else set()) | (
        {"SkillFlawFlowsFailing"} if controller == "nginx" else set()
    )


def test_a_gateway_and_a_stack_without_hosts_have_no_alert_about_requests():
    gateway = {"edge": {"gateway": {"name": "public", "namespace": "traefik"}}}
    private = {"surfaces": None, "edge": None, "network": {}}
    for edits in (gateway, private):
        program = run(edited(edits | {"monitoring": {"rules": {}}}))
        assert not rules(program).keys() & EDGE
        assert "SkillFlawUnavailable" in rules(program)


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("0 3 * * *", 30 * 3600),
        ("0 3,15 * * *", 30 * 3600),
        ("0 3 * * 1-5", 78 * 3600),
        ("0 3 * * 0", 174 * 3600),
    ],
)
def test_a_backup_is_missed_once_the_longest_wait_of_its_schedule_is_over(schedule, seconds):
    expr = rules(run(edited(EVERYTHING | {"backup.schedule": schedule})))["SkillFlawBackupMissing"]["expr"]
    assert set(re.findall(r"> (\d+)", expr)) == {str(seconds)}


@pytest.mark.parametrize("schedule", [None, "0 0 31 2 *"])
def test_no_backup_is_missed_where_none_is_ever_due(schedule):
    found = rules(run(edited(EVERYTHING | {"backup.schedule": schedule})))
    assert not found.keys() & {"SkillFlawBackupMissing", "SkillFlawBackupUnverified"}


@pytest.mark.parametrize(
    ("edits", "names"),
    [
        ({}, "skillflaw-api-tls|skillflaw-app-tls|skillflaw-docs-tls"),
        ({"surfaces.docs.tls": {"secretName": "own"}}, "skillflaw-api-tls|skillflaw-app-tls"),
        ({"edge.issuer": None}, None),
    ],
)
def test_the_certificates_that_are_watched_are_those_of_the_issuer(edits, names):
    found = rules(run(edited(EVERYTHING | edits)))
    if names is None:
        assert "SkillFlawCertificateNotRenewed" not in found
    else:
        assert f'name=~"{names}"' in found["SkillFlawCertificateNotRenewed"]["expr"]


@pytest.mark.parametrize(
    ("edits", "claims"),
    [
        ({}, {"skillflaw-backend-data", "postgresql-data", "skillflaw-backups"}),
        ({"backup.schedule": None}, {"skillflaw-backend-data", "postgresql-data"}),
        ({"storage.existingClaim": "theirs"}, {"theirs", "postgresql-data", "skillflaw-backups"}),
        (OPERATED, {"skillflaw-backend-data", "database(-g[0-9]+)?-[0-9]+(-wal)?", "skillflaw-backups"}),
    ],
)
def test_the_volumes_that_are_watched_are_those_of_the_stack(edits, claims):
    expr = rules(run(edited(EVERYTHING | edits)))["SkillFlawVolumeFilling"]["expr"]
    for found in re.findall(r'persistentvolumeclaim=~"([^"]*)"', expr):
        assert set(found.split("|")) == claims


@pytest.mark.parametrize(("instances", "watched_for"), [(1, False), (2, True), (3, True)])
def test_a_single_instance_misses_no_standby(instances, watched_for):
    database = {"database": {"cloudNativePg": {"major": 15, "className": "local", "instances": instances}}}
    found = rules(run(edited(EVERYTHING | OPERATED | database)))
    assert ("SkillFlawDatabaseWithoutStandby" in found) == watched_for
    assert ("cnpg_pg_replication" in found["SkillFlawReplicaMissing"]["expr"]) == watched_for


def test_what_is_scraped_by_nobody_is_watched_by_nobody():
    found = rules(run(edited(OPERATED | {"monitoring": {"rules": {}}})))
    assert "SkillFlawScrapeFailing" not in found
    assert not any("cnpg_" in rule["expr"] for rule in found.values())


# --- the dashboard -----------------------------------------------------------------------------


def board(program: Program) -> dict:
    [(name, text)] = program.one("ConfigMap", "monitoring-dashboard").inputs["data"].items()
    assert name == "skillflaw-skillflaw.json"
    return json.loads(text)


def test_the_dashboard_shows_series_that_the_runbooks_name_of_this_namespace_alone():
    panels = board(asked(dashboard={}))["panels"]
    exprs = [target["expr"] for panel in panels for target in panel["targets"]]
    known = set(re.findall(r"`(\w+)`", RUNBOOKS))
    ours = re.compile(
        r'namespace="skillflaw"|service=~"skillflaw-skillflaw-\(|proxy=~"skillflaw_svc_skillflaw-\('
    )
    for expr in exprs:
        assert used(expr) <= known, expr
        assert all(ours.search(each) for each in selectors(expr)), expr
        assert "@" not in expr.replace("@kubernetes", "")


def test_panels_neither_share_a_place_nor_a_number():
    panels = board(asked(dashboard={}))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_grafana_finds_the_dashboard_by_its_usual_label_or_by_another():
    usual = asked(dashboard={}).one("ConfigMap", "monitoring-dashboard").inputs["metadata"]["labels"]
    assert usual["grafana_dashboard"] == "1"
    own = asked(dashboard={"labels": {"dashboards": "ours"}})
    labels = own.one("ConfigMap", "monitoring-dashboard").inputs["metadata"]["labels"]
    assert labels["dashboards"] == "ours"
    assert "grafana_dashboard" not in labels


def test_dashboards_of_two_stacks_are_two_files():
    names = set()
    for namespace in ("skillflaw", "skillflaw-dev"):
        program = run(edited({"monitoring": {"dashboard": {}}, "namespace": {"name": namespace}}))
        names |= plain(program.one("ConfigMap", "monitoring-dashboard").inputs)["data"].keys()
    assert names == {"skillflaw-skillflaw.json", "skillflaw-skillflaw-dev.json"}
