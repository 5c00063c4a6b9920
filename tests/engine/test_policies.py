"""The engine runs the policies, and the stack's own config says how strictly."""

import pytest

from policies.catalogue import POLICIES
from tests.engine.stack import Stack, copy_program, shipped
from tests.engine.test_refusals import DIGEST

WITH_POLICIES = ("--policy-pack=policies", "--color=never")


def judged(stack, *, passes: bool) -> str:
    """Output of a preview with policies."""
    done = stack.pulumi("preview", *WITH_POLICIES, check=False)
    said = done.stdout + done.stderr
    assert (done.returncode == 0) == passes, said
    return said


def advised(said: str, of: str = "") -> set[str]:
    """Policies that give advice, about every resource or about those of one name."""
    return {line.split()[2] for line in said.splitlines() if "[advisory]" in line and f"{of})" in line}


def test_the_production_file_breaks_no_policy(fresh):
    fresh.sections = shipped("prod")
    fresh.sections["images"] = {name: f"{image}@{DIGEST}" for name, image in fresh.sections["images"].items()}
    assert "✅ skillflaw@" in judged(fresh, passes=True)


def test_the_development_file_may_move_and_be_lost_and_breaks_no_other_policy(fresh):
    fresh.sections = shipped("dev")
    assert advised(judged(fresh, passes=True)) == {"fixed-image", "protected-state"}


EXTRA = """
import pulumi_kubernetes as k8s

here = pulumi.ResourceOptions(provider=k8s.Provider("careless"))
namespace = "engine-careless"
k8s.apiextensions.CustomResource(
    "extra",
    api_version="postgresql.cnpg.io/v1",
    kind="Cluster",
    metadata={"name": "extra", "namespace": namespace},
    spec={"instances": 1, "enableSuperuserAccess": True},
    opts=here,
)
k8s.apiextensions.CustomResource(
    "extra",
    api_version="monitoring.coreos.com/v1",
    kind="PodMonitor",
    metadata={"name": "extra", "namespace": namespace},
    spec={"namespaceSelector": {"any": True}, "selector": {}},
    opts=here,
)
k8s.core.v1.PersistentVolumeClaim(
    "extra",
    metadata={"name": "extra", "namespace": namespace},
    spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    opts=here,
)
k8s.apps.v1.Deployment(
    "extra",
    metadata={"name": "extra", "namespace": namespace},
    spec={
        "replicas": 2,
        "selector": {"matchLabels": {"app": "extra"}},
        "template": {
            "metadata": {"labels": {"app": "extra"}},
            "spec": {
                "containers": [
                    {
                        "name": "extra",
                        "image": "elsewhere.example/extra",
                        "env": [{"name": "TOKEN", "value": "hJ8s1xQ9zLm4TwP0"}],
                    }
                ],
                "volumes": [{"name": "extra", "persistentVolumeClaim": {"claimName": "extra"}}],
            },
        },
    },
    opts=here,
)
k8s.core.v1.Service(
    "extra",
    metadata={"name": "extra", "namespace": namespace},
    spec={"type": "NodePort", "selector": {"app": "extra"}, "ports": [{"port": 80}]},
    opts=here,
)
k8s.networking.v1.Ingress(
    "extra",
    metadata={"name": "extra", "namespace": namespace},
    spec={"defaultBackend": {"service": {"name": "extra", "port": {"number": 80}}}},
    opts=here,
)
k8s.networking.v1.NetworkPolicy(
    "extra",
    metadata={"name": "extra", "namespace": namespace},
    spec={"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    opts=here,
)
k8s.rbac.v1.Role(
    "extra",
    metadata={"name": "extra", "namespace": namespace},
    rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    opts=here,
)
k8s.core.v1.Namespace("extra", metadata={"name": "extra"}, opts=here)
"""


@pytest.fixture
def careless(environment, tmp_path):
    """A program whose author forgot everything."""
    program = copy_program(tmp_path)
    with (program / "__main__.py").open("a") as file:
        file.write(EXTRA)
    with Stack(program, "engine-careless", environment) as stack:
        yield stack


def test_without_protection_a_violation_is_advice(careless):
    said = judged(careless, passes=True)
    assert "[advisory]  known-registry  (kubernetes:apps/v1:Deployment: extra)" in said
    assert "add the registry to `images.registries`" in said
    assert "[mandatory]" not in said


def test_under_protection_a_violation_is_refused_before_its_resource_is_touched(careless):
    careless.sections |= {
        "surfaces": {},
        "network": {},
        "backend": {"scale": {"replicas": 1}},
        "backup": {"schedule": "0 3 * * *", "to": {"claim": {"size": "1Gi", "className": "local"}}},
        "protection": {"enabled": True},
    }
    done = careless.up("--policy-pack=policies", check=False)
    assert done.returncode != 0
    # The engine ends at the first of them.
    assert [line for line in done.stdout.splitlines() if "[mandatory]" in line and ": extra)" in line]
    assert not {
        name for name in careless.objects("deployments,services,ingresses") if name.endswith("/extra")
    }


def test_every_policy_reaches_the_engine(careless):
    assert advised(judged(careless, passes=True), of=": extra") == {policy.name for policy in POLICIES}


def test_a_pack_that_does_not_start_is_an_error_and_not_silence(environment, tmp_path):
    program = copy_program(tmp_path)
    (program / "policies" / "__main__.py").write_text("raise RuntimeError('no pack today')")
    with Stack(program, "engine-packless", environment) as stack:
        said = judged(stack, passes=False)
    assert "policy pack not started" in said
    assert "no pack today" in said
