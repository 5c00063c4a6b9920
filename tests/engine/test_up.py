"""`pulumi up` and what an edit of the stack file moves."""

import subprocess

import pytest

WORKLOADS = "deployments,statefulsets,services,ingresses,persistentvolumeclaims"


def test_an_up_makes_the_whole_topology_and_a_second_one_changes_nothing(stack):
    stack.up()
    assert stack.objects(WORKLOADS) >= {
        "deployment.apps/skillflaw-backend",
        "deployment.apps/skillflaw-frontend",
        "deployment.apps/skillflaw-docs",
        "service/skillflaw-backend",
        "service/skillflaw-frontend",
        "service/skillflaw-docs",
        "persistentvolumeclaim/skillflaw-backend-data",
    }
    assert len(stack.objects("ingresses")) == 3
    stack.up("--expect-no-changes")


def test_a_surface_that_is_not_configured_does_not_exist_in_the_cluster(stack):
    stack.sections["surfaces"] = {}
    stack.up()
    assert stack.objects("ingresses") == set()
    assert stack.objects("deployments,services") >= {"deployment.apps/skillflaw-backend"}
    assert not {name for name in stack.objects(WORKLOADS) if "frontend" in name or "docs" in name}


def test_an_edit_moves_only_what_it_must(stack):
    stack.up()

    del stack.sections["surfaces"]["docs"]
    planned = stack.preview()
    assert set(planned) == {"delete"}
    assert all("docs" in name for name in planned["delete"])
    stack.up()
    assert not {name for name in stack.objects(WORKLOADS) if "docs" in name}

    stack.sections["frontend"] = {"replicas": 3}
    assert stack.preview() == {"update": {"frontend"}}
    stack.up()

    stack.sections["backend"]["env"] = {"SKILLFLAW_LOG_LEVEL": "DEBUG"}
    planned = stack.preview()
    assert "backend" in planned["update"]
    moved = set().union(*planned.values())
    assert not {
        name for name in moved if name.split("-")[0] in {"database", "cache", "storage", "frontend", "edge"}
    }
    stack.up()
    stack.up("--expect-no-changes")


def test_an_unsafe_stack_file_is_refused_whole_and_nothing_is_registered(stack):
    stack.sections["storage"]["accessMode"] = "ReadWriteOnce"
    stack.sections["surfaces"]["app"]["host"] = "api.skillflaw.test"
    stack.sections["bakend"] = {}
    done = stack.up(check=False)
    assert done.returncode != 0
    for key in ("storage.accessMode", "surfaces.app.host", "bakend"):
        assert key in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert f"namespace/{stack.name}" not in stack.kubectl("get", "namespaces", "--output=name").split()


def test_the_server_refuses_a_privileged_pod_in_the_namespace(stack):
    stack.up()
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        stack.kubectl(
            "run", "intruder", f"--namespace={stack.name}", "--image=any", "--privileged", "--dry-run=server"
        )


def test_no_secret_is_in_a_config_map_or_in_plain_text_in_the_state(stack):
    stack.up()
    encoded = stack.kubectl(
        "get", "secrets", f"--namespace={stack.name}", "--output=jsonpath={range .items[*].data}{@}{end}"
    )
    assert encoded
    state = stack.pulumi("stack", "export", "--stack", stack.name).stdout
    config_maps = stack.kubectl("get", "configmaps", f"--namespace={stack.name}", "--output=json")
    for value in secret_values(stack):
        assert value not in state
        assert value not in config_maps


def secret_values(stack) -> set[str]:
    """Every value of every Secret of the namespace, as it is and as Kubernetes encodes it."""
    template = "{{range .items}}{{range $key, $value := .data}}{{$value}}\n{{end}}{{end}}"
    encoded = stack.kubectl(
        "get", "secrets", f"--namespace={stack.name}", f"--output=go-template={template}"
    ).split()
    plain = {
        subprocess.run(["base64", "-d"], input=value, capture_output=True, text=True, check=True).stdout
        for value in encoded
    }
    return {value for value in {*encoded, *plain} if len(value) >= 8}
