"""The lab's own sentences: what it refuses, and what it says while it works."""

import io
import ipaddress
import json
import os
import signal
import subprocess
import sys
import types
from importlib import metadata

import pytest
from rich.console import Console

from lab import cgroups, cluster, engine, language_host, machine, network, process, toolchain
from lab.errors import LabError
from lab.layout import PROJECT, REAL, SIMULATED, Lab
from lab.progress import Progress
from lab.toolchain import Tools, installed


def test_two_labs_share_no_name_link_or_address():
    def ranges(lab):
        hosts = f"10.{lab.number}.0.0/24"
        return {ipaddress.ip_network(text) for text in (hosts, lab.pods, lab.services)}

    assert REAL.name != SIMULATED.name
    assert REAL.bridge != SIMULATED.bridge
    assert REAL.loopback != SIMULATED.loopback
    assert not any(one.overlaps(other) for one in ranges(REAL) for other in ranges(SIMULATED))
    for lab in (REAL, SIMULATED):
        assert all(
            ipaddress.ip_network(node.pods).subnet_of(ipaddress.ip_network(lab.pods)) for node in lab.nodes
        )
        assert ipaddress.ip_address(lab.ingress) in ipaddress.ip_network(lab.services)
        assert max(len(f"{lab.bridge}-{node.name[-1]}") for node in lab.nodes) <= 15


def test_who_is_not_root_gets_a_sentence(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="run it as root"):
        machine.prepare(REAL)


def test_a_disk_that_is_short_is_named_with_what_is_free_and_needed(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine, "CACHE", tmp_path)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=2 * 2**30))
    with pytest.raises(
        LabError, match=rf"{tmp_path} has 2.0 GiB free and the lab needs {machine.FREE_GIB_COLD}"
    ):
        machine.prepare(REAL)


def test_addresses_in_use_by_another_link_are_refused_and_the_link_is_named(monkeypatch):
    taken = [{"ifname": "corp0", "addr_info": [{"local": "10.86.0.7"}]}]
    monkeypatch.setattr(network, "_ip", lambda *words: json.dumps(taken))
    with pytest.raises(LabError, match=r"10\.86\.0\.0/24 is in use: corp0 has 10\.86\.0\.7"):
        network.check_free(REAL)
    taken[0]["ifname"] = REAL.bridge
    network.check_free(REAL)


def test_a_second_run_is_refused_while_the_first_changes_the_lab(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "CACHE", tmp_path)
    machine.claim(REAL)
    second = (
        "from pathlib import Path; from lab import machine; from lab.layout import REAL;"
        f"machine.CACHE = Path({str(tmp_path)!r}); machine.claim(REAL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", second], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert f"skillflaw-lab is being changed by process {os.getpid()}" in done.stderr


