"""A secret key that is rotated: the script that encrypts everything again, on PostgreSQL's own image."""

import hashlib
import json
import os
import random
import subprocess
import sys
from base64 import urlsafe_b64encode
from itertools import count
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from lab.images import build
from lab.process import wait_for
from tests.lab.sandbox import LIVE, sandbox

SCRIPT = Path(__file__).parents[2] / "components" / "scripts" / "reencrypt.py"
OLD, NEW, STRANGER = (urlsafe_b64encode(bytes([byte]) * 32).decode() for byte in (1, 2, 3))
NUMBERS = count(1)


def fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def sealed(text: str, key: str = OLD) -> str:
    return Fernet(key).encrypt(text.encode()).decode()


def opened(token: str, key: str = NEW) -> str:
    return Fernet(key).decrypt(token).decode()


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    root = tmp_path_factory.mktemp("sandbox") / "root"
    with (
        sandbox(root, build.build("postgres", lambda words: None).archive) as made,
        made.server(LIVE, "postgres"),
    ):
        yield made


class Case:
    """A database with a role of its own, a volume and two keys."""

    def __init__(self, machine, folder: Path) -> None:
        self.machine, self.name = machine, f"case{next(NUMBERS)}"
        self.data, self.keys = folder / "data", folder / "keys"
        self.data.mkdir()
        self.keys.mkdir()
        (folder / "key").write_text(NEW)
        (self.keys / "1").write_text(OLD)
        self.record(OLD)
        self.admin(f"CREATE ROLE {self.name} LOGIN PASSWORD 'word'")
        self.admin(f"CREATE DATABASE {self.name} OWNER {self.name}")

    def record(self, key: str) -> None:
        (self.data / ".key-fingerprint").write_text(fingerprint(key))

    @property
    def made_with(self) -> str:
        return (self.data / ".key-fingerprint").read_text()

    def url(self, role: str) -> str:
        return f"postgresql://{role}@{LIVE}/{self.name}"

    def psql(self, url: str, *statements: str) -> str:
        words = [f"--command={statement}" for statement in statements]
        done = self.machine.run(
            "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", f"--dbname={url}", *words, PGPASSWORD="word"
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def admin(self, *statements: str, database: str = "postgres") -> str:
        return self.psql(f"postgresql://postgres:lab@{LIVE}/{database}", *statements)

    def sql(self, *statements: str) -> str:
        return self.psql(self.url(self.name), *statements)

    def command(self, action: str) -> list[str]:
        inside = [
            "nsenter",
            f"--target={self.machine.pid}",
            "--net",
            sys.executable,
            "-c",
            SCRIPT.read_text(),
        ]
        return [*inside, action, str(self.keys.parent / "key"), str(self.keys), str(self.data)]

    @property
    def environment(self) -> dict[str, str]:
        # With a driver in its scheme, as an operator may write it, and the password in libpq's own variable.
        url = self.url(self.name).replace("postgresql:", "postgresql+asyncpg:")
        return {"PATH": os.environ["PATH"], "SKILLFLAW_DATABASE_URL": url, "PGPASSWORD": "word"}

    def run(self, action: str, code: int = 0) -> str:
        done = subprocess.run(
            self.command(action), env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "gAAAAA" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def exchange(self) -> str:
        return self.run("exchange")


@pytest.fixture
def case(machine, tmp_path) -> Case:
    return Case(machine, tmp_path)


def test_tokens_are_found_in_every_kind_of_column_and_schema(case):
    nested = sealed(json.dumps({"inner": sealed("deep")}))
    case.sql(
        "CREATE SCHEMA tenants",
        "CREATE DOMAIN credential AS jsonb",
        "CREATE TABLE apikey (id int, api_key varchar)",
        f"INSERT INTO apikey VALUES (1, '{sealed('sk-1')}'), (2, 'plain'), (3, NULL)",
        'CREATE TABLE tenants."Own Table" (settings jsonb, old json, many text[], "Odd ""Name" credential, word char(400))',
        f"""INSERT INTO tenants."Own Table" VALUES (
            '{{"oauth": {{"client_secret": "{sealed("oauth")}"}}, "plain": 1}}',
            '{{"x": "{sealed("json").replace("=", chr(92) + "u003d")}", "keeps":   "its spaces"}}',
            ARRAY['a', '{sealed("array")}'], '["{sealed("domain")}"]', '{sealed("padded")}')""",
        "CREATE TABLE parts (id int, value text) PARTITION BY LIST (id)",
        "CREATE TABLE parts1 PARTITION OF parts FOR VALUES IN (1)",
        "CREATE TABLE parts2 PARTITION OF parts FOR VALUES IN (2)",
        f"INSERT INTO parts VALUES (1, 'key={sealed('one')}&x'), (2, '{nested}')",
    )
    said = case.exchange()
    assert "9 values open with the new key, 9 of them were encrypted again" in said
    assert opened(case.sql("SELECT api_key FROM apikey WHERE id = 1")) == "sk-1"
    assert case.sql("SELECT coalesce(api_key, 'null') FROM apikey WHERE id > 1 ORDER BY id") == "plain\nnull"
    own = 'FROM tenants."Own Table"'
    assert opened(case.sql(f"SELECT settings #>> '{{oauth,client_secret}}' {own}")) == "oauth"
    assert opened(case.sql(f"SELECT old ->> 'x' {own}")) == "json"
    assert '"keeps":   "its spaces"' in case.sql(f"SELECT old {own}")
    assert opened(case.sql(f"SELECT many[2] {own}")) == "array"
    assert opened(case.sql(f"""SELECT "Odd ""Name" ->> 0 {own}""")) == "domain"
    assert opened(case.sql(f"SELECT trim(word) {own}")) == "padded"
    assert opened(case.sql("SELECT value FROM parts WHERE id = 1")[4:-2]) == "one"
    outer = json.loads(opened(case.sql("SELECT value FROM parts WHERE id = 2")))
    assert opened(outer["inner"]) == "deep"
    assert case.made_with == fingerprint(NEW)


def test_a_token_keeps_its_time_and_what_no_key_opens_stays(case):
    strange, early = (
        sealed("strange", STRANGER),
        Fernet(OLD).encrypt_at_time(b"early", 1_600_000_000).decode(),
    )
    case.sql(
        "CREATE TABLE it (value text)",
        f"INSERT INTO it VALUES ('{strange}'), ('{early}'), ('gAAAAAno token')",
    )
    assert "1 values that no key here opens were left as they are" in case.exchange()
    values = case.sql("SELECT value FROM it").split("\n")
    assert strange in values
    assert "gAAAAAno token" in values
    (renewed,) = set(values) - {strange, "gAAAAAno token"}
    assert Fernet(NEW).extract_timestamp(renewed) == 1_600_000_000


def test_files_of_the_volume_are_exchanged_and_nothing_else_in_it(case, tmp_path):
    base = case.data / "knowledge_bases" / "one"
    base.mkdir(parents=True)
    (base / "embedding_metadata.json").write_text(json.dumps({"api_key": sealed("embeds")}))
    (base / "embedding_metadata.json").chmod(0o640)
    (base / "binary.json").write_bytes(b"\xff\xfe" + sealed("binary").encode())
    (tmp_path / "outside.json").write_text(sealed("outside"))
    (base / "link.json").symlink_to(tmp_path / "outside.json")
    case.exchange()
    written = base / "embedding_metadata.json"
    assert opened((base / "binary.json").read_bytes()[2:].decode()) == "binary"
    assert opened(json.loads(written.read_text())["api_key"]) == "embeds"
    assert written.stat().st_mode & 0o777 == 0o640
    assert opened((tmp_path / "outside.json").read_text(), OLD) == "outside"
    assert {path.name for path in base.iterdir()} == {"embedding_metadata.json", "binary.json", "link.json"}


@pytest.mark.parametrize("action", ["prove", "exchange"])
@pytest.mark.parametrize("holds_a_token", [True, False])
def test_a_file_that_is_too_large_refuses_only_when_it_may_hold_values(case, action, holds_a_token):
    case.sql("CREATE TABLE it (value text)", f"INSERT INTO it VALUES ('{sealed('a')}')")
    with (case.data / "export.json").open("wb") as file:
        file.truncate(20 << 20)
        file.seek(0, os.SEEK_END)
        file.write(sealed("late").encode() if holds_a_token else b"{}")
    said = case.run(action, 78 if holds_a_token else 0)
    if holds_a_token:
        assert "REFUSED: the volume's export.json is larger than 16 MiB" in said
        assert case.made_with == fingerprint(OLD)
        assert opened(case.sql("SELECT value FROM it"), OLD) == "a"


def test_a_proof_changes_nothing_and_waits_for_nobody(case):
    case.sql("CREATE TABLE it (value text)", f"INSERT INTO it VALUES ('{sealed('a')}')")
    before = case.sql("SELECT value FROM it")
    assert "1 values can be encrypted again" in case.run("prove")
    assert case.sql("SELECT value FROM it") == before
    assert case.made_with == fingerprint(OLD)


@pytest.mark.parametrize("action", ["prove", "exchange"])
def test_a_table_that_the_role_may_not_change_refuses_the_rotation(case, action):
    case.admin(
        "CREATE TABLE it (value text)",
        f"INSERT INTO it VALUES ('{sealed('a')}')",
        f"GRANT SELECT ON it TO {case.name}",
        database=case.name,
    )
    assert "REFUSED: the role may not update ONLY public.it" in case.run(action, 78)
    assert case.made_with == fingerprint(OLD)


def test_what_fails_halfway_leaves_everything_as_it_was_and_shows_no_value(case):
    short = sealed("a")
    case.sql(
        "CREATE TABLE a (value text)",
        f"INSERT INTO a VALUES ('{sealed('first')}')",
        f"CREATE TABLE b (value text CHECK (value = '{short}'))",
        f"INSERT INTO b VALUES ('{short}')",
    )
    assert 'violates check constraint "b_value_check"' in case.run("exchange", 1)
    assert opened(case.sql("SELECT value FROM a"), OLD) == "first"
    assert case.made_with == fingerprint(OLD)


def test_rows_that_a_policy_would_hide_are_an_error_and_not_forgotten(case):
    case.admin(
        "CREATE TABLE it (value text)",
        f"INSERT INTO it VALUES ('{sealed('hidden')}')",
        "ALTER TABLE it ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY none ON it USING (false)",
        f"GRANT SELECT, UPDATE ON it TO {case.name}",
        database=case.name,
    )
    assert "row-level security" in case.run("exchange", 1)


def test_a_key_that_is_short_was_stretched_as_the_application_does(case):
    short = "a short passphrase"
    (case.keys / "1").write_text(short)
    case.record(short)
    random.seed(short)
    seeded = urlsafe_b64encode(bytes(random.getrandbits(8) for _ in range(32))).decode()
    case.sql("CREATE TABLE it (value text)", f"INSERT INTO it VALUES ('{sealed('a', seeded)}')")
    case.exchange()
    assert opened(case.sql("SELECT value FROM it")) == "a"


@pytest.mark.parametrize("made_with", [NEW, None])
def test_data_of_this_key_and_data_that_is_not_there_yet_take_no_look_at_the_database(case, made_with):
    kept = case.data / ".key-fingerprint"
    kept.write_text(fingerprint(made_with)) if made_with else kept.unlink()
    case.admin(f"ALTER ROLE {case.name} NOLOGIN")
    case.exchange()


def test_data_of_a_key_that_nobody_has_is_refused(case):
    case.record(STRANGER)
    assert f"REFUSED: the data was made with key {fingerprint(STRANGER)}" in case.run("exchange", 78)


def test_a_rotation_that_was_killed_halfway_is_ended_by_the_next(case):
    case.sql(
        "CREATE TABLE a (value text)",
        f"INSERT INTO a SELECT '{sealed('a')}' FROM generate_series(1, 600)",
        "CREATE TABLE b (value text)",
        f"INSERT INTO b VALUES ('{sealed('b')}')",
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END $$",
        "CREATE TRIGGER wait BEFORE UPDATE ON b FOR EACH ROW EXECUTE FUNCTION wait()",
    )
    holder = subprocess.Popen(
        case.machine.command("psql", "-XAtq", f"--dbname={case.url(case.name)}"),
        env={"PATH": "/usr/lib/postgresql/15/bin:/usr/bin", "PGPASSWORD": "word"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with holder:
        holder.stdin.write("SELECT pg_advisory_lock(7);\n")
        holder.stdin.flush()
        holder.stdout.readline()
        with subprocess.Popen(case.command("exchange"), env=case.environment) as running:
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            wait_for(
                lambda: case.sql(waits) != "0",
                60,
                "an exchange that is halfway",
                alive=lambda: running.poll() is None,
            )
            running.kill()
        holder.stdin.close()
    assert {opened(value, OLD) for value in case.sql("SELECT value FROM a").split()} == {"a"}
    assert case.made_with == fingerprint(OLD)
    assert "601 values open with the new key" in case.exchange()
    assert {opened(value) for value in case.sql("SELECT value FROM a").split()} == {"a"}


def test_what_is_restored_from_an_earlier_key_is_exchanged_again(case):
    case.sql("CREATE TABLE it (value text)", f"INSERT INTO it VALUES ('{sealed('a')}')")
    case.exchange()
    case.sql("TRUNCATE it", f"INSERT INTO it VALUES ('{sealed('restored')}')")
    case.record(OLD)
    case.exchange()
    assert opened(case.sql("SELECT value FROM it")) == "restored"


def test_the_database_names_the_key_that_it_is_made_with_from_then_on(case):
    case.sql(
        "CREATE TABLE alembic_version (version_num text)",
        f"COMMENT ON TABLE alembic_version IS 'skillflaw.com/key-fingerprint={fingerprint(OLD)}'",
    )
    case.exchange()
    noted = case.sql("SELECT obj_description('alembic_version'::regclass)")
    assert noted == f"skillflaw.com/key-fingerprint={fingerprint(NEW)}"


def test_nothing_is_exchanged_on_data_that_is_half_restored(case):
    (case.data / ".restoring").write_text("0123abcd")
    assert "REFUSED: a restore has not ended" in case.run("exchange", 78)


def test_a_database_that_a_new_pod_cannot_reach_yet_is_asked_again(case):
    case.sql("CREATE TABLE it (value text)", f"INSERT INTO it VALUES ('{sealed('a')}')")
    with case.machine.late() as port:
        url = case.environment["SKILLFLAW_DATABASE_URL"].replace(LIVE, f"{LIVE}:{port}")
        environment = case.environment | {"SKILLFLAW_DATABASE_URL": url}
        subprocess.run(case.command("exchange"), env=environment, check=True)
    assert opened(case.sql("SELECT value FROM it")) == "a"
