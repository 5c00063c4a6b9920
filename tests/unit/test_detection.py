"""Secrets and images that move are judged by form, the same everywhere."""

import ast
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.images import from_registry, full_name, is_fixed, postgres_major
from detection.secrets import is_secret, looks_secret
from tests.unit.recorder import ROOT

HEX = "9f86d081884c7d659a2feaa0c55ad015"

SECRET_BY_FORM = [
    "postgresql://u:pw@db/x",
    "redis://:pw@h",
    "redis://:$(not-a-variable)@h",
    "redis://:$(A)b@h",
    "http://user:pa55@proxy:3128",
    "postgres://u:p/w@h/db",
    f"https://{HEX}@sentry.example.com/1",
    f"https://h.example.com/x?api_key={HEX}",
    "host=db password=hunter2",
    "host=db user=u sslpassword='hunter2'",
    "Server=db;Uid=u;Pwd=hunter2;",
    '{"user": "u", "password": "hunter2"}',
    "AccountName=a;AccountKey=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==;",
    "Authorization=Basic%20dXNlcjpwYXNzMTIz",
    "Bearer abc123def456",
    "-----BEGIN PRIVATE KEY-----\nMIIE",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
    "sk-proj-abcdefghijklmnop",
    "sk-ant-api03-abc",
    "sk-abcdefghijklmnopqrst0123",
    "sk_live_abcdefghijklmnop",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "gho_abcdefghijklmnopqrst",
    "github_pat_11ABCDEFG0abcdefg",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "xoxb-1234-5678-abcdef",
    "glpat-abcdefghij012345",
    "hf_abcdefghijABCDEFGHIJ",
    "npm_abcdefghij0123456789",
    "pypi-AgEIcHlwaS5vcmcCJDEyMzQ",
    "SG.abcdefghijk.lmnopqrstuvwxyz",
    "https://hooks.slack.com/services/T0/B0/x",
]

SECRET_BY_NAME = [
    ("DB_PASSWD", "hunter2"),
    ("X_PWD", "swordfish"),
    ("PGPASSWORD", "correct horse"),
    ("MY_PASSPHRASE", "one two three"),
    ("dbPassword", "abc"),
    ("DB_PASSWORD_PROD", "hunter2"),
    ("SMTP_PASSWORD_2", "db.example.com"),
    ("API_KEY", HEX),
    ("api-key", HEX),
    ("OPENAI_KEY", "abcDEF123ghi456"),
    ("MY_TOKEN", "s3ntinel-x9"),
    ("SECRET_KEY", "kJ8$fj!2"),
    ("JWT_SECRET", "7d1f4c2a-9b3e-4f6a-8c5d-0e1f2a3b4c5d"),
    ("APIKEY", "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA=="),
    ("TOKEN", "qWeRtYuIoPaSdFgHjKlZ"),
    ("API_KEY", "s3same"),
    ("SERVICE_TOKEN", "hunter2"),
]

HARMLESS = [
    ("SKILLFLAW_API_KEY_SOURCE", "db"),
    ("SKILLFLAW_ACCESS_TOKEN_EXPIRE_SECONDS", "3600"),
    ("TOKENIZERS_PARALLELISM", "false"),
    ("SKILLFLAW_SECRET_KEY_FILE", "/run/secrets/skillflaw/key"),
    ("PUBLIC_KEY_PATH", "keys/public.pem"),
    ("PASSWORD_HASHER", "argon2id"),
    ("PASSWORD_MIN_LENGTH", "12"),
    ("PWD", "/app"),
    ("DB_PASSWORD_FILE", "/run/secrets/db"),
    ("DB_PASSWORD", ""),
    ("MAX_TOKENS", "4096"),
    ("TOKEN_TTL", "15m"),
    ("TOKEN_MODEL", "cl100k_base"),
    ("JWT_ALGORITHM", "RS256"),
    ("API_KEY_HEADER", "x-api-key"),
    ("SECRET_NAME", "app-credentials"),
    ("AUTH_HOST", "auth.example.com:8443"),
    ("SSO_TOKEN_ENDPOINT", "https://sso.example.com/oauth/token"),
    ("KEY_VAULT_URL", "https://vault.example.com:8200/"),
    ("CACHE_KEY_PREFIX", "skillflaw:prod"),
    ("X", "http://host:8080/a@b"),
    ("SKILLFLAW_REDIS_URL", "redis://:$(SKILLFLAW_REDIS_PASSWORD)@redis.example.com:6379/0"),
    ("X", "postgresql://user:$(PASSWORD)@db.example.com/x?sslmode=require"),
    ("skillflaw.com/secret-key-version", "20261125"),
    ("secretVersions", "9f86d081884c7d659a2feaa0c55ad015"),
    ("X", "https://user@example.com/"),
    ("MODEL", "gpt-4o-mini-2024-07-18"),
    ("PIP_INDEX", "https://pypi-mirror.example.com/simple"),
    ("QUEUE", "task-force-one-two-three"),
    ("OPTIONS", "max_tokens=4096"),
    ("COOKIE_DOMAIN", ".example.com"),
    ("COMMIT", HEX),
]


@pytest.mark.parametrize("value", SECRET_BY_FORM)
def test_a_secret_is_known_by_its_form_under_any_name(value):
    assert is_secret(value)
    assert looks_secret("X", value)
    assert looks_secret("HARMLESS_FILE", f"before {value}")


