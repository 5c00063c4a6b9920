"""The key that encrypts stored credentials: changed by accident it stops, given up in words it passes."""

import base64
import hashlib
import secrets
from collections.abc import Iterable

import pytest
from cryptography.fernet import Fernet, InvalidToken

from lab.mint import Minted
from lab.process import wait_for
from operations.validate import api
from operations.validate.check import CheckError
from operations.wire import Endpoint
from tests.live import flows
from tests.live.namespace import NAMESPACE, pods
from tests.live.traffic import Traffic

OTHER = "another-key"


def fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


@pytest.fixture
def kept(kubectl) -> str:
    """The key the data was made with."""
    name = kubectl(
        "get", "deployment", "skillflaw-backend", NAMESPACE,
        "--output=jsonpath={.spec.template.spec.volumes[?(@.name=='secret-key')].secret.secretName}",
    )  # fmt: skip
    data = kubectl("get", "secret", name, NAMESPACE, r"--output=jsonpath={.data.skillflaw_secret_key}")
    return base64.b64decode(data).decode()


@pytest.fixture
def other(kubectl) -> str:
    """A key that never saw the data, in a Secret of its own."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    kubectl("create", "secret", "generic", OTHER, NAMESPACE, f"--from-literal=key={key}")
    yield key
    kubectl("delete", "secret", OTHER, NAMESPACE)


def gone(kubectl, names: Iterable[str]) -> None:
    """Waits for the end of pods: `up` ends when their successors serve, and they still answer for a moment."""
    kubectl("wait", "pods", *names, NAMESPACE, "--for=delete", "--timeout=120s")


@pytest.mark.drill
def test_a_key_that_changes_stops_before_any_pod_does_and_is_let_through_in_words(
    at_risk, other: str, kept: str, edited, kubectl, hosts: dict[str, Endpoint], minted: Minted, row
):
    key = minted.api_key_file.read_text()
    changed = {
        "secretKey": {"existing": {"secretName": OTHER, "key": "key", "version": "1"}},
        # Two are replaced twice elsewhere; one is enough here.
        "backend.scale.replicas": 1,
    }
    serving = pods(kubectl, "backend").keys()

    with Traffic(hosts["api"].async_client, {"run": (1, flows.run(minted))}) as traffic:
        refused = edited.up(changed, check=False)
    row("another secret key by accident: refused", traffic)
    assert refused.returncode != 0
    assert f'secretKey.acceptLoss: "{fingerprint(kept)}"' in refused.stdout
    assert other not in refused.stdout
    assert pods(kubectl, "backend").keys() == serving
    assert not traffic.failures, traffic.story
    assert traffic.count["run"] >= 5

    changed["secretKey"]["acceptLoss"] = fingerprint(kept)
    edited.up(changed)
    try:
        gone(kubectl, serving)
        with pytest.raises(CheckError):
            api.knows_key(hosts["app"], key)
    finally:
        strangers = pods(kubectl, "backend").keys()
        edited.up({"secretKey": {"acceptLoss": fingerprint(other)}})
    gone(kubectl, strangers)
    api.knows_key(hosts["app"], key)


def stored(kubectl) -> list[str]:
    """API keys as the database holds them."""
    words = ["psql", "--username=skillflaw", "--dbname=skillflaw", "--tuples-only", "--no-align"]
    return kubectl(
        "exec", "postgresql-0", NAMESPACE, "--", *words, "--command=SELECT api_key FROM apikey"
    ).split()


def opened(token: str, key: str) -> bool:
    try:
        return bool(Fernet(key).decrypt(token))
    except InvalidToken:
        return False


@pytest.mark.drill
def test_a_key_is_rotated_by_one_edit_and_taken_back_by_another(
    at_risk, kept: str, edited, kubectl, hosts: dict[str, Endpoint], minted: Minted, row
):
    key = minted.api_key_file.read_text()
    assert all(opened(token, kept) for token in stored(kubectl))
    with Traffic(hosts["api"].async_client, {"alive": (0.25, flows.alive)}) as traffic:
        edited.up({"secretKey": {"generated": {"generation": 2}}})
        runs = traffic.count["alive"] + 4
        wait_for(lambda: traffic.count["alive"] >= runs, 30, "answers after the rotation")
    away = [asked.begun for asked in traffic.failures]
    # Nobody is served from the end of the last old replica to the start of the first new one, once.
    row("secret key rotated", traffic, recovered=max(away) - min(away))
    assert not any(asked.failure for asked in traffic.asked if asked.begun > max(away))
    served = [asked.begun for asked in traffic.asked if not asked.failure]
    assert not [begun for begun in served if min(away) + 2 < begun < max(away) - 2], traffic.story
    try:
        now = stored(kubectl)
        assert now
        assert not any(opened(token, kept) for token in now)
        api.knows_key(hosts["app"], key)
        jobs = kubectl("get", "jobs", NAMESPACE, "--output=name")
        assert "backup-before-rotation-1" in jobs
    finally:
        edited.up({})
    assert all(opened(token, kept) for token in stored(kubectl))
    api.knows_key(hosts["app"], key)
