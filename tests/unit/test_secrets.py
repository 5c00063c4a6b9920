"""Secrets of the operator: who reads them, what they may be called, and which pods a new version replaces."""

import json
from typing import Any

import pytest

from settings.load import parse
from settings.problems import Problem, SettingsError
from tests.edits import edited
from tests.stack_files import stack_file
from tests.unit.recorder import Program, run
from tests.unit.test_blast_radius import changed
from tests.unit.test_policies import declared, violations

EGRESS = {"edge": [{"namespace": "traefik"}], "egress": [{"cidr": "10.20.0.0/16", "ports": [5432, 6379]}]}
URL = {"secretName": "their-database", "key": "url"}
ADDRESS = {
    "host": "db.example.com",
    "name": "app",
    "secretName": "their-database",
    "userKey": "username",
    "passwordKey": "password",
}
REDIS = {"host": "redis.databases.svc", "secretName": "their-redis", "passwordKey": "word"}
BOTH = {"bootstrap", "backend"}


def lab(edits: dict[str, Any]) -> Program:
    return run(edited({"network": EGRESS, **edits}))


def problems(edits: dict[str, Any]) -> list[Problem]:
    try:
        parse(edited({"network": EGRESS, **edits}), set())
    except SettingsError as refused:
        return refused.problems
    return []


def variables(container: dict) -> dict[str, Any]:
    """Values and references by variable, in the order of the container."""
    return {
        row["name"]: row.get("value") or tuple(row["valueFrom"]["secretKeyRef"].values())
        for row in container["env"]
    }


def server(program: Program) -> dict:
    return program.pods["backend"]["containers"][0]


def config(program: Program) -> dict:
    return program.one("ConfigMap", "runtime-config").inputs["data"]


# --- versions ----------------------------------------------------------------------------------

READERS = [
    ({"database": {"external": URL}}, "database.external", BOTH | {"backup", "bootstrap-key"}),
    ({"database": {"external": ADDRESS}}, "database.external", BOTH | {"backup", "bootstrap-key"}),
    ({"cache": {"external": {"secretName": "their-redis", "key": "url"}}}, "cache.external", BOTH),
    ({"cache": {"external": REDIS}}, "cache.external", BOTH),
    ({"superuser": {"password": {"secretName": "admin", "key": "word"}}}, "superuser.password", BOTH),
    (
        {"backend.secretEnv": {"OPENAI_API_KEY": {"secretName": "providers", "key": "openai"}}},
        "backend.secretEnv.OPENAI_API_KEY",
        BOTH,
    ),
    (
        {"backend.secretFiles": {"ca.pem": {"secretName": "authority", "key": "ca"}}},
        "backend.secretFiles.ca+pem",
        BOTH,
    ),
]


def versioned(edits: dict[str, Any], path: str, version: str) -> Program:
    edits = json.loads(json.dumps(edits))
    (top,) = edits
    holder = edits[top]
    for key in path.removeprefix(top).strip(".").split("."):
        holder = holder[key.replace("+", ".")]
    holder["version"] = version
    return lab(edits)


@pytest.mark.parametrize(("edits", "path", "readers"), READERS, ids=[f"{row[1]}" for row in READERS])
def test_a_new_version_of_a_secret_replaces_exactly_the_pods_that_read_it(edits, path, readers):
    assert changed(versioned(edits, path, "2026-11"), versioned(edits, path, "2026-12")) == readers
    assert changed(lab(edits), versioned(edits, path, "2026-11")) == readers


def test_a_new_version_of_a_whole_secret_replaces_exactly_the_pods_that_read_it():
    old, new = (
        lab({"backend.secretEnvFrom": [{"secretName": "crm", "prefix": "CRM_", "version": version}]})
        for version in ("a", "b")
    )
    assert changed(old, new) == BOTH


def test_pods_without_versions_have_no_annotation_of_any():
    program = lab({"database": {"external": URL}})
    assert {template["metadata"].get("annotations") for template in program.templates.values()} == {None}


