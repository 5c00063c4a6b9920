"""Backups by their real scripts: PostgreSQL's own image, two servers, restic."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Thread

import pytest

from lab.images import build
from lab.toolchain import golang
from lab.toolchain.catalogue import RESTIC
from tests.lab.sandbox import LIVE, SCRIPTS, TRIAL, USER, Sandbox, sandbox
from tests.thorough import further

KEY = "00112233445566ff"
IMAGES = "backend=registry.test/backend:1\npostgres=registry.test/postgres:15"
NUMBERS = count(1)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    def report(words: str) -> None:
        pass

    root = tmp_path_factory.mktemp("sandbox") / "root"
    archive = build.build("postgres", report).archive
    restic = golang.built("restic", RESTIC, report)
    with (
        sandbox(root, archive, restic) as made,
        made.server(LIVE, "postgres"),
        made.server(TRIAL, "trial"),
    ):
        yield made


class Case:
    """A database with a role, a volume and a repository of their own, as a stack has them."""

    def __init__(self, machine: Sandbox) -> None:
        self.machine, self.name = machine, f"case{next(NUMBERS)}"
        self.data = machine.folder(f"{self.name}/data")
        self.scratch = machine.folder(f"{self.name}/scratch")
        self.repository = machine.folder(f"{self.name}/repository")
        self.role = self.name
        self.keep = 3
        self.admin(f"CREATE ROLE {self.role} LOGIN PASSWORD 'word'")
        self.admin(f"CREATE DATABASE {self.name} OWNER {self.role}")
        self.sql(
            "CREATE TYPE kind AS ENUM ('a', 'b')",
            "CREATE TABLE alembic_version (version_num text PRIMARY KEY)",
            "INSERT INTO alembic_version VALUES ('r1')",
            "CREATE TABLE flow (id serial PRIMARY KEY, kind kind DEFAULT 'a', name text)",
            "INSERT INTO flow (name) SELECT 'flow ' || n FROM generate_series(1, 50) n",
            "CREATE TABLE note (flow int REFERENCES flow)",
            "INSERT INTO note VALUES (1), (2)",
        )
        self.write(".key-fingerprint", KEY)
        self.write("secret_key", "the key itself")
        self.write("flows/one/upload.txt", "first")
        self.write(".hidden", "hidden")

    def url(self, role: str | None = None, database: str | None = None) -> str:
        return f"postgresql+psycopg://{role or self.role}:word@{LIVE}/{database or self.name}"

    def psql(self, url: str, *statements: str) -> str:
        words = [f"--command={statement}" for statement in statements or ("SELECT",)]
        done = self.machine.run(
            "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", f"--dbname={url.replace('+psycopg', '')}", *words
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def admin(self, *statements: str, database: str = "postgres") -> str:
        return self.psql(f"postgresql://postgres:lab@{LIVE}/{database}", *statements)

    def sql(self, *statements: str) -> str:
        return self.psql(self.url(), *statements)

    def write(self, name: str, text: str) -> Path:
        file = self.data / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for path in (file, *file.parents):
            if path == self.data:
                break
            os.chown(path, USER, USER)
        return file

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.data)): path.read_text()
            for path in sorted(self.data.rglob("*"))
            if path.is_file() and path.name not in ("secret_key", ".key-fingerprint")
        }

    def script(
        self, name: str, *words: str, fixed: bool = False, **variables: str
    ) -> subprocess.CompletedProcess:
        text = (SCRIPTS / "volume.sh").read_text() + (SCRIPTS / f"{name}.sh").read_text()
        environment = {
            "CONFIG_DIR": f"/{self.name}/data", "SCRATCH": f"/{self.name}/scratch", "TMPDIR": f"/{self.name}/scratch",
            "DATABASE_URL": self.url(), "PGPASSWORD": "lab", "IMAGES": IMAGES,
            "RESTIC_REPOSITORY": f"/{self.name}/repository", "RESTIC_PASSWORD": "word",
            "RESTIC_CACHE_DIR": f"/{self.name}/scratch/cache", "IDENTITY": "organization/skillflaw/one",
            "KEEP": str(self.keep), "RUN": f"run-{next(NUMBERS)}",
        }  # fmt: skip
        return self.machine.run("sh", "-c", text, name, *words, fixed=fixed, **(environment | variables))

    def restic(self, *words: str) -> str:
        variables = {
            "HOME": f"/{self.name}/scratch",
            "RESTIC_REPOSITORY": f"/{self.name}/repository",
            "RESTIC_PASSWORD": "word",
        }
        done = self.machine.run("restic", *words, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def take(self, **variables: str) -> subprocess.CompletedProcess:
        dumped = self.script("database", "dump", **variables)
        return dumped if dumped.returncode else self.script("repository", "keep", **variables)

    def taken(self, **variables: str) -> str:
        done = self.take(**variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-1].split()[1].rstrip(":")

    def restore(self, backup: str, action: str = "restore", **variables: str) -> subprocess.CompletedProcess:
        fetched = self.script("repository", "fetch", backup, **variables)
        return fetched if fetched.returncode else self.script("database", action, **variables)

    def restored(self, backup: str, **variables: str) -> None:
        done = self.restore(backup, **variables)
        assert done.returncode == 0, done.stdout + done.stderr

    def killed_at(self, program: str, call: int, backup: str) -> subprocess.CompletedProcess:
        """A restore whose script is killed at the nth call of a program."""
        wrapper = f"""#!/bin/sh
