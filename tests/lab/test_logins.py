"""Servers learn who signs in by the real scripts: PostgreSQL and Redis of the lab's own images, one in each sandbox."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from components.login import login_script, login_user
from lab.images import build
from lab.process import wait_for
from tests.lab.sandbox import Sandbox, sandbox

USERS = [login_user(version) for version in ("one", "two", "three")]


ADDRESSES = (f"127.0.0.{number}" for number in count(2))


def machine(tmp_path_factory, image: str):
    archive = build.build(image, lambda words: None).archive
    return sandbox(tmp_path_factory.mktemp(image) / "root", archive)


@pytest.fixture(scope="module")
def postgresql_machine(tmp_path_factory) -> Iterator[Sandbox]:
    with machine(tmp_path_factory, "postgres") as made:
        yield made


@pytest.fixture(scope="module")
def redis_machine(tmp_path_factory) -> Iterator[Sandbox]:
    with machine(tmp_path_factory, "redis") as made:
        yield made


class Server:
    """A server and the script that asks it; a test remembers what the stack's Secrets would."""

    def __init__(self, machine: Sandbox, name: str, address: str, initial: str) -> None:
        self.machine, self.name, self.address, self.initial = machine, name, address, initial
        self.now: tuple[str, str] = ("", "")

    def script(self, action: str, user: str, password: str, wait: int = 0) -> subprocess.CompletedProcess:
        text = login_script(self.name)
        return self.machine.run(
            # psql asks a terminal for a password, and a pod has none.
            "setsid", "--wait", "sh", "-c", text, "login.sh", action,
            HOST=self.address, LOGIN=user, PASSWORD=password, NOW_USER=self.now[0], NOW_PASSWORD=self.now[1],
            INITIAL_URL=self.initial, TRIES="2", WAIT=str(wait),
        )  # fmt: skip

    def passes(self, action: str, user: str, password: str) -> str:
        done = self.script(action, user, password)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def signs_in(self, user: str, password: str) -> bool:
        raise NotImplementedError


class PostgreSQL(Server):
    def psql(self, user: str, password: str, statement: str) -> subprocess.CompletedProcess:
        words = ("psql", "-XAtq", f"--host={self.address}", f"--username={user}", "--dbname=skillflaw")
        return self.machine.run(*words, f"--command={statement}", PGPASSWORD=password)

    def signs_in(self, user: str, password: str) -> bool:
        return self.psql(user, password, "SELECT").returncode == 0


class Redis(Server):
    def signs_in(self, user: str, password: str) -> bool:
        ping = ("redis-cli", "-h", self.address, "--user", user, "PING")
        return self.machine.run(*ping, REDISCLI_AUTH=password).stdout.strip() == "PONG"


@pytest.fixture
def postgresql(postgresql_machine) -> Iterator[PostgreSQL]:
    address = next(ADDRESSES)
    with postgresql_machine.server(address, "skillflaw"):
        initial = f"postgresql://skillflaw:lab@{address}:5432/skillflaw"
        yield PostgreSQL(postgresql_machine, "postgresql", address, initial)


@contextmanager
def started(machine: Sandbox, *options: str) -> Iterator[Redis]:
    """A Redis that asks for a password, while the block runs."""
    address = next(ADDRESSES)
    words = ("redis-server", "--bind", address, "--requirepass", "lab", "--save", "", *options)
    process = subprocess.Popen(machine.command(*words), stdout=subprocess.DEVNULL)
    ping = ("redis-cli", "-h", address, "PING")
    try:
        wait_for(lambda: "NOAUTH" in machine.run(*ping).stdout, 30, "Redis")
        yield Redis(machine, "redis", address, f"redis://:lab@{address}:6379/0")
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def redis(redis_machine) -> Iterator[Redis]:
    with started(redis_machine) as server:
        yield server


def rotations(server: Server, first: str) -> None:
    """Two rotations, each as the stack's Jobs make it, and the first user again with another password."""
    known = (first, "lab")
    for user, password in ((USERS[0], "word1"), (USERS[1], "word2"), (USERS[0], "word3")):
        server.passes("open", user, password)
        server.now = (user, password)
        # Between the two Jobs replicas of before and of after sign in.
        assert server.signs_in(*known)
        assert server.signs_in(user, password)
        server.passes("close", user, password)
        assert not server.signs_in(*known)
        assert server.signs_in(user, password)
        known = (user, password)


