"""A database that CloudNativePG runs: what the operator is asked for, and who may speak with its pods."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from settings.load import parse
from settings.problems import SettingsError
from tests.stack_files import stack_file
from tests.unit.evaluator import Address, Pod, passes
from tests.unit.recorder import SENTINEL, Program, plain, run

API_SERVER = Address("10.86.0.1")
OPERATOR = Pod("cnpg-system", {"app.kubernetes.io/name": "cloudnative-pg"})
DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
INSTANCE = Pod("skillflaw", {"cnpg.io/cluster": "database", "cnpg.io/podRole": "instance"})
JOIN = Pod("skillflaw", {"cnpg.io/cluster": "database", "cnpg.io/jobRole": "join"})
STRANGERS = [
    Pod("skillflaw", {}),
    Pod("cnpg-system", {"app": "another"}),
    Pod("elsewhere", {"cnpg.io/cluster": "database"}),
    Address("10.1.2.3"),
]
TRIED = (22, 53, 80, 443, 5353, 5432, 6443, 8000, 9187)


def file(*, protected: bool = False, **own: Any) -> dict[str, Any]:
    """The lab's stack file with a database that CloudNativePG runs, and keys of its own."""
    lab = stack_file("lab")
    return lab | {
        "database": {"cloudNativePg": {"major": 15, "className": "local"} | own},
        "network": lab["network"] | {"apiServer": [{"cidr": "10.86.0.1/32", "ports": [6443]}]},
        "protection": {"enabled": protected},
        "backup": {"schedule": "0 3 * * *"},
        "edge": {"ingress": {"className": "traefik"}, "issuer": "lab"},
        "surfaces": {"api": {"host": "api.skillflaw.test"}},
    }


def cluster(program: Program) -> dict[str, Any]:
    return program.one("Cluster", "database").inputs["spec"]


def part(name: str) -> Pod:
    return Pod("skillflaw", {"app.kubernetes.io/name": "skillflaw", "app.kubernetes.io/component": name})


@pytest.fixture(scope="module")
def program() -> Program:
    return run(file())


def reach(program: Program, source, target) -> set[int]:
    policies = [declared.inputs for declared in program.of("NetworkPolicy")]
    return {port for port in TRIED if passes(policies, source, target, port)}


# --- the Cluster -------------------------------------------------------------------------------


def test_whoever_comes_over_the_network_comes_by_tls_and_with_a_password(program):
    assert cluster(program)["postgresql"]["pg_hba"] == [
        "hostssl all all all scram-sha-256",
        "hostnossl all all all reject",
    ]


