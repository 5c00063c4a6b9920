"""Every committed stack file is tested like code."""

import pytest
import yaml

from settings.load import parse
from settings.problems import SettingsError
from settings.sections import Settings
from settings.shape import keys
from tests.stack_files import filled_in, stack_file
from tests.unit.recorder import ROOT

PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
FILES = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))


def test_the_files_are_those_that_are_documented():
    assert set(FILES) >= {"dev", "lab", "prod"}


@pytest.mark.parametrize("name", FILES)
def test_a_stack_file_is_accepted_once_digests_are_filled_in(name):
    parse(filled_in(name), set())


def test_the_project_disables_the_ambient_cluster_for_every_stack():
    assert PROJECT["config"]["pulumi:disable-default-providers"] == {"value": ["kubernetes"]}


def test_the_project_declares_every_section_and_describes_it_as_the_types_do():
    declared = {key: value for key, value in PROJECT["config"].items() if key.startswith("skillflaw:")}
    assert declared == {
        f"skillflaw:{key}": {"description": field.type.__doc__.split("\n")[0], "default": {}}
        for key, field in keys(Settings).items()
    }


@pytest.mark.parametrize("name", FILES)
def test_a_stack_file_is_bound_to_the_schema_for_editors(name):
    assert "# yaml-language-server: $schema=" in (ROOT / f"Pulumi.{name}.yaml").read_text()


def test_production_asks_for_its_digests_and_for_nothing_else():
    with pytest.raises(SettingsError) as refused:
        parse(stack_file("prod"), set())
    assert {problem.path for problem in refused.value.problems} == {"images.backend", "images.frontend"}
    assert "imagetools inspect ghcr.io/cwinux/skillflaw_backend:TAG" in str(refused.value)


def test_production_is_the_guides_environment():
    prod = parse(filled_in("prod"), set())
    assert prod.protection.enabled
    assert prod.namespace.name == "skillflaw"
    assert set(prod.surfaces.present()) == {"api", "app"}
    assert prod.database.external
    assert prod.cache.external
    assert prod.backend.scale.replicas == prod.frontend.replicas == 2
    assert prod.backend.resources.requests.cpu == "500m"
    assert prod.backend.resources.limits.memory == "4Gi"
    assert prod.frontend.port == 80


def test_development_shows_nothing_to_anybody():
    assert not parse(stack_file("dev"), set()).surfaces.present()
