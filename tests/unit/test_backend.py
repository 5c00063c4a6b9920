"""The backend in production shape: its arithmetic, its environment, its way of being replaced."""

import json

import pytest

from components.runtime import UPSTREAM_DEFAULTS
from settings.environment import OWNED_ENV
from tests.stack_files import stack_file
from tests.unit.recorder import Program, engine_config, plain, record, run, whole_program


def lab(**sections) -> Program:
    return run(stack_file("lab") | sections)


def spec(program: Program) -> dict:
    return program.one("Deployment", "backend").inputs["spec"]


def server(program: Program) -> dict:
    (container,) = program.pods["backend"]["containers"]
    return container


def environment(program: Program) -> dict:
    return program.one("ConfigMap", "runtime-config").inputs["data"]


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


# --- being replaced ----------------------------------------------------------------------------


@pytest.mark.parametrize(("flow", "stop"), [(300, 15), (60, 5), (1, 1), (3600, 120)])
def test_a_flow_that_began_before_a_rollout_ends_before_the_kill(flow, stop):
    program = lab(backend={"longestFlowSeconds": flow, "preStopSeconds": stop})
    grace = program.pods["backend"]["terminationGracePeriodSeconds"]
    assert server(program)["lifecycle"]["preStop"]["sleep"]["seconds"] == stop
    assert stop + flow < grace
    assert flow <= int(environment(program)["UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN"]) < grace - stop


def test_idle_connections_are_closed_by_the_proxy_first():
    assert int(environment(lab())["UVICORN_TIMEOUT_KEEP_ALIVE"]) > 60


