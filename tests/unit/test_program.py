"""Properties that hold for every resource the program declares."""

import json
import re
import runpy

import msgspec
import pytest
import yaml

from outputs import Outputs
from tests.edits import PROTECTED, edited
from tests.stack_files import stack_file, with_new_spellings
from tests.unit.force_new import FORCE_NEW, identity
from tests.unit.recorder import (
    ROOT,
    SECRET_MARK,
    SENTINEL,
    Program,
    engine_config,
    plain,
    record,
    run,
    whole_program,
)

KUBECONFIG = json.dumps(
    {
        "current-context": "skillflaw-lab",
        "contexts": [{"name": "skillflaw-lab", "context": {"cluster": "hidden", "user": "hidden"}}],
        "clusters": [{"name": "hidden", "cluster": {"server": "https://hidden.example"}}],
        "users": [{"name": "hidden", "user": {"token": "hidden"}}],
    }
)

STATES = ROOT / "tests" / "fixtures" / "states"
RELEASES = sorted(STATES.iterdir())


@pytest.fixture(scope="module")
def lab():
    return run(stack_file("lab"))


def test_every_object_belongs_to_a_component(lab):
    for declared in lab.resources.values():
        if not declared.type.startswith(("skillflaw:", "pulumi:")):
            assert "::skillflaw:app:" in declared.request.parent.replace("$", "::"), declared.urn


def test_every_object_goes_through_the_named_cluster(lab):
    (provider,) = lab.of("kubernetes")
    assert provider.inputs["context"] == "skillflaw-lab"
    for declared in lab.objects:
        assert declared.request.provider.startswith(f"{provider.urn}::"), declared.urn


def test_children_carry_the_name_of_their_component(lab):
    for declared in lab.objects:
        component = declared.request.parent.rsplit("::", 1)[1]
        assert declared.name == component or declared.name.startswith(f"{component}-"), declared.urn


def test_the_program_composes_in_a_preview_too():
    config = stack_file("lab")
    assert run(config, preview=True).resources.keys() == run(config).resources.keys()


def test_the_language_host_runs_what_the_recorder_runs(lab):
    def main() -> None:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")

    program = record(main, config=engine_config(stack_file("lab")))
    assert program.outputs == lab.outputs
    assert {urn: it.inputs for urn, it in program.resources.items()} == {
        urn: it.inputs for urn, it in lab.resources.items()
    }


# --- outputs -----------------------------------------------------------------------------------


def on_the_wire(outputs: Outputs) -> dict:
    """Outputs as the engine keeps them."""
    return json.loads(json.dumps(outputs.by_name()))


def test_the_outputs_are_what_operations_read(lab):
    names = "context namespace backendService backendPort surfaces apiAllow superuserSecret"
    assert set(lab.outputs) == {
        *names.split(),
        "frontendService",
        "docsService",
        "backupCronJob",
        "backupPassword",
        "generatedKey",
        "secretKey",
        "keyGeneration",
        "frozen",
    }
    assert set(lab.outputs["superuserSecret"]) == {"name", "usernameKey", "passwordKey"}


@pytest.mark.parametrize("name", ["lab", "dev"])
def test_outputs_that_are_written_are_read_back_whole(name):
    exported = run(stack_file(name)).outputs
    assert on_the_wire(msgspec.convert(exported, Outputs)) == exported


def test_a_kubeconfig_is_exported_as_a_secret_and_shown_nowhere():
    program = record(
        whole_program, config=engine_config(stack_file("lab")), secret={"kubeconfig": KUBECONFIG}
    )
    assert SECRET_MARK in program.outputs["kubeconfig"]
    outputs = msgspec.convert(plain(program.outputs), Outputs)
    assert outputs.kubeconfig == KUBECONFIG
    assert "hidden" not in repr(outputs)


@pytest.mark.parametrize("refused", ["database-claim", "bootstrap", "backend", "network-redis"])
def test_a_run_that_failed_exports_nothing_that_the_next_one_compares_with(refused):
    program = record(whole_program, config=engine_config(stack_file("lab")), refused=[refused])
    assert not program.outputs.keys() & {"frozen", "generatedKey", "secretKey"}


# --- releases ----------------------------------------------------------------------------------


def without_stack(urn: str) -> str:
    """Types and name of a URN, without the stack that the SDK's mocks count among the types."""
    return "::".join(urn.split("::")[2:]).removeprefix("pulumi:pulumi:Stack$")


@pytest.fixture(scope="module", params=RELEASES, ids=lambda release: release.name)
def released(request) -> tuple[list[dict], Program]:
    """The resources of a released version's state, and what this version registers for the same stack file."""
    state = json.loads((request.param / "state.json").read_text())
    config = yaml.safe_load((request.param / "Pulumi.released.yaml").read_text())["config"]
    sections = {
        key.removeprefix("skillflaw:"): value for key, value in config.items() if key.startswith("skillflaw:")
    }
    return state["deployment"]["resources"], run(with_new_spellings(sections))


