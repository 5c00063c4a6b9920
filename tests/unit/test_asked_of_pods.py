"""What a stack file may ask of pods, and what is refused."""

import pytest

from settings.load import parse
from settings.problems import Problem, SettingsError
from tests.stack_files import WORKLOADS, filled_in, section


def problems(asked: dict, workload: str = "") -> tuple[Problem, ...]:
    """What is wrong with the lab's stack file, with something asked of a workload's pods, or of every pod's."""
    config = filled_in("lab")
    section(config, workload)["pods"] = asked
    try:
        parse(config, set())
    except SettingsError as refused:
        return refused.problems
    return ()


@pytest.mark.parametrize(
    "key",
    [
        "app",
        "app.kubernetes.io/name",
        "app.kubernetes.io/component",
        "app.kubernetes.io/managed-by",
        "pod-security.kubernetes.io/enforce",
        "kubernetes.io/metadata.name",
        "batch.kubernetes.io/job-name",
        "pod-template-hash",
        "acme.cert-manager.io/http01-solver",
        "pulumi.com/anything",
    ],
)
def test_a_label_that_others_decide_by_is_refused(key):
    (problem,) = problems({"labels": {key: "some"}})
    assert problem.path == f"pods.labels.{key}"
    assert "prefix of your own" in problem.remedy


@pytest.mark.parametrize(
    "labels",
    [
        {"team": "platform"},
        {"example.com/cost-centre": "4711"},
        {"app.kubernetes.io/instance": "prod", "app.kubernetes.io/version": "1.2"},
        {"azure.workload.identity/use": "true"},
        {"kueue.x-k8s.io/queue-name": "apps"},
        {"example.com/empty": ""},
    ],
)
def test_a_label_of_ones_own_is_accepted(labels):
    assert problems({"labels": labels}) == ()


@pytest.mark.parametrize("value", ["two words", "-dash", "a" * 64, "semi;colon", 4711, True])
@pytest.mark.parametrize("key", ["labels", "nodeSelector"])
def test_a_value_that_no_label_has_is_refused(key, value):
    (problem,) = problems({key: {"team": value}})
    assert problem.path == f"pods.{key}.team"


@pytest.mark.parametrize(
    "key",
    [
        "pulumi.com/skipAwait",
        "skillflaw.com/secret-key-version",
        "container.apparmor.security.beta.kubernetes.io/backend",
        "seccomp.security.alpha.kubernetes.io/pod",
        "kubectl.kubernetes.io/last-applied-configuration",
    ],
)
def test_an_annotation_that_the_program_or_the_nodes_security_decides_by_is_refused(key):
    (problem,) = problems({"annotations": {key: "unconfined"}})
    assert problem.path == f"pods.annotations.{key}"


@pytest.mark.parametrize(
    "annotations",
    [
        {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"},
        {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"},
        {"proxy.istio.io/config": "{holdApplicationUntilProxyStarts: true}"},
        {"prometheus.io/port": 7860},
    ],
)
def test_an_annotation_for_a_controller_is_accepted(annotations):
    assert problems({"annotations": annotations}) == ()


def test_a_secret_is_kept_out_of_annotations_and_not_repeated():
    (problem,) = problems({"annotations": {"example.com/token": "ghp_" + "a1B2" * 9}})
    assert "secret" in problem.found
    assert "a1B2" not in str(problem)


@pytest.mark.parametrize(
    ("toleration", "key"),
    [
        ({"key": "spot", "operator": "Exists", "value": "yes"}, "value"),
        ({"value": "yes"}, "key"),
        ({"key": "spot", "tolerationSeconds": 60}, "tolerationSeconds"),
        ({"key": "spot", "effect": "NoSchedule", "tolerationSeconds": 60}, "tolerationSeconds"),
        ({"key": "spot", "operator": "In"}, "operator"),
        ({"key": "spot", "effect": "Never"}, "effect"),
    ],
)
def test_a_toleration_that_the_api_refuses_is_refused_first(toleration, key):
    (problem,) = problems({"tolerations": [{"operator": "Exists"}, toleration]})
    assert problem.path == f"pods.tolerations[1].{key}"


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "kubernetes.io/arch", "value": "arm64", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0},
        {"key": "spot"},
    ],
)
def test_a_toleration_of_kubernetes_is_accepted(toleration):
    assert problems({"tolerations": [toleration]}) == ()


@pytest.mark.parametrize("workload", ["", *WORKLOADS])
def test_what_is_asked_of_one_workload_is_judged_alike(workload):
    (problem,) = problems({"labels": {"app": "another"}}, workload)
    assert problem.path == f"{workload}.pods.labels.app".lstrip(".")


def test_the_key_of_the_pull_secret_of_the_first_release_is_refused_with_the_new_spelling():
    config = filled_in("lab")
    config["images"] |= {"pullSecret": "registry"}
    with pytest.raises(SettingsError) as refused:
        parse(config, set())
    (problem,) = refused.value.problems
    assert problem.path == "images.pullSecret"
    assert problem.remedy == "write pods.pullSecrets: [NAME]"


@pytest.mark.parametrize("uid", [0, -1, 2**31, "root", "Platform", "1000", True, 1.5])
@pytest.mark.parametrize("key", ["uid", "gid"])
def test_a_user_that_is_root_or_none_is_refused(key, uid):
    config = filled_in("lab")
    config["docs"] |= {key: uid}
    with pytest.raises(SettingsError) as refused:
        parse(config, set())
    (problem,) = refused.value.problems
    assert problem.path == f"docs.{key}"
    assert "platform" in problem.allowed


@pytest.mark.parametrize(
    "trust", [{"key": "ca.crt"}, {"key": "ca.crt", "configMapName": "one", "secretName": "two"}]
)
def test_a_bundle_of_authorities_is_in_one_place(trust):
    assert "pods.trust" in {problem.path for problem in problems({"trust": trust})}


def test_a_small_container_that_asks_more_than_it_gets_is_refused():
    config = filled_in("lab") | {"bootstrap": {"resources": {"requests": {"memory": "256Mi"}}}}
    config["cache"] = {"inCluster": {"resources": {"requests": {"cpu": "3"}}}}
    with pytest.raises(SettingsError) as refused:
        parse(config, set())
    assert {problem.path for problem in refused.value.problems} == {
        "bootstrap.resources.requests.memory",
        "cache.inCluster.resources.requests.cpu",
    }
