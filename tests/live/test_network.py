"""Every pod against every port of every other: what answers is what docs/network.md says, and nothing else."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.layout import PROJECT, REAL
from tests.live.namespace import NAME, staying

PORTS = {"backend": 7860, "frontend": 8080, "docs": 8080, "postgresql": 5432, "redis": 6379}
OUTSIDE, METADATA = "198.51.100.1", "169.254.169.254"
"""An address of no private range (TEST-NET-2), and the one where clouds keep a node's credentials."""
LISTENING = [(OUTSIDE, 80), (OUTSIDE, 443), (OUTSIDE, 8081), (METADATA, 80)]
LISTENER = """
import socket, sys, threading
def serve(server):
    while True:
        server.accept()[0].close()
for host, port in zip(sys.argv[1::2], sys.argv[2::2]):
    threading.Thread(target=serve, args=(socket.create_server((host, int(port))),)).start()
print("listening", flush=True)
"""
PROBE = """
for target in "$@"; do
    ( timeout 3 bash -c "exec 3<>/dev/tcp/${target%:*}/${target##*:}" 2> /dev/null && echo "$target" ) &
done
wait
"""
STOOD_IN = {
    "bootstrap": NAME,
    "backup": NAME,
    "a stranger": NAME,
    "edge": "traefik",
    "elsewhere": "default",
}
"""Pods that are not running now, or that the stack does not have: where a pod with their labels is put."""


@pytest.fixture(scope="module")
def outside() -> Iterator[None]:
    """The outside, as far as the lab has one: listeners on this machine's end of the lab's own bridge."""
    for address in (OUTSIDE, METADATA):
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", REAL.bridge], check=True)
    words = [str(word) for where in LISTENING for word in where]
    with subprocess.Popen(
        [sys.executable, "-c", LISTENER, *words], stdout=subprocess.PIPE, text=True
    ) as listener:
        assert listener.stdout.readline() == "listening\n"
        yield
        listener.kill()
    for address in (OUTSIDE, METADATA):
        subprocess.run(["ip", "address", "del", f"{address}/32", "dev", REAL.bridge], check=True)


@pytest.fixture(scope="module")
def sources(kubectl) -> Iterator[dict[str, tuple[str, str]]]:
    """Namespace and name of a running pod of each kind."""
    (database,) = staying(kubectl, NAME, "app=skillflaw-postgresql")
    made = [_stand_in(kind, database["spec"]["containers"][0]["image"]) for kind in STOOD_IN]
    kubectl("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    for kind, namespace in STOOD_IN.items():
        kubectl(
            "wait", f"pod/{_name(kind)}", f"--namespace={namespace}", "--for=condition=Ready", "--timeout=60s"
        )
    running = {part: staying(kubectl, NAME, f"app=skillflaw-{part}")[0]["metadata"]["name"] for part in PORTS}
    yield {part: (NAME, name) for part, name in running.items()} | {
        kind: (namespace, _name(kind)) for kind, namespace in STOOD_IN.items()
    }
    for kind, namespace in STOOD_IN.items():
        kubectl("delete", "pod", _name(kind), f"--namespace={namespace}", "--wait=false")


def _name(kind: str) -> str:
    return f"matrix-{kind.replace(' ', '-')}"


def _stand_in(kind: str, image: str) -> dict:
    labels = (
        {"app.kubernetes.io/name": "skillflaw", "app.kubernetes.io/component": kind}
        if kind in ("bootstrap", "backup")
        else {}
    )
    closed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _name(kind), "namespace": STOOD_IN[kind], "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {"name": "waits", "image": image, "command": ["sleep", "600"], "securityContext": closed}
            ],
        },
    }


@pytest.fixture(scope="module")
def targets(kubectl) -> dict[str, str]:
    """Targets that may be reached, by the documentation's names, and their addresses."""

    def address(namespace: str, selector: str) -> str:
        return staying(kubectl, namespace, selector)[-1]["status"]["podIP"]

    at = {part: address(NAME, f"app=skillflaw-{part}") for part in PORTS}
    every = {
        f"{part} {port}": f"{where}:{port}"
        for part, where in at.items()
        for port in sorted(set(PORTS.values()))
    }
    return every | {
        "dns 5353": f"{address('kube-system', 'k8s-app=kube-dns')}:5353",
        "edge 8443": f"{address('traefik', 'app.kubernetes.io/name=traefik')}:8443",
        "cluster API": f"{REAL.service(1)}:443",
        "metadata": f"{METADATA}:80",
        "internet 80": f"{OUTSIDE}:80",
        "internet 443": f"{OUTSIDE}:443",
        "internet 8081": f"{OUTSIDE}:8081",
    }


def documented() -> dict[str, set[str]]:
    """Targets of each part, from the table: those it calls, where the other end hears it."""
    lines = (PROJECT / "docs" / "network.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")][2:]
    hears = {part: _entries(cell) for part, cell, _ in rows}
    reaches = {}
    for part, _, cell in rows:
        called = _entries(cell)
        # Every port of the edge is open; the matrix tries one.
        reaches[part] = {entry for entry in called if entry.split()[0] not in hears and entry != "edge"}
        reaches[part] |= {"edge 8443"} if "edge" in called else set()
        reaches[part] |= {
            f"{other} {port}"
            for other, heard in hears.items()
            for port in PORTS.values()
            if f"{other} {port}" in called and f"{part} {port}" in heard
        }
    reaches["edge"] = {
        f"{part} {port}"
        for part, heard in hears.items()
        for port in PORTS.values()
        if f"edge {port}" in heard
    }
    return reaches


def _entries(cell: str) -> set[str]:
    """`dns 53 5353, edge` as {`dns 53`, `dns 5353`, `edge`}."""
    entries = set()
    for entry in cell.split(", "):
        name, *ports = entry.split()
        entries |= {f"{name} {port}" for port in ports} or {name}
    return entries - {"nobody"}


def test_exactly_what_the_documented_table_says_is_reached(outside, sources, targets, kubectl):
    def reached(source: tuple[str, str]) -> set[str]:
        namespace, pod = source
        done = kubectl(
            "exec", pod, f"--namespace={namespace}", "--", "bash", "-c", PROBE, "probe", *targets.values()
        )
        itself = json.loads(kubectl("get", "pod", pod, f"--namespace={namespace}", "--output=json"))[
            "status"
        ]["podIP"]
        return {
            name
            for name, where in targets.items()
            if where in done.split() and not where.startswith(f"{itself}:")
        }

    with ThreadPoolExecutor() as at_once:
        found = dict(zip(sources, at_once.map(reached, sources.values()), strict=True))
    others = {
        "dns 5353",
        "edge 8443",
        "cluster API",
        "metadata",
        "internet 80",
        "internet 443",
        "internet 8081",
    }
    # Everything listens, and reaches whoever no policy keeps: what is closed below is closed by a policy.
    assert found.pop("elsewhere") == others
    assert found.pop("edge") - others == documented()["edge"]
    assert found.pop("a stranger") == set()
    # Nothing listens at the DNS pods' port 53.
    assert found == {part: reach - {"dns 53"} for part, reach in documented().items() if part != "edge"}
