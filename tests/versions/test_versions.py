"""Every version of Kubernetes that the program says it runs on takes the objects of the committed stacks."""

import copy
import json
import re

import pytest
import yaml

from operations.preflight.server import OLDEST
from tests.scan import rendered
from tests.stack_files import ROOT, filled_in
from tests.versions.conftest import VERSIONS

# Seconds; the first test of a version may have to build its API server (1,090 at the lowest priority on busy cores).
pytestmark = pytest.mark.timeout(3600)

APPLY = ("apply", "--server-side", "--validate=strict", "--filename=-")


GATEWAY = {"edge": {"gateway": {"name": "public", "namespace": "gateways", "redirectListener": "http"}}}
STACKS = {name: filled_in(name) for name in rendered.STACKS} | {"a Gateway": filled_in("prod") | GATEWAY}


@pytest.fixture(scope="module", params=STACKS)
def objects(request, kubectl):
    """A stack's objects; their namespace is there, for without it the server judges none of them."""
    manifests = list(rendered.of(STACKS[request.param]).values())
    made = kubectl(*APPLY, objects=[row for row in manifests if row["kind"] == "Namespace"])
    assert made.returncode == 0, made.stderr
    return manifests


def test_the_server_is_of_its_version(version, kubectl):
    said = json.loads(kubectl("version", "--output=json").stdout)
    assert said["serverVersion"]["gitVersion"] == f"v{version}"


def test_the_oldest_version_is_the_one_that_preflight_demands():
    assert VERSIONS[0].startswith(".".join(map(str, OLDEST)))


def test_the_server_takes_every_object_and_every_field(objects, kubectl):
    done = kubectl(*APPLY, "--dry-run=server", objects=objects)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(objects)
    assert not re.search("^Warning", done.stderr, re.MULTILINE), done.stderr


def test_the_server_refuses_a_field_it_does_not_know(objects, kubectl):
    (backend,) = (
        copy.deepcopy(row)
        for row in objects
        if (row["kind"], row["metadata"]["name"]) == ("Deployment", "skillflaw-backend")
    )
    backend["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    done = kubectl(*APPLY, "--dry-run=server", objects=[backend])
    assert done.returncode != 0
    assert "livenesProbe" in done.stderr


@pytest.fixture(scope="module")
def external_secret(kubectl):
    """The ExternalSecret of the documentation, in a namespace of its own."""
    page = (ROOT / "docs" / "operating.md").read_text()
    (text,) = re.findall(
        r"^```yaml\n(apiVersion: external-secrets\.io.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
    written = yaml.safe_load(text)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "external-secrets"}}
    assert kubectl(*APPLY, objects=[namespace]).returncode == 0
    written["metadata"]["namespace"] = "external-secrets"
    return written


def test_the_external_secret_of_the_documentation_is_one_field_by_field(external_secret, kubectl):
    done = kubectl(*APPLY, "--dry-run=server", objects=[external_secret])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("field", ["secretStoreRefs", "refresh"])
def test_an_external_secret_with_a_field_that_there_is_not_is_none(external_secret, kubectl, field):
    wrong = external_secret | {"spec": external_secret["spec"] | {field: "1h"}}
    done = kubectl(*APPLY, "--dry-run=server", objects=[wrong])
    assert done.returncode != 0
    assert field in done.stderr