def test_the_version_of_the_key_is_written_as_it_was_released():
    key = {"secretName": "their-key", "key": "fernet", "version": "2026-11"}
    program = run(stack_file("lab") | {"secretKey": {"existing": key}})
    assert {
        name: template["metadata"]["annotations"]
        for name, template in program.templates.items()
        if "annotations" in template["metadata"]
    } == {
        name: {"skillflaw.com/secret-key-version": "2026-11"}
        for name in ("bootstrap-key", "bootstrap", "backend")
    }


@pytest.mark.parametrize(
    "version", ["2026-11", "20261125", "9f86d081884c7d65", "v3", "rotated by hand, twice", "12:30"]
)
def test_any_word_is_a_version_and_breaks_no_policy(version):
    key = {"secretName": "their-key", "key": "fernet", "version": version}
    edits = {
        "network": EGRESS,
        "database": {"external": ADDRESS | {"version": version}},
        "cache": {"external": REDIS | {"version": version}},
        "secretKey": {"existing": key},
        "backend.secretEnv": {"OPENAI_API_KEY": {"secretName": "providers", "key": "o", "version": version}},
        "backend.secretFiles": {"token": {"secretName": "files", "key": "token", "version": version}},
    }
    file = edited(edits)
    # The lab gives up protection in words.
    assert {policy for policy, _, _ in violations(file, declared(file))} <= {"protected-state"}
    assert (
        version in run(file).templates["backup"]["metadata"]["annotations"]["skillflaw.com/secret-versions"]
    )


# --- variables and files -----------------------------------------------------------------------

PROVIDER = {"OPENAI_API_KEY": {"secretName": "providers", "key": "openai"}}


def test_a_variable_out_of_a_secret_reaches_replicas_and_bootstrap_and_no_config_map():
    program = lab({"backend.secretEnv": PROVIDER})
    _, sidecar = program.pods["bootstrap"]["initContainers"]
    for container in (server(program), sidecar):
        assert variables(container)["OPENAI_API_KEY"] == ("openai", "providers")
    assert "OPENAI_API_KEY" not in config(program)


def test_the_application_may_be_asked_to_offer_further_variables_to_flows():
    names = {"SKILLFLAW_VARIABLES_TO_GET_FROM_ENVIRONMENT": "CRM_TOKEN,ERP_TOKEN"}
    crm = {"CRM_TOKEN": {"secretName": "crm", "key": "token"}}
    protected = {"protection.enabled": True, "backend.scale.replicas": 1, "surfaces.docs": None}
    edits = {"backend.env": names, "backend.secretEnv": crm, **protected}
    assert [found for found in problems(edits) if found.path.startswith("backend.")] == []
    program = lab({"backend.env": names, "backend.secretEnv": crm})
    assert names.items() <= config(program).items()


def test_what_the_program_sets_wins_over_every_key_of_a_secret():
    rows = [{"secretName": "crm", "prefix": "CRM_"}, {"secretName": "erp", "prefix": "ERP_"}]
    program = lab({"backend.secretEnvFrom": rows})
    *secrets, own = server(program)["envFrom"]
    assert secrets == [
        {"prefix": "CRM_", "secretRef": {"name": "crm"}},
        {"prefix": "ERP_", "secretRef": {"name": "erp"}},
    ]
    # The last source of a name wins.
    assert own.keys() == {"configMapRef"}


@pytest.mark.parametrize(
    "prefix",
    [
        *("SKILLFLAW_", "LANGFLOW_", "SKILLFLAW_REDIS_", "LANGFLOW_SUPERUSER_"),
        *(
            "LD_",
            "LD_LIBRARY_",
            "PYTHON_",
            "UVICORN_",
            "WEB_",
            "SSL_",
            "GIT_",
            "NODE_",
            "NPM_",
            "NPM_CONFIG_",
        ),
        *(
            "AWS_",
            "AWS_CA_",
            "JAVA_",
            "JDK_",
            "BASH_",
            "GLIBC_",
            "REQUESTS_",
            "CURL_",
            "GRPC_",
            "PROMPT_",
            "RES_",
        ),
        *("AUTO_", "CORS_", "CORS_ALLOW_", "SSRF_", "ACCESS_", "REFRESH_SAME_SITE_", "SKIP_", "COMPONENTS_"),
    ],
)
@pytest.mark.parametrize("protected", [True, False])
def test_no_prefix_lets_a_key_take_the_name_of_a_setting(prefix, protected):
    rows = [{"secretName": "fine", "prefix": "CRM_"}, {"secretName": "crm", "prefix": prefix}]
    edits = {"backend.secretEnvFrom": rows, "protection.enabled": protected}
    (problem,) = [found for found in problems(edits) if found.path.startswith("backend.secretEnvFrom")]
    assert problem.path == "backend.secretEnvFrom[1].prefix"
    assert "backend.secretEnv" in problem.remedy


