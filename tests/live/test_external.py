"""External state: a PostgreSQL and a Redis whose certificates a private authority made, and every part verifies.

The stack carries its own kubeconfig.
"""

import contextlib
import json
import ssl
from collections.abc import Iterator

import pytest

from lab import pki
from lab.images import folders
from lab.layout import REAL
from lab.mint import Minted, mint
from lab.process import wait_for
from operations import stack as stacks
from operations.wire import Endpoint, resolved
from tests.engine.stack import Stack
from tests.live import flows, namespace
from tests.live.alone import alone
from tests.live.operate import operation, validate
from tests.live.traffic import Traffic

pytestmark = pytest.mark.independent

STATE = "state"
"""Namespace of the external state."""
NAME = "external"
"""The stack, and its namespace."""
HOST = "external.skillflaw.test"
SERVERS = {"postgresql": 5432, "redis": 6379}
OPTIONS = {
    "postgresql": "-c unix_socket_directories=/data -c ssl=on"
    " -c ssl_cert_file=/tls/tls.crt -c ssl_key_file=/tls/tls.key",
    "redis": "--port 0 --tls-port 6379 --tls-auth-clients no"
    " --tls-cert-file /tls/tls.crt --tls-key-file /tls/tls.key --requirepass lab",
}
ROLES = {"first": "p@ss/1", "second": "p@ss/2"}
"""Two roles with the rights of one owner, and their passwords."""


def server(name: str) -> list[dict]:
    """A pod that anyone might run, and its Service."""
    metadata = {"name": name, "namespace": STATE, "labels": {"app": name}}
    container = {
        "name": name,
        "image": folders.reference("postgres" if name == "postgresql" else name),
        "args": OPTIONS[name].split(),
        "env": [{"name": "POSTGRES_PASSWORD", "value": "lab"}, {"name": "PGDATA", "value": "/data/pgdata"}],
        "volumeMounts": [
            {"name": "tls", "mountPath": "/tls"},
            {"name": "data", "mountPath": "/data"},
        ],
        "readinessProbe": {"tcpSocket": {"port": SERVERS[name]}, "periodSeconds": 1},
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "securityContext": {"runAsUser": 10001, "fsGroup": 10001},
                "containers": [container],
                "volumes": [
                    {"name": "tls", "secret": {"secretName": "tls", "defaultMode": 0o440}},
                    {"name": "data", "emptyDir": {}},
                ],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {"app": name}, "ports": [{"port": SERVERS[name]}]},
        },
    ]


def psql(kubectl, *statements: str) -> list[str]:
    """Runs statements as the server's own superuser; the words that they print."""
    words = [f"--command={statement}" for statement in statements]
    return kubectl(
        "exec", "postgresql", f"--namespace={STATE}", "--", "psql", "--host=/data", "--username=postgres",
        "--dbname=postgres", "--tuples-only", "--no-align", "--quiet", *words,
    ).split()  # fmt: skip


def role(name: str) -> tuple[str, str]:
    """Statements that make a role whose every session acts as the owner of the data."""
    return (
        f"CREATE ROLE {name} LOGIN PASSWORD '{ROLES[name]}' IN ROLE skillflaw",
        f"ALTER ROLE {name} SET role TO skillflaw",
    )


def secret(kubectl, name: str, **values: str) -> None:
    words = [f"--from-literal={key}={value}" for key, value in values.items()]
    kubectl("create", "secret", "generic", name, f"--namespace={NAME}", *words)


def credentials(kubectl, role: str) -> None:
    """The Secret with the name and the password of one of the roles, as they are."""
    secret(kubectl, f"database-{role}", user=role, password=ROLES[role])