def test_what_was_released_keeps_its_urns_and_whatever_replaces_an_object(released):
    resources, program = released
    now = {without_stack(urn): declared for urn, declared in program.resources.items()}
    for resource in resources:
        if resource["type"].startswith(("pulumi:pulumi:", "pulumi:providers:")):
            continue
        declared = now[without_stack(resource["urn"])]
        if declared.kind in FORCE_NEW and resource["type"].startswith("kubernetes:"):
            before, after = (
                {
                    path: value
                    for path, value in identity(declared.kind, inputs).items()
                    if path not in declared.request.ignoreChanges
                }
                for inputs in (resource["inputs"], declared.inputs)
            )
            assert before == after


def test_outputs_of_what_was_released_can_be_read(released):
    resources, _ = released
    (stack,) = [resource for resource in resources if resource["type"] == "pulumi:pulumi:Stack"]
    assert on_the_wire(msgspec.convert(stack["outputs"], Outputs)) == stack["outputs"]


def test_a_stack_without_public_surfaces_still_runs_the_backend():
    program = run(stack_file("dev"))
    assert set(program.pods) == {"backend", "bootstrap-key", "bootstrap", "cache", "database"}
    assert program.outputs["surfaces"] == {}


# --- references --------------------------------------------------------------------------------


def named(program, kind: str) -> set[str]:
    """Names of a kind's objects as their readers see them: given, or invented by the recorder."""
    return {
        declared.inputs["metadata"].get("name") or program.names[declared.urn]
        for declared in program.of(kind)
    }


def every(value, key: str) -> list:
    """Every value under a key, at any depth."""
    if isinstance(value, dict):
        here = [value[key]] if key in value else []
        return here + [hit for item in value.values() for hit in every(item, key)]
    return [hit for item in value for hit in every(item, key)] if isinstance(value, list) else []


def wanted(spec, key: str) -> list:
    """References under a key that a pod does not start without."""
    return [it for it in every(spec, key) if not it.get("optional")]


def test_every_name_a_pod_mentions_is_declared(lab):
    for name, spec in lab.pods.items():
        for reference in every(spec, "configMapRef"):
            assert reference["name"] in named(lab, "ConfigMap"), name
        for reference in wanted(spec, "secretKeyRef"):
            assert reference["name"] in named(lab, "Secret"), name
        assert {it["secretName"] for it in wanted(spec, "secret")} <= named(lab, "Secret"), name
        assert set(every(spec, "claimName")) <= named(lab, "PersistentVolumeClaim"), name


def test_every_key_a_pod_mentions_is_in_its_secret(lab):
    keys = {lab.names[secret.urn]: set(plain(secret.inputs["stringData"])) for secret in lab.of("Secret")}
    for name, spec in lab.pods.items():
        for reference in wanted(spec, "secretKeyRef"):
            assert reference["key"] in keys[reference["name"]], name
        for volume in wanted(spec, "secret"):
            assert {item["key"] for item in volume["items"]} <= keys[volume["secretName"]], name


def test_what_is_optional_is_declared_with_its_keys_where_a_password_has_a_version():
    versions = {f"{section}.inCluster.passwordVersion": "2" for section in ("database", "cache")}
    program = run(edited(versions))
    keys = {program.names[it.urn]: set(plain(it.inputs["stringData"])) for it in program.of("Secret")}
    asked = [
        (it.get("name") or it["secretName"], key)
        for spec in program.pods.values()
        for it in [*every(spec, "secretKeyRef"), *every(spec, "secret")]
        if it.get("optional")
        for key in ([it["key"]] if "key" in it else [item["key"] for item in it["items"]])
    ]
    assert {name for name, _ in asked} == {"postgresql-login", "redis-login"}
    assert all(key in keys[name] for name, key in asked)


def test_every_mount_has_its_volume_and_every_volume_its_mount(lab):
    for name, spec in lab.pods.items():
        mounted = {mount["name"] for mounts in every(spec, "volumeMounts") for mount in mounts}
        assert mounted == {volume["name"] for volume in spec["volumes"]}, name


def test_every_selector_matches_the_pods_of_exactly_one_workload(lab):
    pods = {name: template["metadata"]["labels"] for name, template in lab.templates.items()}
    selectors = [service.inputs["spec"]["selector"] for service in lab.of("Service")] + [
        declared.inputs["spec"]["selector"]["matchLabels"]
        for declared in lab.of("PodDisruptionBudget", "Deployment", "StatefulSet")
    ]
    for selector in selectors:
        assert set(selector) == {"app.kubernetes.io/name", "app.kubernetes.io/component"}
        assert sum(selector.items() <= labels.items() for labels in pods.values()) == 1, selector