def test_the_labs_own_programs_are_never_taken_for_the_machines(monkeypatch, tmp_path):
    own, machines = tmp_path / "cache" / "toolchains", tmp_path / "bin"
    for folder in (own, machines):
        folder.mkdir(parents=True)
        (folder / "pulumi").write_text("#!/bin/sh\n")
        (folder / "pulumi").chmod(0o755)
    monkeypatch.setattr(installed, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", f"{own}:{machines}")
    assert installed.installed("pulumi") == str(machines / "pulumi")
    monkeypatch.setenv("PATH", str(own))
    assert installed.installed("pulumi") is None


FAKE_PULUMI = """#!/bin/sh
echo "$*" >> {folder}/asked
case "$*" in
  "plugin ls --json") cat {folder}/plugins;;
  "plugin install resource {fetchable} "*) exit 0;;
  *) exit 1;;
esac
"""


@pytest.mark.parametrize(
    ("plugins", "fetchable", "built"),
    [
        ([("kubernetes", "installed"), ("random", "installed")], "none", set()),
        ([("kubernetes", "4.0.0")], "none", {"kubernetes", "random"}),
        ([("kubernetes", "installed")], "random", set()),
        ([], "kubernetes", {"random"}),
    ],
)
def test_an_installed_pulumi_keeps_its_home_and_lends_the_providers_it_has_or_can_fetch(
    monkeypatch, tmp_path, plugins, fetchable, built
):
    for name in ("pulumi", "pulumi-language-python"):
        (tmp_path / name).write_text(FAKE_PULUMI.format(folder=tmp_path, fetchable=fetchable))
        (tmp_path / name).chmod(0o755)
    rows = [
        {"name": name, "version": metadata.version(f"pulumi-{name}") if version == "installed" else version}
        for name, version in plugins
    ]
    (tmp_path / "plugins").write_text(json.dumps(rows))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    asked = set()
    monkeypatch.setattr(toolchain.golang, "built", lambda name, *_: asked.add(name) or tmp_path / name)
    monkeypatch.setattr(toolchain.golang, "joined", lambda *_: tmp_path / "yaml")
    monkeypatch.setattr(toolchain.wheels, "program", lambda *_: tmp_path / "traefik")
    monkeypatch.setattr(toolchain, "CACHE", tmp_path / "cache")
    tools = toolchain.prepare(lambda words: None)
    assert {name for name in asked if name.startswith("pulumi")} == {
        f"pulumi-resource-{name}" for name in built
    }
    assert not tools.program("pulumi").exists()
    variables = engine.environment(REAL, tools)
    assert "PULUMI_HOME" not in variables
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in variables


def test_what_an_engine_began_and_left_behind_ends_with_the_lab(tmp_path):
    lab = Lab(name="skillflaw-unit", bridge="sfunt0", number=107, zones=("only",))
    environment = os.environ | engine.environment(lab, Tools(folder=tmp_path))
    with subprocess.Popen(["sleep", "60"], env=environment) as left:
        process.wait_for(lambda: process.find(lab, "pulumi"), 10, "the start of what is left behind")
        process.kill_all(lab)
        assert left.wait() == -signal.SIGKILL


def test_nodes_get_every_controller_that_there_is_and_the_machine_has_its_own_back(monkeypatch, tmp_path):
    handed_down = tmp_path / "cgroup.subtree_control"
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    monkeypatch.setattr(cgroups, "HANDED_DOWN", handed_down)
    monkeypatch.setattr(Lab, "state", tmp_path / "state")
    (tmp_path / "state").mkdir()
    (tmp_path / "cgroup.controllers").write_text("cpu memory hugetlb\n")
    handed_down.write_text("cpu memory\n")
    lab = Lab(name="skillflaw-unit", bridge="sfunt0", number=107, zones=("only",))

    cgroups.make(lab)
    assert handed_down.read_text() == "+hugetlb"
    assert (tmp_path / "skillflaw-unit-node-1").is_dir()
    cgroups.remove(lab)
    assert handed_down.read_text() == "-hugetlb"
    assert not (tmp_path / "skillflaw-unit-node-1").exists()


def test_what_a_user_mounted_below_the_cache_is_left_and_what_the_lab_mounted_is_not(monkeypatch, tmp_path):
    monkeypatch.setattr(cluster, "CACHE", tmp_path)
    monkeypatch.setattr(Lab, "state", tmp_path / "state")
    lab = Lab(name="skillflaw-unit", bridge="sfunt0", number=107, zones=("only",))
    node, build = tmp_path / "nodes" / "skillflaw-unit-node-1", tmp_path / "images" / "build-x"
    for folder in (node, build):
        folder.mkdir(parents=True)
    theirs = [tmp_path, tmp_path / "images", tmp_path / "programs", tmp_path / "nodes" / "other-lab" / "root"]
    ours = [tmp_path / "state" / "pods", node / "root", node / "root" / "inner", build / "storage" / "merged"]
    mountinfo = "".join(
        f"36 35 98:0 / {folder} rw,noatime - ext4 /dev/vda rw\n" for folder in [*theirs, *ours]
    )
    assert cluster.left_mounted(lab, mountinfo) == [str(folder) for folder in reversed(ours)]


def test_an_error_shows_the_end_of_the_log(tmp_path):
    log = tmp_path / "etcd.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    shown = str(LabError("etcd did not become ready", log))
    assert shown.startswith(f"etcd did not become ready\nThe end of {log}:")
    assert "line 99" in shown
    assert "line 50" not in shown


def test_each_step_says_which_of_how_many_it_is_and_a_skipped_one_does_not_count():
    output = io.StringIO()
    progress = Progress(Console(file=output), 6)
    with progress.step("toolchain"):
        pass
    progress.skip(3)
    with progress.step("pulumi up"):
        pass
    lines = output.getvalue().splitlines()
    assert lines[0] == "[1/6] toolchain"
    assert lines[-1].startswith("[2/3] pulumi up: done in ")


def test_every_installed_pulumi_package_asks_for_its_provider():
    asked = {package.name for package in language_host._resource_packages()}
    assert asked == {"kubernetes", "random"}
