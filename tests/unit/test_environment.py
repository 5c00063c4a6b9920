"""Variables that `backend.env` may not hold, in whatever case and under whatever prefix."""

import pytest

from components.runtime import UPSTREAM_DEFAULTS
from settings.environment import (
    EVERY_ADDRESS,
    GUARDS,
    OWNED_ENV,
    SECRET_REMEDY,
    env_problems,
    secret_env_problems,
)
from settings.problems import Problem
from tests.edits import edited
from tests.unit.recorder import run


def problems(env: dict[str, str], *, protected: bool = True) -> list[Problem]:
    return list(env_problems(env, protected=protected))


def spellings(name: str) -> list[str]:
    return [name, name.lower(), name.title()]


@pytest.mark.parametrize("name", sorted(OWNED_ENV))
@pytest.mark.parametrize("protected", [True, False])
def test_what_the_program_owns_is_refused_in_any_case(name, protected):
    for spelling in spellings(name):
        (problem,) = problems({spelling: "1"}, protected=protected)
        assert problem.path == f"backend.env.{spelling}"
        assert problem.found == "a variable the program sets itself"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("LANGFLOW_AUTO_LOGIN", "write SKILLFLAW_AUTO_LOGIN"),
        ("LANGFLOW_LOG_LEVEL", "write SKILLFLAW_LOG_LEVEL"),
        ("LANGFLOW_WORKERS", "remove it; backend.scale decides it"),
        ("LANGFLOW_VERTEX_BUILDS_STORAGE_ENABLED", "remove it; backend.records decides it"),
        ("SKILLFLAW_TRANSACTIONS_STORAGE_ENABLED", "remove it; backend.records decides it"),
    ],
)
def test_the_upstreams_prefix_is_refused_with_the_spelling_that_is_meant(name, remedy):
    for spelling in spellings(name):
        (problem,) = problems({spelling: "false"}, protected=False)
        assert problem.remedy == remedy


