"""`pulumi up` of the whole topology, and what the server itself holds of it."""

import base64
import json

import pytest

WORKLOADS = "deployments,statefulsets,services,ingresses,persistentvolumeclaims"


def test_an_up_makes_the_whole_topology(whole):
    assert whole.objects(WORKLOADS) == {
        "deployment.apps/skillflaw-backend",
        "deployment.apps/skillflaw-frontend",
        "deployment.apps/skillflaw-docs",
        "deployment.apps/redis",
        "statefulset.apps/postgresql",
        "service/skillflaw-backend",
        "service/skillflaw-frontend",
        "service/skillflaw-docs",
        "service/redis",
        "service/postgresql",
        "ingress.networking.k8s.io/skillflaw-api",
        "ingress.networking.k8s.io/skillflaw-app",
        "ingress.networking.k8s.io/skillflaw-docs",
        "persistentvolumeclaim/skillflaw-backend-data",
        "persistentvolumeclaim/postgresql-data",
        "persistentvolumeclaim/skillflaw-backups",
    }


def test_a_second_up_changes_nothing(whole):
    whole.up("--expect-no-changes")


def test_the_server_refuses_a_pod_that_is_not_restricted(whole):
    run = ("run", "intruder", f"--namespace={whole.name}", "--image=any", "--dry-run=server")
    with pytest.raises(AssertionError, match='violates PodSecurity "restricted'):
        whole.kubectl(*run)
    restricted = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "intruder",
                "image": "any",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }
    whole.kubectl(*run, f"--overrides={json.dumps({'apiVersion': 'v1', 'spec': restricted})}")


def test_no_secret_is_in_a_config_map_or_in_plain_text_in_the_state(whole):
    secrets = secret_values(whole)
    assert len(secrets) >= 8
    state = whole.pulumi("stack", "export", f"--stack={whole.name}").stdout
    config_maps = whole.kubectl("get", "configmaps", f"--namespace={whole.name}", "--output=json")
    for key, value in secrets.items():
        assert value not in state, key
        assert value not in config_maps, key


def secret_values(stack) -> dict[str, str]:
    """Values of the namespace's Secrets, as they are and as Kubernetes encodes them; a user's name is none."""
    listed = json.loads(stack.kubectl("get", "secrets", f"--namespace={stack.name}", "--output=json"))
    values = {}
    for secret in listed["items"]:
        for key, encoded in secret["data"].items():
            if key != "username":
                name = f"{secret['metadata']['name']}/{key}"
                values[name] = base64.b64decode(encoded).decode()
                values[f"{name} encoded"] = encoded
    return values
