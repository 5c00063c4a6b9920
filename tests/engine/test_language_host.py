"""Behaviour that the lab's language host has in common with the official one; docs/stand-ins.md has the table.

Each test passes with the official host as well: put it first on PATH.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.layout import PROJECT

Pulumi = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(environment: dict[str, str], tmp_path: Path) -> Path:
    """A project without a resource and without a cluster."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(
        "name: host\nruntime: {name: python, options: {toolchain: pip, virtualenv: .venv}}\n"
    )
    (folder / ".venv").symlink_to((PROJECT / ".venv").resolve())
    return folder


@pytest.fixture
def pulumi(project: Path, environment: dict[str, str], tmp_path: Path) -> Pulumi:
    (tmp_path / "state").mkdir()
    variables = os.environ | environment | {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"}

    def run(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", *words, "--stack=host", "--non-interactive", "--color=never"]
        return subprocess.run(
            command, cwd=project, env=variables, capture_output=True, text=True, check=False, **more
        )

    run.variables = variables
    assert run("stack", "init").returncode == 0
    return run


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


def test_a_program_runs_in_the_folder_of_its_project_with_its_stacks_config(project, pulumi):
    (project / "__main__.py").write_text(
        "import json, os, sys\n"
        "import neighbour, pulumi\n"
        "print('seen', json.dumps([os.getcwd(), sys.argv[1:], pulumi.Config().get('word'), __name__]))\n"
    )
    (project / "neighbour.py").write_text("")
    assert pulumi("config", "set", "word", "yes").returncode == 0
    done = pulumi("preview")
    line = next(line for line in done.stdout.splitlines() if "seen " in line)
    assert json.loads(line.partition("seen ")[2]) == [str(project), [], "yes", "__main__"]


def test_a_run_error_is_shown_and_then_counted_as_unhandled(project, pulumi):
    (project / "__main__.py").write_text("import pulumi\nraise pulumi.RunError('not like this')\n")
    done = pulumi("preview")
    assert done.returncode != 0
    assert "error: not like this" in said(done)
    assert "an unhandled error occurred: program exited with non-zero exit code: 1" in said(done)
    assert "Traceback" not in said(done)


def test_any_other_exception_is_shown_with_its_traceback_and_nothing_more(project, pulumi):
    (project / "__main__.py").write_text("raise ValueError('not like this')\n")
    done = pulumi("preview")
    assert done.returncode != 0
    assert "Program failed with an unhandled exception" in said(done)
    assert "ValueError: not like this" in said(done)
    assert "non-zero exit code" not in said(done)


def test_exit_code_32_adds_nothing_to_what_the_program_logged(project, pulumi):
    (project / "__main__.py").write_text(
        "import pulumi, sys\npulumi.log.error('not like this')\nsys.exit(32)\n"
    )
    done = pulumi("preview")
    assert done.returncode != 0
    assert said(done).count("not like this") >= 1
    assert "unhandled" not in said(done)
    assert "non-zero" not in said(done)


@pytest.mark.parametrize("code", [1, 3, 78])
def test_any_other_exit_code_is_named(project, pulumi, code):
    (project / "__main__.py").write_text(f"import sys\nsys.exit({code})\n")
    done = pulumi("preview")
    assert done.returncode != 0
    assert f"program exited with non-zero exit code: {code}" in said(done)


def pack(project: Path, text: str) -> None:
    folder = project / "pack"
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text(
        "runtime: {name: python, options: {toolchain: pip, virtualenv: ../.venv}}\n"
    )
    (folder / "__main__.py").write_text(text)
    (project / "__main__.py").write_text("")


def test_a_policy_pack_runs_in_its_own_folder_and_knows_stack_and_config(project, pulumi):
    pack(
        project,
        "import json, os, sys\n"
        "names = ('PULUMI_PROJECT', 'PULUMI_STACK', 'PULUMI_ORGANIZATION', 'PULUMI_DRY_RUN', 'PULUMI_CONFIG')\n"
        "with open('seen.json', 'w') as file:\n"
        "    json.dump([os.getcwd(), sys.argv[-1], {name: os.environ.get(name) for name in names}], file)\n"
        "import pulumi_policy\n"
        "policy = pulumi_policy.ResourceValidationPolicy('any', 'any', lambda args, report: None)\n"
        "pulumi_policy.PolicyPack('pack', [policy])\n",
    )
    assert pulumi("config", "set", "word", "yes").returncode == 0
    done = pulumi("preview", "--policy-pack=pack")
    assert done.returncode == 0, said(done)
    folder, argument, variables = json.loads((project / "pack" / "seen.json").read_text())
    assert folder == argument == str(project / "pack")
    assert json.loads(variables.pop("PULUMI_CONFIG")) == {"host:word": "yes"}
    assert variables == {
        "PULUMI_PROJECT": "host",
        "PULUMI_STACK": "host",
        "PULUMI_ORGANIZATION": "organization",
        "PULUMI_DRY_RUN": "true",
    }


def test_a_policy_pack_that_does_not_start_fails_the_preview_and_leaves_no_steps(project, pulumi):
    pack(project, "raise RuntimeError('no pack today')\n")
    done = pulumi("preview", "--policy-pack=pack")
    assert done.returncode != 0
    assert "policy pack not started: could not read policy pack port" in said(done)
    assert "no pack today" in said(done)
    digest = json.loads(pulumi("preview", "--policy-pack=pack", "--json").stdout)
    assert not digest.keys() & {"steps", "changeSummary"}


def test_a_program_is_interrupted_when_the_command_is_cancelled(project, pulumi, tmp_path):
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    (project / "__main__.py").write_text(
        "import pathlib, time\n"
        f"pathlib.Path({str(begun)!r}).touch()\n"
        "try:\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        f"    pathlib.Path({str(ended)!r}).touch()\n"
        "    raise\n"
    )
    with subprocess.Popen(
        ["pulumi", "preview", "--stack=host", "--non-interactive", "--color=never"],
        cwd=project,
        env=pulumi.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as engine:
        _until(begun.exists)
        engine.send_signal(signal.SIGINT)
        output, _ = engine.communicate(timeout=30)
    assert ended.exists(), output
    assert engine.returncode != 0


def test_the_providers_that_installed_packages_ask_for_are_asked_for(project, pulumi):
    (project / "__main__.py").write_text("")
    done = pulumi("about", "--json")
    plugins = {row["name"]: row["version"] for row in json.loads(done.stdout)["plugins"]}
    assert plugins.keys() >= {"python"}


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