def test_clients_verify_the_server_by_the_operators_authority(program):
    secret = plain(program.one("Secret", "database-secret").inputs)["stringData"]["url"]
    file = "/run/secrets/database/ca.crt"
    assert f"@database-rw:5432/skillflaw?sslmode=verify-full&sslrootcert={file}&" in secret
    every = [
        (pod, container)
        for pod, spec in program.pods.items()
        for container in (*spec.get("initContainers", ()), *spec["containers"])
    ]
    verify = {
        (pod, container["name"])
        for pod, container in every
        if any(mount["mountPath"] == "/run/secrets/database" for mount in container["volumeMounts"])
    }
    assert verify == {
        (pod, container["name"])
        for pod, container in every
        if any(row["name"].endswith("DATABASE_URL") for row in container.get("env", ()))
    }
    pods = {pod for pod, _ in verify}
    assert pods == {"backend", "bootstrap", "bootstrap-key", "backup"}
    for pod in pods:
        [volume] = [row for row in program.pods[pod]["volumes"] if row["name"] == "database-authority"]
        assert volume["secret"]["secretName"] == "database-ca"
        # The operator keeps the authority's private key in the same Secret.
        assert volume["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]


ROTATES = {
    "secretKey": {
        "existing": {
            "secretName": "new", "key": "key", "version": "2", "previous": {"secretName": "old", "key": "key"}
        }
    }
}  # fmt: skip


@pytest.mark.parametrize("edit", [{}, ROTATES], ids=["one key", "two keys"])
def test_every_mount_of_a_pod_has_its_volume_and_whoever_asks_the_database_can_verify_it(edit):
    for pod, spec in run(file() | edit).pods.items():
        volumes = {row["name"] for row in spec["volumes"]}
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            mounts = {mount["name"] for mount in container["volumeMounts"]}
            asks = any(row["name"].endswith("DATABASE_URL") for row in container.get("env", ()))
            assert mounts <= volumes, f"{pod}/{container['name']}"
            assert ("database-authority" in mounts) == asks, f"{pod}/{container['name']}"


def test_a_client_gives_a_dead_server_up_within_seconds_and_not_hours(program):
    url = plain(program.one("Secret", "database-secret").inputs)["stringData"]["url"]
    options = {key: int(value) for key, value in parse_qsl(urlsplit(url).query) if value.isdigit()}
    silent = options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"]
    assert max(silent, options["tcp_user_timeout"] / 1000, options["connect_timeout"]) <= 30


def test_the_application_is_no_superuser_and_no_superuser_signs_in(program):
    spec = cluster(program)
    assert spec["enableSuperuserAccess"] is False
    assert [role.keys() for role in spec["managed"]["roles"]] == [{"name", "login", "passwordSecret"}]
    assert spec["bootstrap"]["initdb"]["owner"] == spec["managed"]["roles"][0]["name"] == "skillflaw"


def test_the_operator_and_the_clients_have_one_password_and_the_operator_follows_it(program):
    role, url = (program.one("Secret", f"database-{name}").inputs for name in ("role", "secret"))
    assert role["metadata"]["labels"]["cnpg.io/reload"] == "true"
    assert role["metadata"]["name"] == "database-role"
    assert not role.get("immutable")
    assert url["immutable"]
    password = plain(role)["stringData"]["password"]
    assert SENTINEL in password
    assert (
        password.replace("/", "%2F").replace("+", "%2B").replace("@", "%40")
        in plain(url)["stringData"]["url"]
    )


def test_another_word_makes_another_password_and_rolls_who_signs_in_with_it():
    one, two = (run(file(passwordVersion=word)) for word in ("one", "two"))
    passwords = [it.one("RandomPassword", "database-password") for it in (one, two)]
    assert [row.inputs["keepers"] for row in passwords] == [{"version": "one"}, {"version": "two"}]
    assert list(passwords[0].request.ignoreChanges) == ["length", "special"]
    assert not passwords[0].request.protect


def test_no_instance_shares_a_node_and_zones_are_preferred_to_differ(program):
    spec = cluster(program)
    assert spec["affinity"]["podAntiAffinityType"] == "required"
    assert spec["affinity"]["topologyKey"] == "kubernetes.io/hostname"
    [zones] = spec["topologySpreadConstraints"]
    assert zones["whenUnsatisfiable"] == "ScheduleAnyway"
    assert zones["labelSelector"] == {"matchLabels": {"cnpg.io/cluster": "database"}}


@pytest.mark.parametrize(
    ("own", "durability"),
    [
        ({"instances": 1}, None),
        ({}, "preferred"),
        ({"instances": 3}, "required"),
        ({"instances": 3, "synchronous": "preferred"}, "preferred"),
        ({"instances": 2, "synchronous": "never"}, None),
    ],
)
def test_a_commit_waits_for_a_standby_where_there_are_enough(own, durability):
    postgresql = cluster(run(file(**own)))["postgresql"]
    assert postgresql.get("synchronous", {}).get("dataDurability") == durability
    # Without a quorum the operator may promote the one standby that lacks the last commits.
    assert postgresql.get("synchronous", {}).get("failoverQuorum", False) == (durability == "required")


def test_a_deleted_primary_refuses_connections_for_a_second_and_not_for_minutes(program):
    spec = cluster(program)
    assert spec["smartShutdownTimeout"] == 1
    assert spec["smartShutdownTimeout"] < spec["stopDelay"] <= 120
    assert spec["switchoverDelay"] <= 120
    assert spec["primaryUpdateMethod"] == "switchover"


def test_a_restarted_instance_is_seen_within_seconds_and_a_slow_one_keeps_half_a_minute(program):
    startup, readiness = (cluster(program)["probes"][probe] for probe in ("startup", "readiness"))
    assert startup["periodSeconds"] == readiness["periodSeconds"] == 2
    assert readiness["periodSeconds"] * readiness["failureThreshold"] == 30
    # The operator derives it from its own start delay.
    assert "failureThreshold" not in startup


@pytest.mark.parametrize(("instances", "budget"), [(1, False), (2, True), (3, True)])
def test_a_budget_never_refuses_the_drain_of_a_single_instances_node(instances, budget):
    assert cluster(run(file(instances=instances)))["enablePDB"] is budget


def test_the_image_stands_in_a_catalog_with_its_major_version(program):
    [row] = program.one("ImageCatalog", "database-catalog").inputs["spec"]["images"]
    assert row == {"major": 15, "image": stack_file("lab")["images"]["postgres"]}
    assert cluster(program)["imageCatalogRef"]["major"] == 15


def test_the_run_waits_for_a_new_cluster_and_everything_that_signs_in_comes_after(program):
    declared = program.one("Cluster", "database")
    assert declared.inputs["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Ready"}
    for kind, name in (("Secret", "database-role"), ("ImageCatalog", "database-catalog")):
        assert program.one(kind, name).urn in declared.request.dependencies
    first, second = (program.one("Job", name) for name in ("bootstrap-key", "bootstrap"))
    assert declared.urn in first.request.dependencies
    assert first.urn in second.request.dependencies
    assert declared.urn in program.one("Secret", "database-secret").request.dependencies


@pytest.mark.parametrize("instances", [1, 2, 5])
def test_the_wait_for_a_cluster_grows_with_its_instances(instances):
    waits = run(file(instances=instances)).one("Cluster", "database").request.customTimeouts
    assert int(waits.create.removesuffix("s")) >= instances * 600


def test_a_protected_cluster_refuses_to_be_deleted_and_outlives_the_stack():
    for protected in (True, False):
        declared = run(file(protected=protected)).one("Cluster", "database")
        assert (declared.request.protect, declared.request.retainOnDelete) == (protected, protected)


def test_what_the_clusters_owner_asks_of_pods_reaches_the_instances():
    asked = {
        "nodeSelector": {"example.com/pool": "data"},
        "tolerations": [
            {"key": "example.com/data", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9}
        ],
        "priorityClassName": "vital",
        "labels": {"example.com/cost": "1"},
        "annotations": {"example.com/scrape": "no"},
        "pullSecrets": ["first"],
    }
    spec = cluster(run(file(pods=asked)))
    assert spec["affinity"]["nodeSelector"] == asked["nodeSelector"]
    assert spec["affinity"]["tolerations"] == asked["tolerations"]
    assert spec["priorityClassName"] == "vital"
    assert spec["inheritedMetadata"] == {"labels": asked["labels"], "annotations": asked["annotations"]}
    assert spec["imagePullSecrets"] == [{"name": "first"}]


def test_nothing_that_is_empty_is_asked_for(program):
    """The API server drops it, and every later run would add it again."""

    def walk(value, path):
        assert value not in (None, [], {}), path
        for key, inner in value.items() if isinstance(value, dict) else ():
            walk(inner, f"{path}.{key}")

    walk(cluster(program), "spec")


# --- who speaks with whom ----------------------------------------------------------------------


def test_the_operator_hears_how_instances_are_and_reaches_nothing_else(program):
    assert reach(program, OPERATOR, INSTANCE) == {8000}
    for name in ("backend", "bootstrap", "backup", "redis"):
        assert reach(program, OPERATOR, part(name)) == set()


@pytest.mark.parametrize("own", [INSTANCE, JOIN], ids=["instance", "join"])
def test_instances_replicate_ask_each_other_the_api_server_and_dns_and_nobody_else(program, own):
    assert reach(program, own, INSTANCE) == {5432, 8000}
    assert reach(program, own, API_SERVER) == {6443}
    assert reach(program, own, DNS) == {53, 5353}
    assert reach(program, own, OPERATOR) == set()
    assert reach(program, own, Address("198.51.100.1")) == set()
    assert reach(program, own, part("backend")) == set()


def test_clients_of_the_database_reach_it_and_no_stranger_does(program):
    for name in ("backend", "bootstrap", "backup"):
        assert reach(program, part(name), INSTANCE) == {5432}
    for stranger in STRANGERS:
        assert reach(program, stranger, INSTANCE) == set()


# --- the archive, and a restore ----------------------------------------------------------------

STORE = {"endpoint": "https://s3.test/", "bucket": "copies", "secretName": "store", "prefix": "lab"}
PLUGIN = "barman-cloud.cloudnative-pg.io"
MOMENT = "2026-01-02T03:04:05Z"


@pytest.fixture(scope="module")
def archived() -> Program:
    return run(file(objectStore=STORE))


@pytest.fixture(scope="module")
def restored() -> Program:
    return run(file(objectStore=STORE, recovery={"generation": 3, "targetTime": MOMENT}))


def test_a_database_without_a_bucket_has_no_plugin_and_declares_nothing_of_it(program):
    assert {"plugins", "externalClusters"}.isdisjoint(cluster(program))
    assert not program.of("ObjectStore")
    assert not program.of("ScheduledBackup")


def test_every_change_goes_to_the_bucket_under_the_clusters_own_name(archived):
    assert cluster(archived)["plugins"] == [
        {
            "name": PLUGIN,
            "isWALArchiver": True,
            "parameters": {"barmanObjectName": "database", "serverName": "database"},
        }
    ]
    store = archived.one("ObjectStore", "database-archive")
    assert store.inputs["metadata"]["name"] == "database"
    configuration = store.inputs["spec"]["configuration"]
    assert configuration["destinationPath"] == "s3://copies/lab"
    assert configuration["endpointURL"] == "https://s3.test"
    assert configuration["s3Credentials"] == {
        "accessKeyId": {"name": "store", "key": "AWS_ACCESS_KEY_ID"},
        "secretAccessKey": {"name": "store", "key": "AWS_SECRET_ACCESS_KEY"},
    }
    assert "endpointCA" not in configuration
    assert store.urn in archived.one("Cluster", "database").request.dependencies


def test_the_first_base_backup_begins_at_once_and_the_next_ones_by_the_cron_of_the_file(archived):
    spec = archived.one("ScheduledBackup", "database-base-backups").inputs["spec"]
    assert spec["immediate"] is True
    assert spec["schedule"] == "0 0 2 * * *"
    assert (spec["method"], spec["pluginConfiguration"]) == ("plugin", {"name": PLUGIN})
    assert spec["cluster"] == {"name": "database"}


def test_the_sidecar_has_requests_and_limits_of_everything(archived):
    sidecar = archived.one("ObjectStore", "database-archive").inputs["spec"]["instanceSidecarConfiguration"]
    for kind in ("requests", "limits"):
        assert sidecar["resources"][kind].keys() == {"cpu", "memory", "ephemeral-storage"}


def test_a_server_of_a_private_authority_is_trusted_as_by_every_other_pod():
    config = file(objectStore=STORE) | {"pods": {"trust": {"secretName": "authorities", "key": "ca.crt"}}}
    store = run(config).one("ObjectStore", "database-archive").inputs["spec"]
    assert store["configuration"]["endpointCA"] == {"name": "authorities", "key": "ca.crt"}


@pytest.mark.parametrize(
    ("recovery", "name", "source", "target"),
    [
        ({"generation": 3, "targetTime": MOMENT}, "database-g3", "database-g2", {"targetTime": MOMENT}),
        ({"generation": 2, "targetTime": MOMENT}, "database-g2", "database", {"targetTime": MOMENT}),
        ({"generation": 3, "source": 1}, "database-g3", "database", None),
    ],
)
def test_a_restore_is_another_cluster_that_begins_as_the_archive_of_an_earlier_one(
    recovery, name, source, target
):
    program = run(file(objectStore=STORE, recovery=recovery))
    [declared] = program.of("Cluster")
    assert declared.inputs["metadata"]["name"] == name
    spec = declared.inputs["spec"]
    assert spec["bootstrap"].keys() == {"recovery"}
    assert spec["bootstrap"]["recovery"]["source"] == source
    assert spec["bootstrap"]["recovery"].get("recoveryTarget") == target
    assert spec["externalClusters"] == [
        {
            "name": source,
            "plugin": {"name": PLUGIN, "parameters": {"barmanObjectName": "database", "serverName": source}},
        }
    ]
    assert spec["plugins"][0]["parameters"]["serverName"] == name


def test_a_restored_cluster_is_a_resource_of_its_own_so_the_earlier_one_goes_last(archived, restored):
    [before], [after] = archived.of("Cluster"), restored.of("Cluster")
    assert before.urn != after.urn
    # Everything else of the component is what it was.
    for kind, name in (("Secret", "database-role"), ("ImageCatalog", "database-catalog")):
        assert archived.one(kind, name).inputs == restored.one(kind, name).inputs
    assert int(after.request.customTimeouts.create.removesuffix("s")) >= 6 * 3600


def test_clients_of_a_restored_cluster_reach_it_and_verify_it_by_its_own_authority(restored):
    url = plain(restored.one("Secret", "database-secret").inputs)["stringData"]["url"]
    assert "@database-g3-rw:5432/skillflaw?" in url
    [volume] = [row for row in restored.pods["backend"]["volumes"] if row["name"] == "database-authority"]
    assert volume["secret"]["secretName"] == "database-g3-ca"
    assert restored.of("Cluster")[0].urn in restored.one("Secret", "database-secret").request.dependencies


def generation(number: int) -> Pod:
    name = "database" if number == 1 else f"database-g{number}"
    return Pod("skillflaw", {"cnpg.io/cluster": name, "cnpg.io/jobRole": "full-recovery"})


INTERNET = Address("198.51.100.1")


def test_instances_reach_a_bucket_on_the_internet_only_where_there_is_one(program, archived):
    assert reach(program, INSTANCE, INTERNET) == set()
    assert reach(archived, INSTANCE, INTERNET) == {80, 443}


def test_instances_reach_a_bucket_in_a_private_range_by_the_rows_of_egress():
    config = file(objectStore=STORE)
    config["network"] = config["network"] | {"egress": [{"cidr": "10.9.0.0/16", "ports": [9187]}]}
    assert reach(run(config), INSTANCE, Address("10.9.1.2")) == {9187}
    del config["database"]["cloudNativePg"]["objectStore"]
    assert reach(run(config), INSTANCE, Address("10.9.1.2")) == set()


def test_the_cluster_in_use_and_those_before_it_work_and_no_other_does(restored):
    for number in (1, 2, 3):
        assert reach(restored, generation(number), API_SERVER) == {6443}
        assert reach(restored, OPERATOR, generation(number)) == {8000}
        assert reach(restored, part("backend"), generation(number)) == {5432}
    assert reach(restored, generation(4), API_SERVER) == set()
    assert reach(restored, OPERATOR, generation(4)) == set()


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-02 03:04:05",
        # A moment without quotes, as the engine hands it over.
        "2026-01-02 03:04:05 +0000 UTC",
        "2026-01-02T03:04:05",
        "2026-01-02",
        "2026-02-30T03:04:05Z",
        "yesterday",
        "2026-01-02T03:04:05+0100",
        "2026-W01-5T03:04:05Z",
        1767323045,
    ],
)
def test_a_moment_that_is_another_one_for_each_reader_is_refused(moment):
    said = refused(file(objectStore=STORE, recovery={"generation": 2, "targetTime": moment}))
    assert "in quotes with its distance from UTC" in said["database.cloudNativePg.recovery.targetTime"]


