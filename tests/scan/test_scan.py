"""Scanners find nothing in what the program declares but what `exceptions.yaml` accounts for."""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from tests.scan import rendered
from tests.scan.scanners import SCANNERS

EXCEPTIONS = yaml.safe_load(Path(__file__).with_name("exceptions.yaml").read_text())


def covers(exception: dict, pattern: str, finding: tuple[str, str, str]) -> bool:
    scanner, rule, thing = finding
    return (scanner, rule) == (exception["scanner"], exception["rule"]) and fnmatchcase(thing, pattern)


def test_nothing_is_found_outside_the_exceptions(found):
    outside = {
        finding
        for finding in found
        if not any(covers(row, pattern, finding) for row in EXCEPTIONS for pattern in row["objects"])
    }
    assert outside == set()


def test_every_exception_still_fires(found):
    stale = [
        (row["scanner"], row["rule"], pattern)
        for row in EXCEPTIONS
        for pattern in row["objects"]
        if not any(covers(row, pattern, finding) for finding in found)
    ]
    assert stale == []


def test_every_exception_says_why_and_what_stands_in_for_the_rule():
    for row in EXCEPTIONS:
        assert set(row) == {"scanner", "rule", "objects", "reason", "control"}
        assert row["reason"] != row["control"]


def naked() -> dict:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "naked", "namespace": "naked"},
        "spec": {
            "selector": {"matchLabels": {"app": "naked"}},
            "template": {
                "metadata": {"labels": {"app": "naked"}},
                "spec": {"containers": [{"name": "naked", "image": "naked"}]},
            },
        },
    }


@pytest.mark.parametrize("scanner", SCANNERS)
def test_a_scanner_finds_what_it_is_for(scanner, tmp_path):
    file = tmp_path / "naked.yaml"
    file.write_text(yaml.safe_dump(naked()))
    findings = list(SCANNERS[scanner](file))
    assert len(findings) > 5
    assert {name for _, _, name in findings} == {"naked"}


@pytest.mark.parametrize("stack", rendered.STACKS)
def test_what_is_scanned_is_the_whole_stack(stack):
    kinds = {key.partition("/")[0] for key in rendered.objects(stack)}
    assert kinds >= {
        "Namespace",
        "Deployment",
        "Job",
        "Service",
        "ConfigMap",
        "Secret",
        "PersistentVolumeClaim",
    }