def test_postgresql_knows_both_logins_until_the_old_one_is_ended(postgresql):
    rotations(postgresql, "skillflaw")


def test_redis_knows_both_logins_until_the_old_one_is_ended(redis):
    rotations(redis, "default")


def test_what_a_login_makes_belongs_to_the_role_that_the_server_was_made_with(postgresql):
    postgresql.passes("open", USERS[0], "word")
    assert postgresql.psql(USERS[0], "word", "CREATE TABLE made (it int)").returncode == 0
    owner = postgresql.psql(USERS[0], "word", "SELECT tableowner FROM pg_tables WHERE tablename = 'made'")
    assert owner.stdout.strip() == "skillflaw"


def test_no_password_stands_in_a_statement(postgresql):
    psql = postgresql.psql("skillflaw", "lab", "ALTER SYSTEM SET log_statement = 'all'")
    assert psql.returncode == 0
    assert postgresql.psql("skillflaw", "lab", "SELECT pg_reload_conf()").returncode == 0
    postgresql.passes("open", USERS[0], "not-in-the-log")
    log = (postgresql.machine.root / f"servers/{postgresql.address}.log").read_text()
    assert USERS[0] in log
    assert "not-in-the-log" not in log


@pytest.mark.parametrize("name", ["postgresql", "redis"])
def test_a_job_that_runs_again_changes_nothing(name, request):
    server = request.getfixturevalue(name)
    server.passes("open", USERS[0], "word")
    assert "already" in server.passes("open", USERS[0], "word")
    server.now = (USERS[0], "word")
    server.passes("close", USERS[0], "word")
    assert "only" in server.passes("close", USERS[0], "word")
    assert server.signs_in(USERS[0], "word")


@pytest.mark.parametrize("name", ["postgresql", "redis"])
def test_a_rotation_that_stopped_in_the_middle_is_gone_on_with_by_the_next_one(name, request):
    server = request.getfixturevalue(name)
    server.passes("open", USERS[0], "word1")
    server.now = (USERS[0], "word1")
    # The second version came to nothing: it was learned, and its `close` never ran.
    server.passes("open", USERS[1], "word2")
    server.passes("open", USERS[2], "word3")
    server.passes("close", USERS[2], "word3")
    assert [server.signs_in(user, f"word{number}") for number, user in enumerate(USERS, 1)] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("name", ["postgresql", "redis"])
def test_a_server_on_an_empty_volume_is_taught_by_the_password_it_was_made_with(name, request):
    server = request.getfixturevalue(name)
    server.now = (USERS[0], "a word that this server never learned")
    server.passes("open", USERS[1], "word")
    assert server.signs_in(USERS[1], "word")


@pytest.mark.parametrize("name", ["postgresql", "redis"])
def test_a_server_that_takes_no_known_password_is_named_with_its_secret_and_shows_none(name, request):
    server = request.getfixturevalue(name)
    server.initial = server.initial.replace("lab", "strange")
    server.now = (USERS[0], "stranger")
    refused = server.script("open", USERS[1], "new")
    assert refused.returncode == 78
    assert f"Secret {name}-login" in refused.stderr
    assert not any(word in refused.stdout + refused.stderr for word in ("strange", " new"))


def test_a_session_of_an_old_login_goes_on_and_a_new_one_does_not_begin(postgresql):
    postgresql.passes("open", USERS[0], "word")
    words = ("psql", "-XAtq", f"--host={postgresql.address}", "--username=skillflaw", "--dbname=skillflaw")
    environment = {"PATH": "/usr/lib/postgresql/15/bin:/usr/bin:/bin", "PGPASSWORD": "lab"}
    with subprocess.Popen(
        postgresql.machine.command(*words),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as session:
        print("SELECT 'begun';", file=session.stdin, flush=True)
        assert session.stdout.readline() == "begun\n"
        assert "go on: 1" in postgresql.passes("close", USERS[0], "word")
        assert not postgresql.signs_in("skillflaw", "lab")
        print("SELECT 'ended';", file=session.stdin, flush=True)
        assert session.stdout.readline() == "ended\n"
        session.stdin.close()


def test_a_redis_that_starts_with_the_users_of_the_secret_takes_no_other(redis_machine):
    (redis_machine.root / "users.acl").write_text(f"user default off\nuser {USERS[0]} on >word ~* &* +@all\n")
    with started(redis_machine, "--aclfile", "/users.acl") as server:
        assert server.signs_in(USERS[0], "word")
        assert not server.signs_in("default", "lab")