@pytest.mark.parametrize("moment", [MOMENT, "2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05-11:30"])
def test_a_moment_is_taken_with_any_distance_from_utc(moment):
    parse(file(objectStore=STORE, recovery={"generation": 2, "targetTime": moment}), set())


@pytest.mark.parametrize(
    ("own", "key"),
    [
        ({"schedule": "0 0 2 * * *"}, "schedule"),
        ({"schedule": "@daily"}, "schedule"),
        ({"retention": "30"}, "retention"),
        ({"retention": "0d"}, "retention"),
        ({"retention": "1y"}, "retention"),
        ({"prefix": "/lab"}, "prefix"),
        ({"endpoint": "https://user:word@s3.test"}, "endpoint"),
        ({"secretName": None}, "secretName"),
    ],
)
def test_a_bucket_that_nothing_could_be_sent_to_is_refused_by_its_key(own, key):
    said = refused(file(objectStore=STORE | own))
    assert set(said) == {f"database.cloudNativePg.objectStore.{key}"}
    assert "word@" not in str(said)


def test_a_folder_must_be_named_since_two_stacks_would_have_the_same_default():
    said = refused(file(objectStore={key: value for key, value in STORE.items() if key != "prefix"}))
    assert set(said) == {"database.cloudNativePg.objectStore.prefix"}