@pytest.mark.parametrize("prefix", ["", "crm_", "CRM", "_", "_CRM_", "CRM-", "P"])
def test_a_prefix_is_words_in_upper_case_and_ends_where_a_key_begins(prefix):
    edits = {"backend.secretEnvFrom": [{"secretName": "crm", "prefix": prefix}]}
    assert [found.path for found in problems(edits)] == ["backend.secretEnvFrom[0].prefix"]


def test_a_whole_secret_without_a_prefix_is_refused():
    (problem,) = problems({"backend.secretEnvFrom": [{"secretName": "crm"}]})
    assert problem.path == "backend.secretEnvFrom[0].prefix"
    assert "secretEnv" in problem.allowed


@pytest.mark.parametrize(
    "prefix", ["CRM_", "OPENAI_", "MY_AWS_", "LDAP_", "AZURE_OPENAI_", "X_1_", "HTTP_API_"]
)
def test_a_prefix_of_the_operators_own_passes(prefix):
    edits = {"backend.secretEnvFrom": [{"secretName": "crm", "prefix": prefix}]}
    assert problems(edits) == []


@pytest.mark.parametrize(
    "name",
    [
        *("SKILLFLAW_DATABASE_URL", "skillflaw_secret_key", "SKILLFLAW_REDIS_PASSWORD", "WEB_CONCURRENCY"),
        *("LANGFLOW_SUPERUSER_PASSWORD", "LD_PRELOAD", "PYTHONPATH", "PGPASSWORD", "Path", "SSL_CERT_FILE"),
    ],
)
def test_what_may_not_be_set_in_plain_text_may_not_be_set_by_a_secret(name):
    edits = {"backend.secretEnv": {name: {"secretName": "x", "key": "y"}}}
    assert [found.path for found in problems(edits)] == [f"backend.secretEnv.{name}"]


@pytest.mark.parametrize("name", ["SKILLFLAW_AUTO_LOGIN", "cors_origins", "SKILLFLAW_SSRF_ANYTHING"])
def test_what_security_rests_on_is_not_taken_unseen_under_protection(name):
    edits = {"backend.secretEnv": {name: {"secretName": "x", "key": "y"}}}
    path = f"backend.secretEnv.{name}"
    assert path in [found.path for found in problems(edits | {"protection.enabled": True})]
    assert problems(edits) == []


@pytest.mark.parametrize(
    ("env", "secret"), [("MY_TOKEN_FILE", "MY_TOKEN_FILE"), ("My_Url", "MY_URL"), ("a", "A")]
)
def test_a_variable_has_one_source(env, secret):
    edits = {"backend.env": {env: "/x"}, "backend.secretEnv": {secret: {"secretName": "x", "key": "y"}}}
    (problem,) = problems(edits)
    assert problem.path == f"backend.secretEnv.{secret}"
    assert f"backend.env.{env}" in problem.found


def test_two_secrets_do_not_set_one_variable_in_two_cases():
    row = {"secretName": "x", "key": "y"}
    (problem,) = problems({"backend.secretEnv": {"TOKEN": row, "token": row}})
    assert problem.path == "backend.secretEnv.token"


def test_files_out_of_secrets_are_read_only_and_the_groups():
    files = {
        "ca.pem": {"secretName": "authority", "key": "ca"},
        ".netrc": {"secretName": "accounts", "key": "netrc"},
    }
    program = lab({"backend.secretFiles": files})
    (mount,) = [row for row in server(program)["volumeMounts"] if row["mountPath"] == "/run/secrets/files"]
    (volume,) = [row for row in program.pods["backend"]["volumes"] if row["name"] == mount["name"]]
    assert mount["readOnly"]
    assert volume["projected"]["defaultMode"] == 0o440
    assert {
        (source["secret"]["name"], item["key"], item["path"])
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    } == {("authority", "ca", "ca.pem"), ("accounts", "netrc", ".netrc")}
    assert volume in program.pods["bootstrap"]["volumes"]
    assert volume not in program.pods["bootstrap-key"]["volumes"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "..x", "a b", "a\n"])