def test_every_service_and_probe_names_a_port_its_container_has(lab):
    for service in lab.of("Service"):
        (port,) = service.inputs["spec"]["ports"]
        part = service.inputs["spec"]["selector"]["app.kubernetes.io/component"]
        (owner,) = [
            declared
            for declared in lab.of("Deployment", "StatefulSet")
            if declared.inputs["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] == part
        ]
        (container,) = owner.inputs["spec"]["template"]["spec"]["containers"]
        assert port["targetPort"] in {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for asked in every(container[probe], "port"):
                assert asked in {port["name"] for port in container["ports"]}


def test_every_route_names_a_service_and_its_port(lab):
    services = {
        service.inputs["metadata"]["name"]: service.inputs["spec"]["ports"][0]["port"]
        for service in lab.of("Service")
    }
    for ingress in lab.of("Ingress"):
        for backend in every(ingress.inputs, "backend"):
            assert services[backend["service"]["name"]] == backend["service"]["port"]["number"]


def test_fixed_names_are_the_guides(lab):
    names = {(declared.kind, declared.inputs["metadata"].get("name")) for declared in lab.objects}
    for part in ("backend", "frontend", "docs"):
        assert {("Deployment", f"skillflaw-{part}"), ("Service", f"skillflaw-{part}")} <= names
    assert ("PersistentVolumeClaim", "skillflaw-backend-data") in names
    assert ("Namespace", "skillflaw") in names


def test_what_feeds_pods_is_immutable_and_named_by_content(lab):
    for declared in lab.of("ConfigMap", "Secret"):
        assert declared.inputs["immutable"], declared.urn
        assert "name" not in declared.inputs["metadata"], declared.urn


# --- secrets -----------------------------------------------------------------------------------


def outside_wrappers(value) -> str:
    """Everything that is stored readable."""
    if isinstance(value, dict):
        if SECRET_MARK in value:
            return ""
        return json.dumps(list(value)) + "".join(map(outside_wrappers, value.values()))
    return "".join(map(outside_wrappers, value)) if isinstance(value, list) else str(value)


def test_no_secret_is_stored_readable(lab):
    for declared in lab.resources.values():
        assert SENTINEL not in outside_wrappers(declared.inputs), declared.urn
    assert SENTINEL not in json.dumps(lab.outputs)


def test_secrets_live_in_secrets_only(lab):
    holders = {declared.kind for declared in lab.objects if SENTINEL in json.dumps(declared.inputs)}
    assert holders == {"Secret"}


def test_urls_are_percent_encoded(lab):
    assert "%2F%2B%40" in plain(lab.one("Secret", "database-secret").inputs)["stringData"]["url"]
    assert "%2F%2B%40" in plain(lab.one("Secret", "cache-secret").inputs)["stringData"]["url"]


def test_the_generated_key_is_a_url_safe_fernet_key(lab):
    key = plain(lab.one("Secret", "secret-key-secret").inputs)["stringData"]["skillflaw_secret_key"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}=", key)
    assert lab.one("RandomBytes", "secret-key-bytes").inputs["length"] == 32


# --- protection --------------------------------------------------------------------------------


def protected(**sections):
    config = stack_file("lab") | {
        "protection": {"enabled": True},
        "backup": {"schedule": "0 3 * * *"},
        "backend": {"scale": {"replicas": 1}},
        "edge": {"ingress": {"className": "traefik"}, "issuer": "lab"},
        "surfaces": {"api": {"host": "api.skillflaw.test"}},
    }
    return run(config | sections)


def test_protection_keeps_everything_that_cannot_be_made_again():
    resources = protected().resources.values()
    kept = {
        declared.name
        for declared in resources
        if declared.request.protect and not declared.type.startswith("skillflaw:")
    }
    assert kept == PROTECTED
    for declared in resources:
        if declared.name in kept and declared.type.startswith("kubernetes:"):
            assert declared.request.retainOnDelete, declared.urn


def test_what_a_destroy_must_delete_first_is_protected():
    program = protected()
    (guard,) = [it for it in program.resources.values() if it.type == "skillflaw:app:Protection"]
    assert guard.request.protect
    everything = {urn for urn, it in program.leaves.items() if it.type != "pulumi:providers:kubernetes"}
    assert set(guard.request.dependencies) == everything


def test_without_protection_nothing_stays_behind(lab):
    assert not any(declared.request.protect or declared.request.retainOnDelete for declared in lab.objects)


@pytest.mark.parametrize(
    "name",
    ["secret-key-bytes", "superuser-password", "database-password", "cache-password", "backup-password"],
)
def test_a_generated_secret_is_never_generated_again(lab, name):
    (declared,) = [declared for declared in lab.resources.values() if declared.name == name]
    assert set(declared.inputs) <= set(declared.request.ignoreChanges)
