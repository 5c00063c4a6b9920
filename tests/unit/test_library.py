"""The components as a library: installed alone, composed by a program that is not this one."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s
import pytest

from components.cache import InClusterCache, InClusterCacheArgs
from components.namespace import Namespace, NamespaceArgs
from components.pods import Workload
from components.references import Image
from components.storage import Storage, StorageArgs
from tests.unit.recorder import ROOT, record

EXAMPLE = ROOT / "docs" / "examples" / "own_program.py"
LIBRARY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

RECORD = """
import asyncio, json, runpy, sys
import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack

registered = []

class Engine(mocks.Mocks):
    def new_resource(self, args):
        registered.append((args.typ, args.inputs.get("metadata", {}).get("name")))
        named = {"metadata": {"name": args.name, **args.inputs.get("metadata", {})}}
        return args.name, {**args.inputs, **named, "result": "generated", "base64": "generated"}

    def call(self, args):
        raise AssertionError(args.token)

async def engine():
    mocks.set_mocks(Engine(), project="platform", stack="test", preview=False)
    set_root_resource(None)
    pulumi.runtime.set_all_config({f"images:{name}": f"{name}:1" for name in ("backend", "postgres", "redis")})
    await run_in_stack(lambda: runpy.run_path(sys.argv[1]) and None)

asyncio.run(engine())
import skillflaw_components
json.dump({"from": skillflaw_components.__file__, "registered": registered}, sys.stdout)
"""


def uv(*words: object) -> None:
    python = f"--python={sys.executable}"
    subprocess.run([sys.executable, "-m", "uv", "--offline", "--quiet", *map(str, words), python], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The library's wheel, built from the components and the project's description alone."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copy(ROOT / "pyproject.toml", source)
    shutil.copytree(ROOT / "components", source / "components", ignore=shutil.ignore_patterns("__pycache__"))
    uv("build", "--wheel", "--no-build-isolation", f"--out-dir={built}", source)
    (file,) = built.glob("*.whl")
    return file


def test_the_wheel_holds_every_file_of_the_components_and_nothing_else_under_a_name_of_its_own(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = (ROOT / "components").rglob("*.*")
    assert held == {
        f"skillflaw_components/{path.relative_to(ROOT / 'components')}"
        for path in files
        if "__pycache__" not in path.parts
    }


def test_another_program_composes_a_backend_from_the_installed_library_alone(wheel, tmp_path):
    library, elsewhere = tmp_path / "library", tmp_path / "elsewhere"
    elsewhere.mkdir()
    uv("pip", "install", "--no-deps", f"--target={library}", wheel)
    program = shutil.copy(EXAMPLE, elsewhere)
    done = subprocess.run(
        [sys.executable, "-c", RECORD, program],
        cwd=elsewhere,
        env={"PYTHONPATH": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert Path(said["from"]).is_relative_to(library)
    assert {
        ("kubernetes:core/v1:Namespace", "assistants"),
        ("kubernetes:apps/v1:Deployment", "skillflaw-backend"),
        ("kubernetes:apps/v1:StatefulSet", "postgresql"),
        ("kubernetes:apps/v1:Deployment", "redis"),
        ("kubernetes:core/v1:PersistentVolumeClaim", "skillflaw-backend-data"),
        ("random:index/randomBytes:RandomBytes", None),
        ("skillflaw:app:Runtime", None),
    } <= {tuple(row) for row in said["registered"]}


def test_the_library_asks_for_at_least_what_is_pinned_and_below_the_next_major():
    pins = dict(re.findall(r"^(pulumi.*)==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    majors = {name: int(version.split(".")[0]) for name, version in pins.items()}
    assert LIBRARY["dependencies"] == [
        f"{name}>={version},<{majors[name] + 1}" for name, version in pins.items()
    ]


def test_the_readme_shows_the_other_program():
    assert f"```python\n{EXAMPLE.read_text()}```\n" in (ROOT / "README.md").read_text()


# --- two instances -----------------------------------------------------------------------------


def cluster(name: str) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(provider=k8s.Provider(name, context=name))


def cache(name: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None) -> None:
    workload = Workload(namespace=namespace, image=Image(reference="redis:7.2.4"))
    InClusterCache(name, InClusterCacheArgs(workload=workload), opts)


def storage(name: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None) -> None:
    Storage(name, StorageArgs(namespace=namespace), opts)


def two_caches() -> None:
    home = Namespace("namespace", NamespaceArgs(name="assistants")).name
    cache("first", home)
    cache("second", home)


def two_claims_of_which_one_namespace_is_known_later() -> None:
    storage("first", "assistants")
    storage("second", Namespace("namespace", NamespaceArgs(name="assistants")).name)


def two_namespaces_of_one_name() -> None:
    Namespace("first", NamespaceArgs(name="assistants"))
    Namespace("second", NamespaceArgs(name="assistants"))


@pytest.mark.parametrize(
    "program", [two_caches, two_claims_of_which_one_namespace_is_known_later, two_namespaces_of_one_name]
)
@pytest.mark.parametrize("preview", [True, False])
def test_a_second_instance_in_a_namespace_is_refused_in_a_sentence_that_names_it(program, preview):
    with pytest.raises(pulumi.RunError, match=r"^namespace 'assistants' would hold two instances [^\n]*$"):
        record(program, preview=preview)


def test_a_second_instance_lives_in_a_namespace_of_its_own():
    def program() -> None:
        for name in ("one", "two"):
            cache(name, name)

    assert len(record(program).of("Deployment")) == 2


def test_a_second_instance_lives_in_the_same_namespace_of_another_cluster():
    def program() -> None:
        for name in ("east", "west"):
            cache(name, "assistants", cluster(name))

    assert len(record(program).of("Deployment")) == 2


def test_one_run_of_the_program_knows_nothing_of_the_one_before():
    for _ in range(2):
        assert record(lambda: cache("cache", "assistants")).of("Deployment")
