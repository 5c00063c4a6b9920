"""Passwords that the stack makes are rotated, and its certificate is renewed, while requests come through the edge."""

import base64
import contextlib
import json
import ssl
from collections.abc import Iterator

import httpx2
import pytest

from components.names import certificate
from lab.errors import LabError
from lab.layout import REAL
from lab.mint import Minted, mint
from lab.process import wait_for
from operations import stack as stacks
from operations.wire import Endpoint, resolved
from tests.engine.stack import Stack
from tests.live import flows
from tests.live.alone import alone
from tests.live.traffic import Traffic

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]

NAME = "passwords"
"""The stack, and its namespace."""
HOST = "passwords.skillflaw.test"
SECTIONS = {
    "namespace": {"name": NAME},
    "surfaces": {"api": {"host": HOST}},
    "backend.scale.replicas": 1,
    "database": {"inCluster": {"size": "1Gi", "className": "local"}},
    "backup": {},
}
WHO = "SELECT session_user, current_user"


class Passwords:
    """The stack, what its pods sign in with, and who may."""

    def __init__(self, stack: Stack, kubectl) -> None:
        self.stack, self._kubectl = stack, kubectl

    def kubectl(self, *words: str) -> str:
        return self._kubectl(f"--namespace={NAME}", *words)

    def credentials(self, variable: str) -> tuple[str, str]:
        """User and password in the URL that the backend reads as this variable."""
        url = self._value(variable).partition("://")[2].partition("@")[0]
        user, _, password = url.partition(":")
        return user, password

    @property
    def superuser(self) -> tuple[str, str]:
        return "skillflaw", self._value("SKILLFLAW_SUPERUSER_PASSWORD")

    def _value(self, variable: str) -> str:
        deployment = json.loads(self.kubectl("get", "deployment/skillflaw-backend", "--output=json"))
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        [row] = [row for row in container["env"] if row["name"] == variable]
        reference = row["valueFrom"]["secretKeyRef"]
        secret = json.loads(self.kubectl("get", f"secret/{reference['name']}", "--output=json"))
        return base64.b64decode(secret["data"][reference["key"]]).decode()

    def database(self, user: str, password: str) -> str:
        """What PostgreSQL answers to who signs in from outside its pod's own socket; LabError if it refuses."""
        return self.kubectl(
            "exec", "postgresql-0", "--", "env", f"PGUSER={user}", f"PGPASSWORD={password}",
            "psql", "--host=127.0.0.1", "--dbname=skillflaw", "--tuples-only", "--no-align", f"--command={WHO}",
        ).strip()  # fmt: skip

    def cache(self, user: str, password: str) -> str:
        """What Redis answers to who signs in, among it WRONGPASS if it refuses."""
        ping = f"redis-cli --user {user or 'default'} ping 2>&1 || true"
        return self.kubectl(
            "exec", "deployment/redis", "--", "env", f"REDISCLI_AUTH={password}", "sh", "-c", ping
        )

    def secrets(self) -> str:
        """Everything that the namespace's Secrets hold, decoded."""
        found = json.loads(self.kubectl("get", "secrets", "--output=json"))["items"]
        return "\n".join(
            base64.b64decode(value).decode(errors="replace")
            for secret in found
            for value in (secret.get("data") or {}).values()
        )

    def redis(self) -> list[str]:
        return self.kubectl("get", "pods", "--selector=app=skillflaw-redis", "--output=name").split()


@pytest.fixture(scope="module")
def passwords(kubectl, both_nodes, tmp_path_factory) -> Iterator[Passwords]:
    with alone(kubectl, tmp_path_factory.mktemp("program"), NAME, SECTIONS) as stack:
        stack.up()
        yield Passwords(stack, kubectl)
        stack.pulumi("destroy", "--yes", "--skip-preview")


@pytest.fixture(scope="module")
def api() -> Iterator[Endpoint]:
    with resolved({HOST}, REAL.nodes[0].address):
        yield Endpoint(f"https://{HOST}", ssl.create_default_context(cafile=REAL.pki / "ca.crt"))


@pytest.fixture(scope="module")
def minted(passwords, tmp_path_factory) -> Minted:
    with contextlib.chdir(passwords.stack.program):
        return mint(stacks.read(NAME), tmp_path_factory.mktemp("minted"))


def rotate(
    passwords: Passwords, api: Endpoint, minted: Minted, section: dict, version: str | None
) -> Traffic:
    """Traffic during the `up` of one edit, and until flows ran afterwards."""
    section.pop("passwordVersion", None)
    if version is not None:
        section["passwordVersion"] = version
    asks = {"alive": (0.05, flows.alive), "health": (0.25, flows.health), "run": (1, flows.run(minted))}
    with Traffic(api.async_client, asks) as traffic:
        passwords.stack.up()
        runs = traffic.count["run"] + 3
        wait_for(lambda: traffic.count["run"] >= runs, 60, "flows after the rotation")
    return traffic