echo >> /{self.name}/calls
[ "$(wc -l < /{self.name}/calls)" -lt {call} ] || {{ kill -KILL "$PPID"; [ {program} = mv ] || exit; }}
exec /usr/bin/{program} "$@"
"""
        (self.machine.folder(f"{self.name}/bin") / program).write_text(wrapper)
        (self.machine.root / f"{self.name}/bin/{program}").chmod(0o755)
        os.chown(self.data.parent, USER, USER)
        fetched = self.script("repository", "fetch", backup)
        assert fetched.returncode == 0, fetched.stderr
        return self.script(
            "database", "restore", PATH=f"/{self.name}/bin:/usr/lib/postgresql/15/bin:/usr/bin:/bin"
        )

    @contextmanager
    def session(self, url: str, statement: str) -> Iterator[None]:
        """A client that has run a statement and stays."""
        words = self.machine.command("psql", "-XAtq", f"--dbname={url.replace('+psycopg', '')}")
        environment = {"PATH": "/usr/lib/postgresql/15/bin:/usr/bin:/bin"}
        with subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as client:
            client.stdin.write(f"{statement}\n")
            client.stdin.flush()
            assert client.stdout.readline()
            yield
            client.kill()

    @contextmanager
    def writer(self, statement: str) -> Iterator[None]:
        """A client that writes, and connects again whenever it is thrown out."""
        url = self.url().replace("+psycopg", "")
        loop = f'while :; do echo "{statement}; SELECT 1" | psql -XAtq --dbname={url}; done'
        environment = {"PATH": "/usr/lib/postgresql/15/bin:/usr/bin:/bin"}
        with subprocess.Popen(
            self.machine.command("sh", "-c", loop),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as client:
            assert client.stdout.readline()
            drained = Thread(target=client.stdout.read)
            drained.start()
            yield
            client.kill()
            drained.join()

    @contextmanager
    def pooler(self) -> Iterator[int]:
        """The port of something that opens connections of its own to the server, as PgBouncer does."""
        words = self.machine.entered(sys.executable, str(Path(__file__).with_name("pooler.py")), LIVE)
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as proxy:
            yield int(proxy.stdout.readline())
            proxy.kill()

    def backups(self) -> list[dict]:
        return json.loads(self.script("repository", "list").stdout)

    def lose(self) -> None:
        self.sql(
            "DELETE FROM note",
            "DELETE FROM flow WHERE id > 10",
            "CREATE TABLE newer (flow int REFERENCES flow)",
        )
        self.write("flows/one/upload.txt", "second")
        self.write("later/upload.txt", "later")
        (self.data / ".hidden").unlink()

    def is_whole(self) -> bool:
        tables = self.sql("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class JOIN pg_namespace n "
                          "ON n.oid = relnamespace WHERE nspname = 'public' AND relkind = 'r'")  # fmt: skip
        return (
            tables == "alembic_version flow note"
            and self.sql("SELECT count(*) FROM flow") == "50"
            and self.sql("SELECT count(*) FROM note") == "2"
            and self.files() == {".hidden": "hidden", "flows/one/upload.txt": "first"}
        )


@pytest.fixture
def case(machine) -> Case:
    return Case(machine)


def refused(done: subprocess.CompletedProcess, *words: str) -> None:
    assert done.returncode == 78, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_what_was_lost_comes_back_and_what_came_later_goes(case):
    backup = case.taken()
    case.lose()
    case.restored(backup)
    assert case.is_whole()
    assert (case.data / "secret_key").read_text() == "the key itself"


# --- volumes that hold what is not the application's -------------------------------------------


@pytest.mark.parametrize("name", further(".snapshot", "weekly", ".zfs"))
def test_a_read_only_folder_of_the_filer_is_neither_kept_nor_touched(case, name):
    folder = case.data / name
    folder.mkdir()
    case.machine.inside("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(folder))
    case.machine.inside("sh", "-c", f"echo old > {folder}/copy && mount -o remount,ro {folder}")
    backup = case.taken()
    case.lose()
    case.restored(backup)
    assert case.is_whole()
    assert case.machine.inside("cat", f"{folder}/copy") == "old\n"
    kept = case.restic("ls", backup)
    assert "upload.txt" in kept
    assert name not in kept


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["lost+found", "of-root"])
def test_a_folder_of_another_user_is_spared(case, name):
    folder = case.data / name
    folder.mkdir(mode=0o700)
    (folder / "inode").write_text("1")
    backup = case.taken()
    case.lose()
    case.restored(backup)
    assert (folder / "inode").read_text() == "1"
    (folder / "inode").unlink()
    assert case.is_whole()


def test_an_entry_that_cannot_be_moved_ends_the_restore_with_everything_as_it_was(case):
    backup = case.taken()
    case.lose()
    before, flows = case.files(), case.sql("SELECT count(*) FROM flow")
    subprocess.run(["chattr", "+i", case.data / "flows"], check=True)
    try:
        refused(case.restore(backup), "database and files are as they were")
    finally:
        subprocess.run(["chattr", "-i", case.data / "flows"], check=True)
    assert (case.files(), case.sql("SELECT count(*) FROM flow")) == (before, flows)
    assert not (case.data / ".restoring").exists()
    case.restored(backup)
    assert case.is_whole()


@pytest.mark.thorough
def test_a_file_system_that_fixes_owners_and_times_is_restored_on(case):
    backup = case.taken()
    case.lose()
    fetched = case.script("repository", "fetch", backup, fixed=True)
    assert fetched.returncode == 0, fetched.stderr
    done = case.script("database", "restore", fixed=True)
    assert done.returncode == 0, done.stderr
    assert case.is_whole()


def test_a_file_that_cannot_be_read_fails_the_backup_and_leaves_none(case):
    file = case.write("flows/unreadable", "text")
    os.chown(file, 0, 0)
    file.chmod(0o600)
    done = case.take()
    assert done.returncode == 3
    assert "unreadable" in done.stderr
    assert case.backups() == []
    file.unlink()
    assert case.taken()


def test_a_volume_without_room_for_both_refuses(case):
    case.machine.inside(
        "mount", "-t", "tmpfs", "-o", f"size=3m,uid={USER},gid={USER},mode=700", "tmpfs", str(case.data)
    )
    fill = f"cd {case.data} && head -c 2000000 /dev/urandom > big && echo {KEY} > .key-fingerprint && chown {USER}:{USER} *"
    case.machine.inside("sh", "-c", fill)
    backup = case.taken()
    refused(case.restore(backup, "prove"), "KiB left")


# --- databases and their roles -----------------------------------------------------------------


def test_a_role_that_owns_neither_database_nor_schema_restores_what_it_owns(case):
    case.admin(
        f"ALTER DATABASE {case.name} OWNER TO postgres",
        f"REVOKE CREATE ON DATABASE {case.name} FROM {case.role}",
    )
    case.admin("ALTER SCHEMA public OWNER TO postgres", f"GRANT USAGE, CREATE ON SCHEMA public TO {case.role}",
               database=case.name)  # fmt: skip
    backup = case.taken()
    case.lose()
    case.restored(backup)
    assert case.is_whole()


def test_tables_of_another_role_make_a_backup_refuse_and_say_whose_url_is_needed(case):
    case.admin(f"CREATE ROLE {case.name}_user LOGIN PASSWORD 'word'")
    case.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {case.name}_user")
    url = case.url(f"{case.name}_user")
    refused(case.take(DATABASE_URL=url), "backup.databaseUrl")
    assert case.taken()


@pytest.mark.thorough
def test_a_role_that_acts_as_the_owner_restores(case):
    case.admin(f"CREATE ROLE {case.name}_first LOGIN PASSWORD 'word' IN ROLE {case.role}",
               f"ALTER ROLE {case.name}_first SET role TO {case.role}")  # fmt: skip
    url = case.url(f"{case.name}_first")
    backup = case.taken(DATABASE_URL=url)
    case.lose()
    case.restored(backup, DATABASE_URL=url)
    assert case.is_whole()
    assert case.sql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == case.role


@pytest.mark.thorough
@pytest.mark.parametrize("lost", [[], ["DROP OWNED BY ROLE", "ALTER SCHEMA public OWNER TO ROLE"]])
def test_an_administrators_url_leaves_the_tables_to_their_owner(case, lost):
    url = case.url("postgres").replace("word", "lab")
    backup = case.taken(DATABASE_URL=url)
    case.lose()
    case.admin(*(statement.replace("ROLE", case.role) for statement in lost), database=case.name)
    case.restored(backup, DATABASE_URL=url)
    assert case.is_whole()
    assert case.sql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == case.role


@pytest.mark.parametrize("schema", further("Two Words", "reports", "select"))
def test_a_schema_of_the_roles_own_comes_back_too(case, schema):
    case.sql(f'CREATE SCHEMA "{schema}"', f'CREATE TABLE "{schema}"."Some table" AS SELECT 7 AS seven')
    backup = case.taken()
    case.lose()
    case.sql(f'DROP SCHEMA "{schema}" CASCADE')
    case.restored(backup)
    assert case.is_whole()
    assert case.sql(f'TABLE "{schema}"."Some table"') == "7"


@pytest.mark.thorough
def test_what_another_role_keeps_in_the_database_is_neither_kept_nor_touched(case):
    case.admin("CREATE SCHEMA elsewhere", "CREATE TABLE elsewhere.theirs AS SELECT 1 AS one",
               "CREATE TABLE public.theirs AS SELECT 2 AS two", database=case.name)  # fmt: skip
    backup = case.taken()
    case.lose()
    case.restored(backup)
    look = "SELECT one, two FROM elsewhere.theirs, public.theirs"
    assert case.admin(look, database=case.name) == "1|2"
    case.admin("DROP TABLE public.theirs", database=case.name)
    assert case.is_whole()


def test_large_objects_come_back_in_the_same_transaction(case):
    case.sql("SELECT lo_from_bytea(4711, 'bytes')")
    backup = case.taken()
    case.lose()
    case.sql("SELECT lo_unlink(4711)", "SELECT lo_from_bytea(4712, 'later')")
    case.restored(backup)
    assert case.is_whole()
    assert case.sql(
        "SELECT oid, lo_get(oid) FROM pg_largeobject_metadata WHERE pg_has_role(lomowner, 'USAGE')"
    ) == ("4711|\\x6279746573")


def test_an_extension_stays_and_what_is_made_of_it_comes_back(case):
    case.admin("CREATE EXTENSION citext", database=case.name)
    case.sql("CREATE TABLE tag (name citext PRIMARY KEY)", "INSERT INTO tag VALUES ('One')")
    backup = case.taken()
    case.sql("DROP TABLE tag")
    case.restored(backup)
    assert case.sql("SELECT count(*) FROM tag WHERE name = 'one'") == "1"
    case.sql("DROP TABLE tag")
    case.admin("DROP EXTENSION citext", database=case.name)
    refused(case.restore(backup, "prove"), "CREATE EXTENSION", "citext")


@pytest.mark.thorough
def test_an_extension_that_nothing_is_made_of_asks_nothing_of_the_trial_server(case):
    case.admin("CREATE EXTENSION pg_trgm", database=case.name)
    case.taken()
    assert "extension" not in (case.scratch / "backup" / "manifest").read_text()


def test_grants_stay(case):
    reader, writer = f"{case.name}_reader", f"{case.name}_writer"
    case.admin(f"CREATE ROLE {reader}", f"CREATE ROLE {writer}")
    backup = case.taken()
    case.sql(f"GRANT SELECT ON flow TO {reader} WITH GRANT OPTION", f"GRANT INSERT (name) ON flow TO {writer}",
             f"GRANT USAGE ON SEQUENCE flow_id_seq TO {writer}", "GRANT SELECT ON note TO PUBLIC")  # fmt: skip
    case.restored(backup)
    held = (
        f"SELECT has_table_privilege('{reader}', 'flow', 'SELECT WITH GRANT OPTION'), "
        f"has_column_privilege('{writer}', 'flow', 'name', 'INSERT'), has_table_privilege('{writer}', 'flow', 'INSERT'), "
        f"has_sequence_privilege('{writer}', 'flow_id_seq', 'USAGE'), has_table_privilege('{reader}', 'note', 'SELECT')"
    )
    assert case.sql(held) == "t|t|f|t|t"


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ("CREATE VIEW elsewhere.it AS SELECT * FROM public.flow", "elsewhere.it depends on public.flow"),
        (
            "CREATE MATERIALIZED VIEW elsewhere.it AS SELECT * FROM public.note",
            "elsewhere.it depends on public.note",
        ),
        ("CREATE TABLE elsewhere.it (flow int REFERENCES public.flow)", "elsewhere.it refers to public.flow"),
    ],
)
def test_what_depends_on_the_tables_is_never_dropped_with_them(case, theirs, reason):
    case.admin("CREATE SCHEMA elsewhere", theirs, database=case.name)
    dumped = case.script("database", "dump")
    assert dumped.returncode == 0
    assert f"a restore would be refused: {reason}" in dumped.stderr
    backup = case.taken()
    refused(case.restore(backup, "prove"), reason)
    refused(case.restore(backup), reason)
    assert case.admin("SELECT count(*) FROM elsewhere.it", database=case.name) in ("50", "2", "0")


def test_a_session_of_the_role_is_ended_and_one_of_another_role_refuses(case):
    backup = case.taken()
    case.lose()
    with case.session(case.url(), "BEGIN; SELECT count(*) FROM flow;"):
        case.restored(backup)
    assert case.is_whole()
    case.admin(f"CREATE ROLE {case.name}_reader LOGIN PASSWORD 'word'")
    case.sql(f"GRANT SELECT ON flow TO {case.name}_reader")
    with case.session(case.url(f"{case.name}_reader"), "BEGIN; SELECT count(*) FROM flow;"):
        refused(case.restore(backup, "prove"), f"role {case.name}_reader holds public.flow")


@pytest.mark.thorough
def test_a_prepared_transaction_refuses(case):
    backup = case.taken()
    case.sql("BEGIN; INSERT INTO note VALUES (3); PREPARE TRANSACTION 'left'")
    refused(case.restore(backup, "prove"), "prepared transaction 'left'")
    case.sql("ROLLBACK PREPARED 'left'")


@pytest.mark.thorough
def test_whoever_writes_meanwhile_changes_neither_the_restore_nor_what_it_says(case):
    backup = case.taken()
    case.lose()
    with case.writer("INSERT INTO note VALUES (1)"):
        done = case.restore(backup)
    assert done.returncode == 0, done.stderr
    assert case.sql("SELECT count(*) FROM flow") == "50"


@pytest.mark.parametrize(
    ("event", "happens"),
    [
        ("sql_drop", "EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_name = 'flow')"),
        ("ddl_command_end", "current_query() ~ 'public.flow'"),
    ],
)
def test_a_database_that_refuses_in_the_middle_leaves_everything_as_it_was(case, event, happens):
    backup = case.taken()
    case.lose()
    before, flows = case.files(), case.sql("SELECT count(*) FROM flow")
    case.admin(
        "CREATE FUNCTION public.no() RETURNS event_trigger LANGUAGE plpgsql AS "
        f"$$BEGIN IF {happens} THEN RAISE EXCEPTION 'not now'; END IF; END$$",
        f"CREATE EVENT TRIGGER no ON {event} EXECUTE FUNCTION public.no()",
        database=case.name,
    )
    refused(case.restore(backup), "database and files are as they were", "not now")
    assert (case.files(), case.sql("SELECT count(*) FROM flow")) == (before, flows)
    case.admin("DROP EVENT TRIGGER no", database=case.name)
    case.restored(backup)
    assert case.is_whole()


@pytest.mark.thorough
def test_a_pooler_is_refused_and_a_url_past_it_is_taken(case):
    with case.pooler() as port:
        url = case.url().replace(LIVE, f"{LIVE}:{port}")
        assert case.psql(url, "SELECT 1") == "1"
        refused(case.take(DATABASE_URL=url), "pooler", "backup.databaseUrl")
    assert case.taken()


# --- which backup, whose, with which key -------------------------------------------------------


def test_the_new_backup_stays_although_one_from_the_future_exists(case):
    case.keep = 1
    case.taken()
    case.restic(
        "backup",
        "--host=organization/skillflaw/one",
        "--tag=skillflaw",
        "--time=2099-01-01 00:00:00",
        "/etc/hostname",
    )
    newest = case.taken()
    assert newest in {it["short_id"] for it in case.backups()}


@pytest.mark.thorough
def test_only_as_many_backups_of_the_stack_stay_and_all_of_other_stacks(case):
    case.keep = 2
    other = case.taken(IDENTITY="organization/skillflaw/two")
    own = [case.taken() for _ in range(3)]
    assert {it["short_id"] for it in case.backups()} == {other, *own[1:]}


@pytest.mark.thorough
def test_a_repository_with_another_password_is_refused(case):
    case.taken()
    refused(case.take(RESTIC_PASSWORD="other"), "has another password")  # noqa: S106
    refused(case.restore("latest", RESTIC_PASSWORD="other"), "has another password")  # noqa: S106


def test_a_backup_that_is_not_there_is_refused(case):
    refused(case.restore("latest"), "no repository")
    case.taken()
    refused(case.restore("0123abcd"), "no backup 0123abcd")


@pytest.mark.thorough
def test_a_repository_next_to_other_things_leaves_them_alone(case):
    for name in ("2024-archive", "20260101T030000Z"):
        (case.repository / name).mkdir()
        (case.repository / name / "file").write_text(name)
    (case.repository / "9notes.txt").write_text("notes")
    place = f"/{case.name}/repository/restic"
    case.keep = 1
    for _ in range(2):
        case.taken(RESTIC_REPOSITORY=place)
    assert {path.name for path in case.repository.iterdir()} == {
        "2024-archive",
        "20260101T030000Z",
        "9notes.txt",
        "restic",
    }


def test_a_backup_of_another_key_is_refused_and_a_volume_that_knows_none_takes_it(case):
    backup = case.taken()
    case.write(".key-fingerprint", "ffeeddccbbaa9988")
    refused(case.restore(backup), f"made with key {KEY}, this stack has key ffeeddccbbaa9988")
    (case.data / ".key-fingerprint").unlink()
    case.lose()
    case.restored(backup)
    assert (case.data / ".key-fingerprint").read_text().strip() == KEY


@pytest.mark.parametrize("text", ["", None])
def test_a_volume_that_does_not_say_its_key_is_not_backed_up(case, text):
    (case.data / ".key-fingerprint").unlink()
    if text is not None:
        case.write(".key-fingerprint", text)
    refused(case.take(), "which secret key")


def test_the_key_itself_is_in_no_backup_and_its_fingerprint_is_a_tag(case):
    backup = case.taken()
    assert "secret_key" not in case.restic("ls", backup)
    (kept,) = case.backups()
    assert {f"key={KEY}", "revision=r1", "server=15", "backend=registry.test/backend:1"} <= set(kept["tags"])
    assert kept["hostname"] == "organization/skillflaw/one"


def test_a_backup_of_another_stack_is_restored_where_nothing_is(case, machine):
    backup = case.taken()
    new = Case(machine)
    new.admin(f"DROP OWNED BY {new.role}", f"ALTER SCHEMA public OWNER TO {new.role}", database=new.name)
    for left in ("flows/one/upload.txt", ".hidden", ".key-fingerprint"):
        (case.data / left).unlink()
    case.restored(backup, DATABASE_URL=new.url(), IDENTITY="organization/skillflaw/new")
    assert new.sql("SELECT count(*) FROM flow") == "50"
    assert case.is_whole()
    assert (case.data / ".key-fingerprint").read_text().strip() == KEY


@pytest.mark.parametrize("damage", further("data", "index"))
def test_a_damaged_repository_is_noticed_before_anything_is_exchanged(case, damage):
    backup = case.taken()
    case.lose()
    before = case.files()
    for file in (case.repository / damage).rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(b"\0" * file.stat().st_size)
    # A pod has no cache but its own.
    shutil.rmtree(case.scratch / "cache")
    done = case.restore(backup)
    assert done.returncode
    assert case.files() == before
    assert case.sql("SELECT count(*) FROM flow") == "10"
    assert case.take().returncode


# --- interruptions -----------------------------------------------------------------------------


@pytest.mark.parametrize(("program", "call"), further(("mv", 3), ("mv", 1), ("mv", 2), ("mv", 4), ("rm", 3)))
def test_a_restore_that_was_killed_is_marked_and_the_next_one_ends_well(case, program, call):
    backup = case.taken()
    case.lose()
    killed = case.killed_at(program, call, backup)
    marked = (case.data / ".restoring").exists()
    assert killed.returncode != 0
    assert marked
    refused(case.take(), f"a restore of backup {backup} has not ended")
    case.restored(backup)
    assert case.is_whole()
    assert not (case.data / ".restoring").exists()
    assert not (case.data / ".restore").exists()


def test_a_database_that_a_new_pod_cannot_reach_yet_is_asked_again(case):
    with case.machine.late() as port:
        assert case.taken(DATABASE_URL=case.url().replace(LIVE, f"{LIVE}:{port}"))
