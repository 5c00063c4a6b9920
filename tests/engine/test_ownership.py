"""A stack has one cluster, and a namespace has one stack: any other is refused before anything of it is touched."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.layout import PROJECT, SIMULATED
from tests.engine.faulty import FaultyServer
from tests.engine.stack import Stack


@pytest.fixture
def second(small: Stack, environment: dict[str, str], program: Path) -> Iterator[Stack]:
    """A stack whose file was copied from the first one's."""
    with Stack(program, f"{small.name}-second", environment) as stack:
        stack.sections = small.sections | {"namespace": {"name": small.name}}
        yield stack


def everything(stack: Stack, namespace: str) -> set[str]:
    kinds = "all,secrets,configmaps,persistentvolumeclaims,serviceaccounts"
    listed = json.loads(stack.kubectl("get", kinds, f"--namespace={namespace}", "--output=json"))["items"]
    return {f"{it['kind']}/{it['metadata']['name']} {it['metadata']['uid']}" for it in listed}


def frozen(stack: Stack) -> dict[str, str]:
    return json.loads(stack.pulumi("stack", "output", "frozen", "--json", f"--stack={stack.name}").stdout)


def test_a_second_stack_over_a_namespace_is_refused_and_takes_nothing_with_it(small, second):
    small.up()
    before = everything(small, small.name)
    assert second.up(check=False).returncode != 0
    assert everything(small, small.name) == before
    second.pulumi("destroy", "--yes", "--skip-preview")
    assert everything(small, small.name) == before
    small.up("--expect-no-changes")


@pytest.mark.thorough
def test_a_second_stack_over_a_namespace_that_both_find_is_refused_too(small, second):
    small.kubectl("create", "namespace", small.name)
    small.sections["namespace"]["create"] = False
    second.sections["namespace"]["create"] = False
    small.up()
    before = everything(small, small.name)
    assert second.up(check=False).returncode != 0
    assert everything(small, small.name) == before
    second.pulumi("destroy", "--yes", "--skip-preview")
    assert everything(small, small.name) == before


def test_a_namespace_that_holds_what_is_no_stacks_is_refused(small):
    small.kubectl("create", "namespace", small.name)
    small.kubectl("create", "configmap", "theirs", f"--namespace={small.name}")
    assert small.up(check=False).returncode != 0
    assert not any("skillflaw" in name for name in everything(small, small.name))
    small.pulumi("destroy", "--yes", "--skip-preview")
    assert any(name.startswith("ConfigMap/theirs ") for name in everything(small, small.name))


@pytest.mark.thorough
def test_a_word_in_a_kubeconfig_replaces_nothing(small):
    whole = json.loads(SIMULATED.kubeconfig.read_text())
    small.sections["cluster"] = {}
    small.sections["kubeconfig"] = small.encrypted("kubeconfig", json.dumps(whole))
    small.up()
    whole["clusters"][0]["cluster"]["disable-compression"] = True
    whole["clusters"][0]["cluster"]["server"] += "/"
    small.sections["kubeconfig"] = small.encrypted("kubeconfig", json.dumps(whole))
    assert small.preview() == {"update": {"cluster"}}


def test_another_context_is_a_migration(small):
    small.up()
    small.sections["cluster"] = {"context": "elsewhere"}
    assert "\n    cluster.context\n" in small.refusal()


@pytest.mark.thorough
def test_a_kubeconfig_of_several_files_is_read_as_kubectl_reads_it(small, tmp_path, monkeypatch):
    empty = tmp_path / "empty.yaml"
    empty.write_text("apiVersion: v1\nkind: Config\n")
    monkeypatch.setitem(small.environment, "KUBECONFIG", f"{empty}:{SIMULATED.kubeconfig}")
    small.up()
    small.up("--expect-no-changes")


def test_a_kubeconfig_without_a_cluster_is_refused_and_the_ambient_one_is_not_used(small):
    small.sections["cluster"] = {}
    small.sections["kubeconfig"] = small.encrypted("kubeconfig", "apiVersion: v1")
    assert "\n    kubeconfig\n" in small.refusal()


def test_a_run_that_failed_says_nothing_new_of_what_holds_for_ever(small, monkeypatch):
    small.up()
    before = frozen(small)
    small.sections["backend"]["uid"] = 20002
    small.sections["protection"]["migrating"] = ["backend.uid"]
    with FaultyServer(SIMULATED) as server, monkeypatch.context() as through:
        through.setitem(small.environment, "KUBECONFIG", str(server.kubeconfig))
        server.fail_at(1)
        assert small.up(check=False).returncode != 0
    assert frozen(small) == before
    small.sections["backend"]["uid"] = 10001
    small.sections["protection"]["migrating"] = []
    small.up()
    assert frozen(small) == before


def test_a_migration_that_is_over_may_not_stay_in_the_file(small):
    small.up()
    small.sections["backend"]["uid"] = 20002
    small.sections["protection"]["migrating"] = ["backend.uid"]
    small.up()
    assert "backend.uid, which does not change" in small.refusal()
    small.sections["protection"]["migrating"] = []
    small.up("--expect-no-changes")


def test_a_preview_by_make_leaves_nothing_in_the_temporary_folder(small, tmp_path, monkeypatch):
    small.sections["kubeconfig"] = small.encrypted("kubeconfig", SIMULATED.kubeconfig.read_text())
    small.write()
    subprocess.run(
        ["make", "--silent", f"--file={PROJECT / 'Makefile'}", "preview", f"STACK={small.name}"],
        cwd=small.program,
        env=os.environ | small.environment | {"TMPDIR": str(tmp_path)},
        check=True,
    )
    assert (small.program / "previews" / f"{small.name}.json.exit").read_text() == "0\n"
    assert list(tmp_path.iterdir()) == []
