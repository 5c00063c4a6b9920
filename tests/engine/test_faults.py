"""The engine is killed, the API server fails: nothing is doubled or orphaned."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.layout import PROJECT, SIMULATED
from tests.engine.faulty import FaultyServer
from tests.engine.stack import Stack

KILLS = 12
"""Engines that one run kills at work, at moments of its own."""

pytestmark = pytest.mark.timeout(1800)
"""A test here takes minutes where it gives way to the live ring."""


def known(stack: Stack) -> set[str]:
    """Kind and name of every object in the stack's state."""
    state = json.loads(stack.pulumi("stack", "export", f"--stack={stack.name}").stdout)
    return {
        f"{row['type'].rpartition(':')[2]}/{row['inputs']['metadata']['name']}"
        for row in state["deployment"]["resources"]
        if row["type"].startswith("kubernetes:") and row["inputs"]["metadata"].get("namespace")
    }


def present(stack: Stack) -> set[str]:
    """Kind and name of every object of the program in the namespace."""
    kinds = "all,secrets,configmaps,persistentvolumeclaims,serviceaccounts,ingresses,poddisruptionbudgets"
    listed = stack.kubectl(
        "get",
        kinds,
        f"--namespace={stack.name}",
        "--selector=app.kubernetes.io/managed-by=pulumi",
        "--output=json",
    )
    return {
        f"{it['kind']}/{it['metadata']['name']}"
        for it in json.loads(listed)["items"]
        if "ownerReferences" not in it["metadata"]
    }


def killed_up(stack: Stack, after: float) -> bool:
    """Begins an `up` and kills engine, program and providers; whether they were still at work."""
    with stack.begin_up() as engine:
        try:
            engine.wait(after)
        except subprocess.TimeoutExpired:
            for process in [engine.pid, *descendants(engine.pid)]:
                # One of a provider's own may have ended since it was listed.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            return True
    return False


def interrupted_up(stack: Stack) -> None:
    """Begins an `up` and interrupts it once a pod waits for a node."""
    with stack.begin_up() as engine:
        ends = time.monotonic() + 120
        while "Unschedulable" not in stack.kubectl(
            "get", "pods", f"--namespace={stack.name}", "--output=json"
        ):
            assert time.monotonic() < ends, f"no pod of {stack.name} waits for a node"
        engine.send_signal(signal.SIGINT)
        assert engine.wait(120) != 0


def descendants(process: int) -> list[int]:
    """Every process that a process began, and those that they began."""
    parents = [(int(folder.name), _parent(folder)) for folder in Path("/proc").glob("[0-9]*")]
    found = [process]
    for one in found:
        found += [child for child, parent in parents if parent == one]
    return found[1:]


