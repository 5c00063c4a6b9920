"""A namespace belongs to one stack, and says to which."""

from components import names
from operations import ownership
from tests.stack_files import stack_file
from tests.unit.recorder import run

OURS = "organization/skillflaw/test"


def test_a_namespace_that_the_stack_makes_says_whose_it_is():
    namespace = run(stack_file("lab")).one("Namespace", "namespace")
    assert namespace.inputs["metadata"]["annotations"] == {names.OWNER: OURS}


def test_a_namespace_that_the_stack_finds_holds_an_object_that_says_whose_it_is_and_comes_first():
    lab = stack_file("lab")
    program = run(lab | {"namespace": {"name": "found", "create": False}})
    owner = program.one("ConfigMap", "namespace-owner")
    assert owner.inputs["metadata"]["name"] == names.OWNER_CONFIG
    assert owner.inputs["metadata"]["annotations"] == {names.OWNER: OURS}
    for declared in program.objects:
        if declared.urn != owner.urn:
            assert owner.urn in declared.request.dependencies, declared.urn


def test_an_adoption_looks_for_the_mark_that_the_program_makes():
    assert ownership.OWNER == names.OWNER


def test_the_provider_is_replaced_for_no_word_of_a_kubeconfig_and_takes_no_ambient_one():
    (provider,) = run(stack_file("lab")).of("kubernetes")
    assert provider.inputs["clusterIdentifier"] == "skillflaw"
    assert provider.inputs["kubeconfig"] == ""
