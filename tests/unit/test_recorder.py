"""The double is held to what is known about the real engine and provider."""

import pulumi
import pulumi_kubernetes as k8s
import pytest

from tests.unit.recorder import SECRET_MARK, record


def config_map(name: str, **data: pulumi.Input[str]) -> k8s.core.v1.ConfigMap:
    return k8s.core.v1.ConfigMap(name, data=data)


def test_two_resources_of_one_urn_are_refused():
    with pytest.raises(Exception, match="duplicate URN"):
        record(lambda: (config_map("same"), config_map("same")))


def test_an_unnamed_object_is_named_after_its_content():
    first, again, other = (record(lambda v=v: config_map("settings", key=v)) for v in ("a", "a", "b"))
    assert first.names == again.names != other.names


def test_a_reader_of_an_invented_name_sees_it():
    recorded = record(lambda: config_map("reader", seen=config_map("settings", key="a").metadata.name))
    (urn,) = [urn for urn in recorded.names if urn.endswith("::settings")]
    assert recorded.one("ConfigMap", "reader").inputs["data"] == {"seen": recorded.names[urn]}


def test_what_is_declared_inside_an_apply_is_recorded_too():
    def program():
        config_map("first", key="a").metadata.name.apply(lambda name: config_map("second", seen=name))

    assert {declared.name for declared in record(program).of("ConfigMap")} == {"first", "second"}


def test_a_secret_is_recorded_with_its_wrapper():
    recorded = record(lambda: config_map("settings", key=pulumi.Output.secret("hidden")))
    assert SECRET_MARK in str(recorded.one("ConfigMap", "settings").inputs)


def test_a_question_to_a_provider_fails_the_program():
    with pytest.raises(Exception, match="asked a provider"):
        record(lambda: pulumi.runtime.invoke("kubernetes:yaml:decode", {}))