@pytest.mark.parametrize(("name", "value"), SECRET_BY_NAME)
def test_a_text_under_a_secrets_name_is_one_though_its_form_says_nothing(name, value):
    assert looks_secret(name, value)
    assert looks_secret(name.lower(), value) or name == "dbPassword"
    assert not looks_secret("COMMENT", value)


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_a_harmless_value_is_none_whatever_its_name_sounds_like(name, value):
    assert not looks_secret(name, value)


sounding = st.sampled_from(["API_KEY_SOURCE", "TOKEN_LIFETIME", "SECRET_STORE", "MY_TOKEN", "SOME_KEY"])


@given(sounding, st.one_of(st.integers(-(10**9), 10**9).map(str), st.booleans().map(str)))
def test_numbers_and_switches_are_no_secrets(name, value):
    assert not looks_secret(name, value)


@given(sounding, st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=12), min_size=1, max_size=4))
def test_paths_hosts_and_words_are_no_secrets(name, parts):
    assert not looks_secret(name, "/" + "/".join(parts))
    assert not looks_secret(name, "-".join(parts))
    assert not looks_secret(name, ".".join([*parts, "example.com"]))


@given(st.text(string.ascii_letters + string.digits, min_size=1, max_size=30))
def test_a_password_in_a_url_is_a_secret_whatever_it_is(password):
    assert is_secret(f"amqp://user:{password}@broker.example.com:5672/vhost")
    assert is_secret(f"dbname=x password={password}") or password.lower() in (
        *("true", "false", "yes", "no", "on", "off", "none", "null", "nil"),
    )


# --- images ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        f"postgres@sha256:{'a' * 64}",
        f"a:latest@sha256:{'a' * 64}",
        "a:1.8.4",
        "a:v1.8.4",
        "a:1.8.4-bookworm",
        "redis:7.2.5-alpine3.20",
        "a:2024.11.25",
        "localhost:5000/a:1.2.3",
        "skillflaw.lab/backend:5303371b3d4f",
        "a:sha-5303371",
    ],
)
def test_a_digest_a_patch_release_and_a_hash_of_the_content_are_fixed(image):
    assert is_fixed(image)


@pytest.mark.parametrize(
    "image",
    [
        *("a", "localhost:5000/a", "a:latest", "a:main", "a:nightly", "a:stable", "a:edge", "a:dev"),
        *("a:v1", "a:1.8", "redis:7", "redis:7-alpine3.20", "a:1.8.4-latest", "a:1.8.4_nightly", "a:decade"),
    ],
)
def test_whatever_is_pushed_again_moves(image):
    assert not is_fixed(image)


@pytest.mark.parametrize(
    "tag", ["16.4", "16.4-bookworm", "16.4-alpine3.20", "17.0", "9.6.24", "902129f86e75", "0.8.0-pg16"]
)
def test_two_numbers_are_a_patch_release_of_postgresql(tag):
    assert is_fixed(f"postgres:{tag}", database=True)


@pytest.mark.parametrize(
    "tag", ["16", "16-alpine3.20", "16-bookworm", "9.6", "latest", "pg16", "16-3.4", "17rc1"]
)
def test_a_major_of_postgresql_moves(tag):
    assert not is_fixed(f"postgres:{tag}", database=True)


@pytest.mark.parametrize(
    ("image", "major"),
    [
        ("postgres:16.4", "16"),
        ("docker.io/library/postgres:17", "17"),
        (f"postgres:16.4-bookworm@sha256:{'a' * 64}", "16"),
        ("postgres:9.6.24", "9.6"),
        ("pgvector/pgvector:0.8.0-pg16", "16"),
        (f"postgres@sha256:{'a' * 64}", None),
        ("skillflaw.lab/postgres:902129f86e75", None),
        ("skillflaw.lab/postgres:111111111111", None),
        ("postgres", None),
    ],
)
def test_postgresqls_major_is_read_from_the_tag_or_not_known(image, major):
    assert postgres_major(image) == major


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("postgres:16.4", "docker.io/library/postgres:16.4"),
        ("someone/a:1", "docker.io/someone/a:1"),
        ("localhost/a:1", "localhost/a:1"),
        ("localhost:5000/a", "localhost:5000/a"),
        ("ghcr.io/cwinux/a", "ghcr.io/cwinux/a"),
    ],
)
def test_a_short_name_is_docker_hubs(image, name):
    assert full_name(image) == name


def test_a_registry_is_matched_by_whole_segments():
    assert from_registry("ghcr.io/cwinux/a:1", ["ghcr.io/cwinux"])
    assert from_registry("ghcr.io/cwinux/a:1", ["example.com", "ghcr.io"])
    assert not from_registry("ghcr.io/cwinux2/a:1", ["ghcr.io/cwinux"])
    assert not from_registry("ghcr.io.example.com/cwinux/a:1", ["ghcr.io"])
    assert not from_registry("evil/ghcr.io/cwinux/a:1", ["ghcr.io/cwinux"])


# --- the house ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(ROOT.glob("detection/*.py")), ids=lambda path: path.stem)
def test_detection_knows_none_of_those_that_ask_it(path):
    nodes = ast.walk(ast.parse(path.read_text()))
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not {str(name).split(".")[0] for name in imported} & {
        "settings",
        "policies",
        "operations",
        "pulumi",
    }