def test_a_file_has_a_name_without_a_folder(name):
    edits = {"backend.secretFiles": {name: {"secretName": "x", "key": "y"}}}
    (problem,) = problems(edits)
    assert problem.path.startswith("backend.secretFiles.")


def test_an_identity_of_a_cloud_is_an_annotation_of_the_backends_account_alone():
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/skillflaw"}
    program = lab({"backend.serviceAccount": {"annotations": role}})
    accounts = {row.name: row.inputs for row in program.of("ServiceAccount")}
    assert accounts["backend-account"]["metadata"]["annotations"] == role
    assert not accounts["backend-account"]["automountServiceAccountToken"]
    assert [name for name, row in accounts.items() if "annotations" in row["metadata"]] == ["backend-account"]


@pytest.mark.parametrize(
    "key",
    ["pulumi.com/skipAwait", "kubectl.kubernetes.io/last-applied-configuration", "meta.helm.sh/release-name"],
)
def test_annotations_of_tools_are_not_the_operators(key):
    edits = {"backend.serviceAccount": {"annotations": {key: "x"}}}
    assert [found.path for found in problems(edits)] == [f"backend.serviceAccount.annotations.{key}"]


# --- state by its address ----------------------------------------------------------------------


def test_a_database_by_its_address_takes_user_and_password_as_they_are():
    program = lab({"database": {"external": ADDRESS}})
    _, sidecar = program.pods["bootstrap"]["initContainers"]
    for container in (server(program), sidecar):
        assert variables(container) | {
            "PGUSER": ("username", "their-database"),
            "PGPASSWORD": ("password", "their-database"),
            "SKILLFLAW_DATABASE_URL": "postgresql://db.example.com:5432/app?sslmode=require",
        } == variables(container)
    assert "SKILLFLAW_DATABASE_URL" not in config(program)


def test_a_backup_dumps_and_tries_with_the_same_password():
    pod = lab({"database": {"external": ADDRESS}}).pods["backup"]
    trial, dump = pod["initContainers"]
    assert variables(dump) | {
        "PGUSER": ("username", "their-database"),
        "PGPASSWORD": ("password", "their-database"),
        "DATABASE_URL": "postgresql://db.example.com:5432/app?sslmode=require",
    } == variables(dump)
    assert len(dump["env"]) == len(variables(dump))
    assert variables(trial)["POSTGRES_PASSWORD"] == variables(dump)["PGPASSWORD"]


def test_a_backup_of_a_database_by_its_url_tries_with_the_url_as_before():
    pod = lab({"database": {"external": URL}}).pods["backup"]
    trial, dump = pod["initContainers"]
    assert list(variables(dump))[:2] == ["DATABASE_URL", "PGPASSWORD"]
    reference = ("url", "their-database")
    assert [variables(dump)[name] for name in ("DATABASE_URL", "PGPASSWORD")] == [reference, reference]
    assert variables(trial)["POSTGRES_PASSWORD"] == reference


@pytest.mark.parametrize(
    ("host", "server"),
    [("10.20.0.5", "10.20.0.5"), ("fd00:20::5", "[fd00:20::5]"), ("pgbouncer", "pgbouncer")],
)
def test_a_database_answers_at_a_name_or_an_address_of_either_family(host, server):
    program = lab({"database": {"external": ADDRESS | {"host": host, "sslMode": "verify-full"}}})
    url = f"postgresql://{server}:5432/app?sslmode=verify-full"
    assert variables(program.pods["backend"]["containers"][0])["SKILLFLAW_DATABASE_URL"] == url


@pytest.mark.parametrize(
    "host",
    ["", "db:5432", "https://db", "user@db", "db/x", "DB.example.com", "db..x", "1:2", "-db", "db?host=x"],
)
def test_a_host_is_nothing_but_a_host(host):
    found = [problem.path for problem in problems({"database": {"external": ADDRESS | {"host": host}}})]
    assert found == ["database.external.host"]