@pytest.mark.parametrize(
    "name",
    [
        *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "GLIBC_TUNABLES"),
        *(
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "PYTHONHOME",
            "PYTHONINSPECT",
            "PYTHONHTTPSVERIFY",
            "PYTHONWARNINGS",
        ),
        *("PATH", "ENV", "BASH_ENV", "IFS", "SHELLOPTS", "NODE_OPTIONS", "PERL5LIB", "JAVA_TOOL_OPTIONS"),
        *("UVICORN_WORKERS", "UVICORN_RELOAD", "GUNICORN_CMD_ARGS", "WEB_CONCURRENCY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "OPENSSL_CONF", "REQUESTS_CA_BUNDLE"),
        *("GIT_SSH_COMMAND", "PGSSLMODE", "PGOPTIONS", "HOSTALIASES", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"),
    ],
)
def test_what_decides_how_processes_run_is_refused_in_any_case(name):
    for spelling in spellings(name):
        for protected in (True, False):
            (problem,) = problems({spelling: "1"}, protected=protected)
            assert problem.path == f"backend.env.{spelling}"


WEAKER = {
    "AUTO_LOGIN": ["true", "True", "1", "yes", " false", ""],
    "SKIP_AUTH_AUTO_LOGIN": ["true", "on"],
    "ENABLE_SUPERUSER_CLI": ["true", "t"],
    "DEVELOPER_API_ENABLED": ["true"],
    "USE_NOOP_DATABASE": ["true"],
    "ACCESS_SECURE": ["false", "0", ""],
    "ACCESS_HTTPONLY": ["false"],
    "ACCESS_SAME_SITE": ["none", "None"],
    "REFRESH_SECURE": ["false", "off"],
    "REFRESH_HTTPONLY": ["no"],
    "REFRESH_SAME_SITE": [""],
    "CORS_ORIGINS": [
        "*",
        "https://app.example.com,*",
        "https://*.example.com",
        '["*"]',
        "null",
        "http://app.example.com",
        "https://com",
        "",
    ],
    "CORS_ALLOW_CREDENTIALS": ["*"],
    "CORS_ALLOW_METHODS": ["*", "GET,*"],
    "CORS_ALLOW_HEADERS": ["*"],
    "SSRF_PROTECTION_ENABLED": ["false", "0"],
    "SSRF_ALLOWED_HOSTS": [
        "*",
        "169.254.169.254",
        "0.0.0.0/0",
        "localhost",
        "metadata.google.internal",
        "*.svc",
    ],
    "ALGORITHM": ["none", ""],
    "COMPONENTS_PATH": ["/var/lib/skillflaw/x", "/app/components"],
    "BUNDLE_URLS": ["https://example.com/bundle.zip"],
    "VARIABLES_TO_GET_FROM_ENVIRONMENT": [
        "SKILLFLAW_DATABASE_URL",
        "OPENAI_API_KEY,skillflaw_secret_key",
        "*",
    ],
    "SKILL_SANDBOX_NETWORK": ["host", "bridge"],
    "SKILL_SANDBOX_READ_ONLY_ROOT": ["false"],
    "SKILL_SANDBOX_ENV_ALLOWLIST": ['["OPENAI_API_KEY"]'],
}
"""Values that weaken a guarded setting, by setting."""

AS_STRONG = {
    "AUTO_LOGIN": ["false", "False", "0", "off"],
    "ACCESS_SECURE": ["true", "1"],
    "ACCESS_HTTPONLY": ["true"],
    "ACCESS_SAME_SITE": ["strict", "lax"],
    "REFRESH_SAME_SITE": ["none", "Strict"],
    "CORS_ORIGINS": [
        "https://app.example.com",
        "https://app.example.com, https://x.example.com:8443",
        '["https://a.example.com"]',
        "http://localhost:7860",
    ],
    "CORS_ALLOW_CREDENTIALS": ["true", "false"],
    "CORS_ALLOW_METHODS": ["GET,POST"],
    "SSRF_PROTECTION_ENABLED": ["true"],
    "SSRF_ALLOWED_HOSTS": ["models.internal.example.com", "10.20.0.0/16", "10.20.0.5, ollama", ""],
    "ALGORITHM": ["HS256", "RS256"],
    "BUNDLE_URLS": ["[]"],
    "VARIABLES_TO_GET_FROM_ENVIRONMENT": ["OPENAI_API_KEY,ANTHROPIC_API_KEY"],
}


def test_every_guard_has_been_seen_refusing():
    assert set(WEAKER) == set(GUARDS)


@pytest.mark.parametrize("setting", GUARDS)
def test_protection_refuses_what_weakens_it_under_any_spelling(setting):
    for value in WEAKER[setting]:
        for name in (f"SKILLFLAW_{setting}", f"skillflaw_{setting.lower()}", f"Skillflaw_{setting}"):
            (problem,) = problems({name: value})
            assert problem.path == f"backend.env.{name}"
            assert value not in problem.found or len(value) < 6
            assert problems({name: value}, protected=False) == []


@pytest.mark.parametrize("name", ["AUTO_LOGIN", "skip_auth_auto_login", "CORS_ORIGINS"])
def test_a_guarded_setting_is_one_without_its_prefix_too(name):
    assert problems({name: "*"})


@pytest.mark.parametrize(
    "name",
    ["SKILLFLAW_CORS_ALLOW_ORIGIN_REGEX", "SKILLFLAW_SSRF_PROTECTION_MODE", "SKILLFLAW_WEBHOOK_AUTH_MODE"],
)
def test_a_setting_of_the_same_family_that_nobody_knows_is_refused_under_protection(name):
    assert problems({name: "true"})
    assert problems({name: "true"}, protected=False) == []


@pytest.mark.parametrize("setting", AS_STRONG)
def test_what_is_as_strong_or_stronger_passes(setting):
    for value in AS_STRONG[setting]:
        assert problems({f"SKILLFLAW_{setting}": value}) == []


def test_the_programs_own_defaults_pass_where_an_operator_spells_them_out():
    assert problems(UPSTREAM_DEFAULTS) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SKILLFLAW_API_KEY_SOURCE", "db"),
        ("SKILLFLAW_ACCESS_TOKEN_EXPIRE_SECONDS", "3600"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("SKILLFLAW_LOG_LEVEL", "DEBUG"),
        ("HTTP_PROXY", "http://proxy.example.com:3128"),
        ("NO_PROXY", "10.0.0.0/8,.svc"),
        ("OPENAI_BASE_URL", "https://models.example.com/v1"),
        ("PAGE_SIZE", "50"),
        ("ENVIRONMENT", "production"),
        ("PATHS", "a"),
        ("WEB_SEARCH_PROVIDER", "x"),
    ],
)
def test_settings_of_flows_and_dials_of_operators_pass(name, value):
    assert problems({name: value}) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "sk-proj-abcdefghijklmnop"),
        ("DB_PASSWD", "hunter2"),
        ("HTTPS_PROXY", "http://user:pw@proxy.example.com:3128"),
        ("OPENAI_API_KEY", "9f86d081884c7d659a2feaa0c55ad015"),
        ("SKILLFLAW_API_KEY", "sk-0123456789abcdef"),
    ],
)
@pytest.mark.parametrize("protected", [True, False])
def test_a_secret_is_refused_with_the_place_it_belongs_to_and_never_shown(name, value, protected):
    (problem,) = problems({name: value}, protected=protected)
    assert problem.remedy == SECRET_REMEDY
    assert value not in str(problem)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("SSL_CERT_FILE", "pods.trust"),
        ("SSL_CERT_DIR", "pods.trust"),
        ("REQUESTS_CA_BUNDLE", "pods.trust"),
        ("CURL_CA_BUNDLE", "pods.trust"),
        ("NODE_EXTRA_CA_CERTS", "pods.trust"),
        ("PGPASSWORD", "database.external: {host, port, name, secretName, userKey, passwordKey, sslMode}"),
        ("PGPASSFILE", "database.external"),
        ("PGSSLROOTCERT", "pods.trust"),
        ("PGSSLMODE", "sslMode"),
        ("WEB_CONCURRENCY", "backend.scale"),
        ("SKILLFLAW_REDIS_PASSWORD", "cache decides it"),
        ("SKILLFLAW_SECRET_KEY", "secretKey.existing decides it"),
        ("LANGFLOW_DATABASE_URL", "database.external decides it"),
    ],
)
def test_a_remedy_names_the_key_that_takes_it_and_none_that_refuses_it_again(name, remedy):
    for value in ("hunter2", "/etc/ssl/own.pem"):
        for protected in (True, False):
            (problem,) = problems({name: value}, protected=protected)
            (again,) = secret_env_problems([name], {}, protected=protected)
            assert remedy in problem.remedy
            assert problem.remedy == again.remedy
            assert value not in str(problem)


@pytest.mark.parametrize("value", EVERY_ADDRESS)
def test_the_backend_may_listen_on_every_address_of_the_families_that_pods_have(value):
    assert problems({"SKILLFLAW_HOST": value}) == []
    config = edited({"backend.env": {"SKILLFLAW_HOST": value}})
    assert run(config).one("ConfigMap", "runtime-config").inputs["data"]["SKILLFLAW_HOST"] == value


@pytest.mark.parametrize("value", ["localhost", "127.0.0.1", "::1", "", "10.0.0.7"])
@pytest.mark.parametrize("protected", [True, False])
def test_a_backend_that_no_probe_would_find_is_refused(value, protected):
    (problem,) = problems({"SKILLFLAW_HOST": value}, protected=protected)
    assert problem.path == "backend.env.SKILLFLAW_HOST"
    assert "::" in problem.remedy
    assert list(secret_env_problems(["skillflaw_host"], {}, protected=protected))