def _parent(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def recover(stack: Stack, **variables: str) -> None:
    command = [sys.executable, "-m", "operations", "recover", f"--stack={stack.name}"]
    done = subprocess.run(
        command,
        cwd=stack.program,
        env=os.environ | stack.environment | {"PYTHONPATH": str(PROJECT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def backend(stack: Stack) -> Path:
    """Folder in which the engine keeps the state."""
    return Path(stack.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))


def edit(stack: Stack, round_: int) -> None:
    """The documentation on and off, a new Job each time, and now and then whatever reads the ConfigMap."""
    stack.sections["backend"]["env"] = {"ROUND": str(round_ // 4)}
    stack.sections["bootstrap"] = {"pods": {"annotations": {"round": str(round_)}}}
    stack.sections["surfaces"] = {} if round_ % 2 else {"docs": {"host": "docs.skillflaw.test"}}


@pytest.mark.thorough
def test_an_engine_killed_at_any_moment_leaves_nothing_that_a_recovery_does_not_find(small, request):
    edit(small, 0)
    small.up()
    edit(small, 1)
    began = time.monotonic()
    small.up()
    longest = time.monotonic() - began
    seed = random.randrange(2**32)
    request.node.add_report_section("setup", "seed", str(seed))
    moments = random.Random(seed)
    hit = round_ = 0
    while hit < KILLS:
        assert round_ < 5 * KILLS, "an `up` has mostly ended before it is killed"
        edit(small, round_)
        hit += killed_up(small, moments.uniform(0.5, longest))
        recover(small)
        small.up()
        assert present(small) == known(small), f"seed {seed}, round {round_}"
        assert small.preview() == {}
        round_ += 1


@pytest.mark.thorough
def test_a_stack_that_carries_its_kubeconfig_is_recovered_by_it(small):
    small.sections["kubeconfig"] = small.encrypted("kubeconfig", SIMULATED.kubeconfig.read_text())
    small.sections["cluster"] = {}
    small.up()
    (file,) = backend(small).rglob(f"stacks/**/{small.name}.json")
    state = json.loads(file.read_text())
    # As an engine leaves it that is killed before it writes down the last object, and so neither what refers to that.
    latest = state["checkpoint"]["latest"]
    begun = [row for row in latest["resources"] if row["type"].startswith("kubernetes:")][-1]
    latest["resources"] = [row for row in latest["resources"] if begun["urn"] not in json.dumps(row)]
    latest["pending_operations"] = [{"type": "creating", "resource": begun | {"id": ""}}]
    file.write_text(json.dumps(state))
    recover(small, KUBECONFIG="/dev/null")
    assert present(small) == known(small)
    assert small.preview() == {}


def test_a_state_whose_sidecar_was_half_written_is_read_again_after_a_recovery(fresh):
    (sidecar,) = backend(fresh).rglob(f"{fresh.name}.json.attrs")
    sidecar.write_text("")
    assert "EOF" in fresh.pulumi("stack", "export", f"--stack={fresh.name}", check=False).stderr
    recover(fresh)
    assert "deployment" in json.loads(fresh.pulumi("stack", "export", f"--stack={fresh.name}").stdout)


def test_an_api_server_that_fails_at_any_request_is_made_good_by_the_next_up(small, monkeypatch):
    with FaultyServer(SIMULATED) as server, monkeypatch.context() as through:
        through.setitem(small.environment, "KUBECONFIG", str(server.kubeconfig))
        small.up()
        writes = server.writes
        assert writes >= 15
        for number in range(1, writes, max(1, writes // 6)):
            small.sections["backend"]["env"] = {"REQUEST": str(number)}
            small.sections["surfaces"] = {} if number % 2 else {"docs": {"host": "docs.skillflaw.test"}}
            server.fail_at(number)
            small.up(check=False)
            server.fail_at(None)
            small.up()
            assert present(small) == known(small), f"request {number}"
        small.up("--expect-no-changes")


def test_a_database_that_does_not_start_is_taken_back_without_a_pod_being_deleted_by_hand(small):
    small.up()
    good = small.sections["images"]["postgres"]
    claim = small.objects("persistentvolumeclaims")
    small.sections["images"]["postgres"] = "skillflaw.lab/postgres:15.999"
    # Simulated nodes start any image, so no node may: to the StatefulSet a pod that is not Ready is one like the other.
    small.sections["database"]["inCluster"]["pods"] = {"nodeSelector": {"starts": "never"}}
    # As an operator interrupts it who sees the pod pending.
    interrupted_up(small)
    small.sections["images"]["postgres"] = good
    del small.sections["database"]["inCluster"]["pods"]
    # An interrupted provider writes nothing down of an update that it waited for (pulumi-kubernetes issue 2668): to an
    # `up` alone the StatefulSet is what it was before.
    recover(small)
    small.up()
    # The provider takes a StatefulSet for ready whose controller has not yet seen the change.
    small.kubectl("rollout", "status", "statefulset/postgresql", "--timeout=60s", f"--namespace={small.name}")
    pod = json.loads(
        small.kubectl("get", "pod", "postgresql-0", f"--namespace={small.name}", "--output=json")
    )
    assert pod["status"]["phase"] == "Running"
    assert pod["spec"]["containers"][0]["image"] == good
    assert small.objects("persistentvolumeclaims") == claim
    small.up("--expect-no-changes")