@pytest.mark.parametrize("name", ["", "app?sslmode=disable", "a/b", "a b", "a%20", "-app"])
def test_the_name_of_a_database_adds_nothing_to_its_url(name):
    found = [problem.path for problem in problems({"database": {"external": ADDRESS | {"name": name}}})]
    assert found == ["database.external.name"]


def test_connections_to_a_protected_database_are_encrypted():
    edits = {"database": {"external": ADDRESS | {"sslMode": "disable"}}}
    path = "database.external.sslMode"
    assert path in [found.path for found in problems(edits | {"protection.enabled": True})]
    assert problems(edits) == []
    for mode in ("require", "verify-ca", "verify-full"):
        edits = {"database": {"external": ADDRESS | {"sslMode": mode}}, "protection.enabled": True}
        assert path not in [found.path for found in problems(edits)]


@pytest.mark.parametrize(
    ("section", "given", "path"),
    [
        ("database", ADDRESS | {"key": "url"}, "database.external.key"),
        ("database", URL | {"host": "db"}, "database.external.host"),
        ("cache", REDIS | {"key": "url"}, "cache.external.key"),
        ("backend.scale", {"replicas": 2, "max": 3, "min": 2}, "backend.scale.replicas"),
    ],
)
def test_keys_of_two_forms_are_refused_with_both_forms(section, given, path):
    edits = {section: given if section.startswith("backend") else {"external": given}}
    (problem,) = problems(edits)
    assert problem.path == path
    assert problem.remedy.count("{") == 2


def test_a_cache_by_its_address_is_the_guides_own_two_variables():
    program = lab({"cache": {"external": {"host": "redis.example.com", "port": 6380}}})
    assert config(program)["SKILLFLAW_REDIS_HOST"] == "redis.example.com"
    assert config(program)["SKILLFLAW_REDIS_PORT"] == "6380"
    assert config(program)["SKILLFLAW_CACHE_TYPE"] == "redis"
    assert set(variables(server(program))) == {"SKILLFLAW_DATABASE_URL", "SKILLFLAW_SUPERUSER_PASSWORD"}


def test_the_kubelet_puts_a_caches_password_into_its_url():
    program = lab({"cache": {"external": REDIS}})
    env = variables(server(program))
    assert env["SKILLFLAW_REDIS_PASSWORD"] == ("word", "their-redis")
    url = "redis://:$(SKILLFLAW_REDIS_PASSWORD)@redis.databases.svc:6379/0?retry_on_timeout=true"
    assert env["SKILLFLAW_REDIS_URL"] == url
    # Only what stands before a variable is put into it.
    assert list(env).index("SKILLFLAW_REDIS_PASSWORD") < list(env).index("SKILLFLAW_REDIS_URL")
    assert config(program)["SKILLFLAW_REDIS_HOST"] == "redis.databases.svc"


def test_a_cache_by_its_url_leaves_the_guides_two_variables_unset():
    program = lab({"cache": {"external": {"secretName": "their-redis", "key": "url"}}})
    assert not {"SKILLFLAW_REDIS_HOST", "SKILLFLAW_REDIS_PORT"} & config(program).keys()


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"secretName": "their-redis"}, "cache.external.passwordKey"),
        ({"passwordKey": "word"}, "cache.external.secretName"),
        ({"version": "1"}, "cache.external.secretName"),
    ],
)
def test_half_of_a_reference_is_refused(given, path):
    edits = {"cache": {"external": {"host": "redis.example.com", "port": 6379} | given}}
    assert [found.path for found in problems(edits)] == [path]


def test_nothing_of_a_reference_breaks_a_policy():
    edits = {
        "network": EGRESS,
        "database": {"external": ADDRESS},
        "cache": {"external": REDIS},
        "backend.secretEnv": PROVIDER,
        "backend.secretEnvFrom": [{"secretName": "crm", "prefix": "CRM_"}],
        "backend.secretFiles": {"ca.pem": {"secretName": "authority", "key": "ca"}},
        "backend.serviceAccount": {"annotations": {"iam.gke.io/gcp-service-account": "a@b.iam.example.com"}},
    }
    file = edited(edits)
    assert {policy for policy, _, _ in violations(file, declared(file))} <= {"protected-state"}
