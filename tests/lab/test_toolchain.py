"""The lab builds the versions that everybody else uses."""

import yaml

from lab.layout import PROJECT
from lab.toolchain.catalogue import PULUMI


def test_the_engine_of_the_workflows_is_the_one_of_the_tests():
    prepare = yaml.safe_load((PROJECT / ".github" / "actions" / "prepare" / "action.yml").read_text())
    assert prepare["runs"]["steps"][0]["with"]["pulumi-version"] == PULUMI