@pytest.fixture(scope="module")
def servers(kubectl, both_nodes) -> Iterator[None]:
    namespace.make(kubectl, STATE)
    pki.issue(REAL, STATE, hosts=[f"{name}.{STATE}" for name in SERVERS])
    files = (f"--cert={REAL.pki / f'{STATE}.crt'}", f"--key={REAL.pki / f'{STATE}.key'}")
    kubectl("create", "secret", "tls", "tls", f"--namespace={STATE}", *files)
    made = [each for name in SERVERS for each in server(name)]
    kubectl("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    kubectl("wait", "pods", "--all", f"--namespace={STATE}", "--for=condition=Ready", "--timeout=60s")
    psql(kubectl, "CREATE ROLE skillflaw", *role("first"), "CREATE DATABASE skillflaw OWNER skillflaw")
    yield
    kubectl("delete", "namespace", STATE, "--wait=false")


@pytest.fixture(scope="module")
def other(servers, kubectl, tmp_path_factory) -> Iterator[Stack]:
    """An API and nothing else."""
    changes = {
        "cluster": {},
        "namespace": {"name": NAME, "create": False},
        "surfaces": {"api": {"host": HOST}},
        "backend.scale.replicas": 1,
        "pods": {"trust": {"secretName": "authority", "key": "ca.crt"}},
        "database": {
            "external": {
                "host": f"postgresql.{STATE}",
                "name": "skillflaw",
                "secretName": "database-first",
                "userKey": "user",
                "passwordKey": "password",
                "sslMode": "verify-full",
            }
        },
        "cache": {"external": {"secretName": "cache", "key": "url"}},
        "network.egress": [{"cidr": node.pods, "ports": [*SERVERS.values()]} for node in REAL.nodes],
        # Never by itself: 31 February.
        "backup": {"schedule": "0 0 31 2 *", "to": {"claim": {"size": "1Gi", "className": "local"}}},
    }
    with alone(kubectl, tmp_path_factory.mktemp("program"), NAME, changes) as stack:
        namespace.make(kubectl, NAME)
        credentials(kubectl, "first")
        # Clients of Redis verify certificate and name unless they are asked not to.
        secret(kubectl, "cache", url=f"rediss://:lab@redis.{STATE}:6379/0?retry_on_timeout=true")
        secret(kubectl, "authority", **{"ca.crt": (REAL.pki / "ca.crt").read_text()})
        stack.sections["kubeconfig"] = stack.encrypted("kubeconfig", REAL.kubeconfig.read_text())
        stack.up()
        yield stack
        kubectl("delete", "jobs", "--all", f"--namespace={NAME}")
        stack.pulumi("destroy", "--yes", "--skip-preview")


@pytest.fixture(scope="module")
def api() -> Iterator[Endpoint]:
    with resolved({HOST}, REAL.nodes[0].address):
        yield Endpoint(f"https://{HOST}", ssl.create_default_context(cafile=REAL.pki / "ca.crt"))


@pytest.fixture(scope="module")
def visitor(other, tmp_path_factory) -> Minted:
    """An API key and a flow of this stack's own."""
    with contextlib.chdir(other.program):
        return mint(stacks.read(NAME), tmp_path_factory.mktemp("visitor"))


def sessions(kubectl) -> set[str]:
    """Who is signed in to the application's database, each with whether by TLS."""
    who = "SELECT usename, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE datname = 'skillflaw'"
    return set(psql(kubectl, who))


def test_the_guides_validation_passes_on_state_that_others_run(other, visitor):
    done = validate(NAME, visitor, program=other.program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"context of its kubeconfig, namespace {NAME}" in done.stdout


@pytest.mark.drill
def test_a_database_password_is_rotated_without_a_failed_request(other, visitor, api, kubectl, row):
    assert sessions(kubectl) == {"first|t"}
    asks = {"alive": (0.05, flows.alive), "health": (0.25, flows.health), "run": (1, flows.run(visitor))}
    with Traffic(api.async_client, asks) as traffic:
        psql(kubectl, *role("second"))
        credentials(kubectl, "second")
        other.sections["database"]["external"]["secretName"] = "database-second"
        other.up()
        wait_for(lambda: sessions(kubectl) == {"second|t"}, 120, "the last session of the old role to end")
        psql(kubectl, "ALTER ROLE first NOLOGIN")
        runs = traffic.count["run"] + 3
        wait_for(lambda: traffic.count["run"] >= runs, 30, "flows after the old role was closed")
    row("password of an external database", traffic)
    assert not traffic.failures, traffic.story


@pytest.mark.drill
def test_a_backup_over_tls_comes_back_and_its_jobs_hold_no_claim_of_a_destroyed_stack(
    other, visitor, api, kubectl
):
    taken = operation(NAME, "backup", program=other.program)
    assert taken.returncode == 0, taken.stdout + taken.stderr
    kubectl(
        "exec", "postgresql", f"--namespace={STATE}", "--", "psql", "--host=/data", "--username=postgres",
        "--dbname=skillflaw", "--command=TRUNCATE flow CASCADE",
    )  # fmt: skip
    restored = operation(NAME, "restore", "--backup=latest", program=other.program)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    with Traffic(api.async_client, {"run": (1, flows.run(visitor))}) as traffic:
        wait_for(lambda: traffic.count["run"] >= 1, 60, "a flow after the restore")
    assert not traffic.failures, traffic.story
    # The fixture destroys the stack: claims go only when no pod is left, finished ones included.
    jobs = json.loads(kubectl("get", "jobs", f"--namespace={NAME}", "--output=json"))["items"]
    made = [job for job in jobs if job["metadata"]["labels"].get("app") == "skillflaw-backup"]
    assert made
    assert all(job["metadata"]["ownerReferences"][0]["kind"] == "CronJob" for job in made)