@pytest.mark.parametrize("version", ["one", "two", None], ids=["first", "second", "left out"])
def test_a_databases_password_is_rotated_without_a_failed_request(passwords, api, minted, row, version):
    section = passwords.stack.sections["database"]["inCluster"]
    old = passwords.credentials("SKILLFLAW_DATABASE_URL")
    assert passwords.database(*old)
    traffic = rotate(passwords, api, minted, section, version)
    row(f"password of the database: passwordVersion {version or 'left out'}", traffic)
    assert not traffic.failures, traffic.story
    new = passwords.credentials("SKILLFLAW_DATABASE_URL")
    assert new[0] != old[0]
    assert passwords.database(*new) == f"{new[0]}|skillflaw"
    with pytest.raises(LabError):
        passwords.database(*old)
    # The Secret that the server was made with stays mounted, and opens nothing.
    assert (old[1] in passwords.secrets()) == (version == "one")


@pytest.mark.parametrize("version", ["one", "two"], ids=["first", "second"])
def test_a_caches_password_is_rotated_and_redis_goes_on(passwords, api, minted, row, version):
    section = passwords.stack.sections["cache"]["inCluster"]
    old, pods = passwords.credentials("SKILLFLAW_REDIS_URL"), passwords.redis()
    traffic = rotate(passwords, api, minted, section, version)
    row(f"password of the cache: passwordVersion {version or 'left out'}", traffic)
    assert not traffic.failures, traffic.story
    assert passwords.redis() == pods
    new = passwords.credentials("SKILLFLAW_REDIS_URL")
    assert "PONG" in passwords.cache(*new)
    assert "WRONGPASS" in passwords.cache(*old)


def test_a_redis_that_starts_again_knows_the_rotated_password_alone(passwords):
    user, password = passwords.credentials("SKILLFLAW_REDIS_URL")
    passwords.kubectl("rollout", "restart", "deployment/redis")
    passwords.kubectl("rollout", "status", "deployment/redis", "--timeout=120s")
    assert "PONG" in passwords.cache(user, password)
    assert "WRONGPASS" in passwords.cache("default", password)


@pytest.mark.parametrize("version", ["one", "two"], ids=["first", "second"])
def test_a_superusers_password_is_rotated_and_the_api_key_goes_on(passwords, api, minted, row, version):
    section = passwords.stack.sections.setdefault("superuser", {})
    old = passwords.superuser
    assert signs_in(passwords, *old)
    traffic = rotate(passwords, api, minted, section, version)
    row(f"password of the superuser: passwordVersion {version or 'left out'}", traffic)
    assert not traffic.failures, traffic.story
    assert passwords.superuser[1] != old[1]
    assert signs_in(passwords, *passwords.superuser)
    assert not signs_in(passwords, *old)
    assert old[1] not in passwords.secrets()


def signs_in(passwords: Passwords, user: str, password: str) -> bool:
    """Whether the application lets the user in; asked past the edge, where signing in is closed."""
    with (
        contextlib.chdir(passwords.stack.program),
        stacks.read(NAME).kubectl() as kubectl,
        kubectl.port_forward("skillflaw-backend", 7860) as origin,
        Endpoint(origin).client() as client,
    ):
        answer = client.post("/api/v1/login", data={"username": user, "password": password})
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


def test_a_certificate_that_its_issuer_renews_reaches_the_edge_without_a_failed_request(
    passwords, api, minted, row
):
    async def fresh(_client: httpx2.AsyncClient) -> None:
        # A connection that is open goes on with the certificate that it began with.
        async with api.async_client() as client:
            await flows.alive(client)

    name, old = f"certificate/{certificate('api')}", api.certificate()
    asks = {"new connection": (0.1, fresh), "alive": (0.05, flows.alive), "run": (1, flows.run(minted))}
    with Traffic(api.async_client, asks) as traffic:
        # What cert-manager's own command for a renewal writes.
        condition = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "a drill"}
        status = json.loads(passwords.kubectl("get", name, "--output=json"))["status"]
        status["conditions"].append(condition | {"lastTransitionTime": status["notBefore"]})
        patch = json.dumps({"status": {"conditions": status["conditions"]}})
        passwords.kubectl("patch", name, "--subresource=status", "--type=merge", f"--patch={patch}")
        wait_for(lambda: api.certificate().serial_number != old.serial_number, 120, "the new certificate")
        seconds = traffic.since_start()
        asked = traffic.count["new connection"] + 20
        wait_for(lambda: traffic.count["new connection"] >= asked, 60, "connections after the renewal")
    row("certificate renewed", traffic, also=f"new certificate after {seconds:.0f} s")
    assert not traffic.failures, traffic.story
    assert api.certificate().not_valid_after_utc >= old.not_valid_after_utc