# --- the stack file ----------------------------------------------------------------------------


def refused(config: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(SettingsError) as raised:
        parse(config, set())
    return {
        problem.path: f"{problem.found} {problem.allowed} {problem.remedy}"
        for problem in raised.value.problems
    }


@pytest.mark.parametrize(
    ("own", "key"),
    [
        ({"instances": 1, "synchronous": "preferred"}, "synchronous"),
        ({"instances": 1, "synchronous": "required"}, "synchronous"),
        ({"instances": 2, "synchronous": "required"}, "synchronous"),
    ],
)
def test_a_commit_cannot_wait_for_standbys_that_are_too_few(own, key):
    assert set(refused(file(**own))) == {f"database.cloudNativePg.{key}"}


def test_protected_replicas_need_an_instance_that_survives_another():
    config = file(protected=True, instances=1)
    assert "database.cloudNativePg.instances" in refused(config)
    parse(file(protected=True, instances=2), set())
    parse(file(protected=True, instances=1) | {"backend": {"scale": {"replicas": 1}}}, set())


@pytest.mark.parametrize(
    "name",
    [
        *(
            "ssl",
            "ssl_ca_file",
            "archive_command",
            "restore_command",
            "listen_addresses",
            "port",
            "primary_conninfo",
        ),
        *("synchronous_standby_names", "unix_socket_directories", "hba_file", "recovery_target_time"),
    ],
)
@pytest.mark.parametrize("protected", [True, False])
def test_a_parameter_of_the_operators_own_is_refused(name, protected):
    said = refused(file(protected=protected, parameters={name: "x"}))
    assert "operator" in said[f"database.cloudNativePg.parameters.{name}"]


@pytest.mark.parametrize(
    "name",
    [
        "fsync",
        "full_page_writes",
        "synchronous_commit",
        "password_encryption",
        "zero_damaged_pages",
        "dblink.x",
    ],
)
def test_protection_refuses_a_parameter_that_may_lose_or_open_something(name):
    assert f"database.cloudNativePg.parameters.{name}" in refused(
        file(protected=True, parameters={name: "off"})
    )
    parse(file(parameters={name: "off"}), set())


@pytest.mark.parametrize(
    "parameters",
    [
        {"shared_buffers": "512MB", "work_mem": "16MB", "max_wal_size": "4GB"},
        {"autovacuum_naptime": 10, "log_min_duration_statement": 250, "random_page_cost": 1.1},
        {"pg_stat_statements.max": 10000, "idle_in_transaction_session_timeout": "60s"},
    ],
)
def test_protection_accepts_parameters_of_tuning(parameters):
    given = cluster(run(file(protected=True, parameters=parameters)))["postgresql"]["parameters"]
    assert given == {"max_connections": "100", **{key: str(value) for key, value in parameters.items()}}


@pytest.mark.parametrize("value", ["many", "-1", "5", "1000000", "100.5"])
def test_the_number_of_connections_is_one_that_a_server_can_have(value):
    assert "database.cloudNativePg.parameters.max_connections" in refused(
        file(parameters={"max_connections": value})
    )


def test_the_budget_of_connections_is_that_of_the_server():
    four = {"backend": {"scale": {"replicas": 4}}}
    said = refused(file() | four)
    assert "set database.maxConnections to 116" in said["database.poolSize"]
    said = refused(file(parameters={"max_connections": 110}) | four)
    assert "set database.cloudNativePg.parameters.max_connections to 116" in said["database.poolSize"]
    enough = run(file(parameters={"max_connections": 116}) | four)
    assert cluster(enough)["postgresql"]["parameters"]["max_connections"] == "116"
    config = file()
    config["database"]["maxConnections"] = 116
    assert cluster(run(config | four))["postgresql"]["parameters"]["max_connections"] == "116"


@pytest.mark.parametrize("network", [{"apiServer": []}, {}])
def test_instances_that_could_not_reach_the_api_server_are_refused(network):
    config = file()
    config["network"] = {"edge": config["network"]["edge"]} | network
    assert "kubectl get endpointslices" in refused(config)["network.apiServer"]
    parse(config | {"network": {"policies": False}}, set())


@pytest.mark.parametrize("key", ["operator", "apiServer"])
def test_peers_of_an_operated_database_next_to_another_one_are_refused(key):
    lab = stack_file("lab")
    peers = [{"namespace": "operators"} | ({"ports": [6443]} if key == "apiServer" else {})]
    assert f"network.{key}" in refused(lab | {"network": lab["network"] | {key: peers}})