def test_a_pod_leaves_after_its_successor_is_ready():
    strategy = spec(lab())["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def test_a_volume_of_one_node_lets_the_old_pod_leave_first():
    program = lab(storage={"accessMode": "ReadWriteOnce"}, backend={"scale": {"replicas": 1}})
    assert spec(program)["strategy"] == {"type": "Recreate"}
    assert "podAffinity" in program.pods["bootstrap"]["affinity"]
    assert "affinity" not in lab().pods["bootstrap"]


def test_nobody_gives_up_before_the_startup_probe_does():
    program = lab()
    probe = server(program)["startupProbe"]
    start = probe["periodSeconds"] * probe["failureThreshold"]
    assert start >= 600
    progress = spec(program)["progressDeadlineSeconds"]
    timeouts = program.one("Deployment", "backend").request.customTimeouts
    assert start < progress < seconds(timeouts.create)
    assert 2 * progress < seconds(timeouts.update)
    job = program.one("Job", "bootstrap")
    _, sidecar = program.pods["bootstrap"]["initContainers"]
    start = sidecar["startupProbe"]["periodSeconds"] * sidecar["startupProbe"]["failureThreshold"]
    deadline = job.inputs["spec"]["activeDeadlineSeconds"]
    assert 600 <= start < deadline < seconds(job.request.customTimeouts.create)


def test_the_bootstrap_comes_after_the_state_and_before_the_replicas():
    program = lab()
    job, backend = program.one("Job", "bootstrap"), program.one("Deployment", "backend")
    assert job.urn in backend.request.dependencies
    assert program.one("StatefulSet", "database").urn in job.request.dependencies
    assert program.one("Deployment", "cache").urn in job.request.dependencies


def test_the_bootstrap_checks_the_key_before_the_application_sees_the_data():
    program = lab()
    (guard,) = program.pods["bootstrap-key"]["containers"]
    (record,) = program.pods["bootstrap"]["containers"]
    assert guard["command"][3] == "check"
    assert record["command"][3] == "record"
    assert program.pods["bootstrap"]["initContainers"][1]["restartPolicy"] == "Always"
    dependencies = program.one("Job", "bootstrap").request.dependencies
    assert program.one("Job", "bootstrap-key").urn in dependencies


def test_a_refusal_of_the_key_is_the_last_word_of_its_job():
    spec = lab().one("Job", "bootstrap-key").inputs["spec"]
    assert spec["backoffLimit"] == 0
    assert {rule["action"] for rule in spec["podFailurePolicy"]["rules"]} == {"Ignore"}


def test_the_bootstrap_runs_what_the_replicas_run():
    program = lab()
    _, sidecar = program.pods["bootstrap"]["initContainers"]
    for same in ("image", "env", "envFrom", "volumeMounts"):
        assert sidecar[same] == server(program)[same]
    assert "command" not in server(program)
    assert "args" not in server(program)


# --- scale -------------------------------------------------------------------------------------


def test_replicas_are_spread_over_hosts_and_zones_where_there_are_any():
    pods = lab().pods["backend"]
    assert {row["topologyKey"] for row in pods["topologySpreadConstraints"]} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    assert {row["whenUnsatisfiable"] for row in pods["topologySpreadConstraints"]} == {"ScheduleAnyway"}
    # An anti-affinity counts the pods of an old revision, and keeps new ones off the node that those are on.
    assert {tuple(row["matchLabelKeys"]) for row in pods["topologySpreadConstraints"]} == {
        ("pod-template-hash",)
    }
    assert "affinity" not in pods


def test_an_autoscaler_alone_owns_the_number_of_replicas():
    program = lab(backend={"scale": {"min": 2, "max": 3, "cpuPercent": 70}})
    assert "replicas" not in spec(program)
    assert list(program.one("Deployment", "backend").request.ignoreChanges) == ["spec.replicas"]
    assert not lab().one("Deployment", "backend").request.ignoreChanges


def test_a_fixed_number_takes_the_replicas_back_from_an_autoscaler():
    def annotations(program: Program) -> dict:
        return program.one("Deployment", "backend").inputs["metadata"].get("annotations", {})

    assert annotations(lab()) == {"pulumi.com/patchForce": "true"}
    assert annotations(lab(backend={"scale": {"min": 2, "max": 3}})) == {}


def test_an_autoscaler_has_a_range_and_a_target():
    program = lab(backend={"scale": {"min": 2, "max": 3, "cpuPercent": 70}})
    scaler = program.one("HorizontalPodAutoscaler", "backend-autoscaler").inputs["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 3)
    assert scaler["scaleTargetRef"]["name"] == program.names[program.one("Deployment", "backend").urn]
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


def test_a_drain_may_take_one_of_several_replicas_and_the_only_one():
    budget = lab().one("PodDisruptionBudget", "backend-budget").inputs["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert not [
        declared
        for declared in lab(backend={"scale": {"replicas": 1}}).of("PodDisruptionBudget")
        if declared.name == "backend-budget"
    ]


# --- environment -------------------------------------------------------------------------------


def test_the_guides_environment_is_there():
    program = lab()
    assert {
        "SKILLFLAW_CONFIG_DIR": "/var/lib/skillflaw",
        "SKILLFLAW_CONFIG_MODEL": "local",
        "SKILLFLAW_CACHE_TYPE": "redis",
        "SKILLFLAW_REDIS_HOST": "redis",
        "SKILLFLAW_REDIS_PORT": "6379",
        "SKILLFLAW_HOST": "0.0.0.0",  # noqa: S104 - inside the container
        "SKILLFLAW_PORT": "7860",
        "SKILLFLAW_OPEN_BROWSER": "false",
    }.items() <= environment(program).items()
    assert {variable["name"] for variable in server(program)["env"]} == {
        "SKILLFLAW_DATABASE_URL",
        "SKILLFLAW_REDIS_URL",
        "SKILLFLAW_SUPERUSER_PASSWORD",
    }


def test_pods_stay_in_their_service_while_a_standby_takes_over_from_a_dead_node():
    probe = server(lab())["readinessProbe"]
    assert probe["httpGet"]["path"] == "/health_check"
    # 76 to 82 s on the lab (`make drill`).
    assert probe["periodSeconds"] * probe["failureThreshold"] == 90


def test_two_words_are_enough_for_an_image_without_health_check():
    program = lab(backend={"probes": {"startup": "/health", "readiness": "/health"}})
    containers = [
        container
        for spec in program.pods.values()
        for kind in ("initContainers", "containers")
        for container in spec.get(kind, [])
    ]
    asked = {
        container[probe]["httpGet"]["path"]
        for container in containers
        for probe in ("startupProbe", "readinessProbe", "livenessProbe")
        if "httpGet" in container.get(probe, {})
    }
    # `/` is the web servers'.
    assert asked == {"/health", "/"}


def test_the_key_is_a_file_in_a_mounted_directory():
    program = lab()
    file = environment(program)["SKILLFLAW_SECRET_KEY_FILE"]
    (mount,) = [m for m in server(program)["volumeMounts"] if file.startswith(f"{m['mountPath']}/")]
    (volume,) = [v for v in program.pods["backend"]["volumes"] if v["name"] == mount["name"]]
    assert mount["readOnly"]
    assert f"{mount['mountPath']}/{volume['secret']['items'][0]['path']}" == file


def test_what_only_the_upstream_knows_can_be_overridden_and_the_rest_is_owned():
    program = lab()
    sent = environment(program).keys() | {variable["name"] for variable in server(program)["env"]}
    overridable = UPSTREAM_DEFAULTS.keys() | {"SKILLFLAW_CORS_ORIGINS"}
    assert sent - overridable <= OWNED_ENV
    assert not overridable & OWNED_ENV
    changed = lab(backend={"env": {"SKILLFLAW_LOG_LEVEL": "DEBUG", "MINE": "1"}})
    assert environment(changed)["SKILLFLAW_LOG_LEVEL"] == "DEBUG"
    assert environment(changed)["MINE"] == "1"


API = {"host": "api.skillflaw.test"}
ONLY_AN_API = {"surfaces": {"api": API}}
STORED = ("SKILLFLAW_TRANSACTIONS_STORAGE_ENABLED", "SKILLFLAW_VERTEX_BUILDS_STORAGE_ENABLED")


def records(**sections) -> str:
    """What both variables say."""
    (word,) = {environment(lab(**sections))[name] for name in STORED}
    return word


@pytest.mark.parametrize(
    "sections",
    [
        {},
        ONLY_AN_API | {"surfaces": {"api": API | {"allow": ["run", "management"]}}},
        ONLY_AN_API | {"network": {"edge": [{"namespace": "traefik"}], "callers": [{"namespace": "shop"}]}},
        ONLY_AN_API | {"network": {"policies": False}},
        {"surfaces": {"docs": {"host": "docs.skillflaw.test"}}},
    ],
    ids=["UI", "management", "callers", "no policies", "no API"],
)
def test_runs_leave_records_wherever_somebody_may_read_them(sections):
    assert records(**sections) == "true"


@pytest.mark.parametrize("more", [{}, {"docs": {"host": "docs.skillflaw.test"}}])
def test_an_api_that_opens_no_path_to_records_keeps_none(more):
    assert records(surfaces={"api": API} | more) == "false"


@pytest.mark.parametrize("word", [True, False])
@pytest.mark.parametrize("sections", [{}, ONLY_AN_API], ids=["UI", "only an API"])
def test_the_stack_file_decides_about_records_whoever_may_read_them(sections, word):
    assert records(backend={"records": word}, **sections) == str(word).lower()


def test_browsers_may_call_from_exactly_the_public_host():
    assert environment(lab())["SKILLFLAW_CORS_ORIGINS"] == "https://app.skillflaw.test"
    api = {"api": {"host": "api.skillflaw.test"}}
    assert environment(lab(surfaces=api))["SKILLFLAW_CORS_ORIGINS"] == "https://api.skillflaw.test"
    assert environment(run(stack_file("dev")))["SKILLFLAW_CORS_ORIGINS"] == "http://localhost:7860"


def test_the_pool_is_the_stack_files():
    database = stack_file("lab")["database"] | {"poolSize": 4, "maxOverflow": 3}
    pool = json.loads(environment(lab(database=database))["SKILLFLAW_DB_CONNECTION_SETTINGS"])
    assert (pool["pool_size"], pool["max_overflow"], pool["pool_pre_ping"]) == (4, 3, True)


# --- external state ----------------------------------------------------------------------------

EXTERNAL = {
    "database": {"external": {"secretName": "their-database", "key": "url"}},
    "cache": {"external": {"secretName": "their-redis", "key": "rediss"}},
    "secretKey": {"existing": {"secretName": "their-key", "key": "fernet", "version": "2026-11"}},
    "superuser": {"password": {"secretName": "their-admin", "key": "word"}},
    "backup": {"schedule": "0 3 * * *", "password": {"secretName": "their-backups", "key": "word"}},
    "network": {
        "edge": [{"namespace": "traefik"}],
        "egress": [{"cidr": "10.20.0.0/16", "ports": [5432, 6379]}],
    },
}


def test_state_of_others_is_referred_to_and_never_made():
    program = lab(**EXTERNAL)
    assert not program.of("Secret", "StatefulSet", "RandomPassword", "RandomBytes")
    references = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"] for variable in server(program)["env"]
    }
    assert references == {
        "SKILLFLAW_DATABASE_URL": {"name": "their-database", "key": "url"},
        "SKILLFLAW_REDIS_URL": {"name": "their-redis", "key": "rediss"},
        "SKILLFLAW_SUPERUSER_PASSWORD": {"name": "their-admin", "key": "word"},
    }
    assert "SKILLFLAW_REDIS_HOST" not in environment(program)
    assert program.outputs["superuserSecret"] == {"name": "their-admin", "passwordKey": "word"}


def test_a_generated_key_stays_when_a_key_of_others_takes_its_place():
    config = engine_config(stack_file("lab") | {"secretKey": EXTERNAL["secretKey"]})
    program = record(whole_program, config=config, before={"generatedKey": True})
    assert program.of("RandomBytes")
    assert program.one("Secret", "secret-key-secret")
    (key,) = [volume for volume in program.pods["backend"]["volumes"] if volume["name"] == "secret-key"]
    assert key["secret"]["secretName"] == "their-key"
    assert program.outputs["generatedKey"]


def test_a_new_version_of_a_key_of_others_replaces_exactly_the_pods_that_read_it():
    def annotated(version: str) -> dict:
        key = EXTERNAL["secretKey"]["existing"] | {"version": version}
        program = lab(**EXTERNAL | {"secretKey": {"existing": key}})
        return {declared.name: declared.inputs for declared in program.objects}

    old, new = annotated("2026-11"), annotated("2026-12")
    assert {name for name in old if old[name] != new[name]} == {"bootstrap-key", "bootstrap", "backend"}


def test_no_cache_means_a_cache_of_the_process():
    program = lab(cache={"none": True}, backend={"scale": {"replicas": 1}})
    assert environment(program)["SKILLFLAW_CACHE_TYPE"] == "async"
    assert "cache" not in program.pods


def test_redis_evicts_before_its_container_is_killed():
    program = lab(cache={"inCluster": {"memory": "256Mi"}})
    config = plain(program.one("Secret", "cache-secret").inputs)["stringData"]["redis.conf"]
    assert f"maxmemory {256 * 2**20 * 75 // 100}\n" in config
    assert "maxmemory-policy allkeys-lru\n" in config
