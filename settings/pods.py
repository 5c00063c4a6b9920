"""What may be asked of pods: labels and annotations that nothing else decides by, and tolerations that the API accepts."""

import re
from collections.abc import Iterator, Mapping

from detection.secrets import is_secret
from settings.problems import Problem
from settings.sections import OperatedPods, Toleration

_RESERVED_LABEL = re.compile(
    r"""
    app | job-name | controller-uid | pod-template-(hash|generation) | controller-revision-hash
    | (?!app\.kubernetes\.io/(instance|version)$) ([^/]+\.)?(kubernetes|k8s)\.io/.+
    | ([^/]+\.)?(pulumi\.com|skillflaw\.com|cert-manager\.io)/.+
    """,
    re.VERBOSE,
)
"""Labels by which Services, policies, controllers and Pod Security find or judge objects."""

_RESERVED_ANNOTATION = re.compile(
    r"""
    ([^/]+\.)?(pulumi\.com|skillflaw\.com)/.+
    | kubectl\.kubernetes\.io/last-applied-configuration | meta\.helm\.sh/.+
    | (container\.)?(apparmor|seccomp)\.security\.[^/]+/.+
    """,
    re.VERBOSE,
)
"""Annotations that the program or another tool writes, or that loosen what confines a process."""


def pods_problems(path: str, pods: OperatedPods) -> Iterator[Problem]:
    """What is wrong with what is asked of pods at a path of the stack file."""
    labels = "labels of your own, app.kubernetes.io/instance and app.kubernetes.io/version"
    yield from _reserved(f"{path}.labels", pods.labels, _RESERVED_LABEL, labels)
    annotations = "annotations for controllers of the cluster"
    yield from _reserved(f"{path}.annotations", pods.annotations, _RESERVED_ANNOTATION, annotations)
    for number, row in enumerate(pods.tolerations):
        yield from _toleration(f"{path}.tolerations[{number}]", row)


def _reserved(path: str, given: Mapping[str, str], keys: re.Pattern[str], allowed: str) -> Iterator[Problem]:
    for key, value in given.items():
        if keys.fullmatch(key):
            yield Problem(
                path=f"{path}.{key}",
                found="a key that Kubernetes, the program or another tool decides by",
                allowed=allowed,
                remedy="remove it, or write it under a prefix of your own, such as example.com/",
            )
        elif is_secret(value):
            yield Problem(
                path=f"{path}.{key}",
                found="what looks like a secret, in a section that is stored in plain text",
                allowed="plain values",
                remedy="keep it in a Kubernetes Secret, and name that where a key asks for one",
            )


def _toleration(path: str, row: Toleration) -> Iterator[Problem]:
    if row.operator == "Exists" and row.value:
        yield Problem(
            path=f"{path}.value",
            found="a value, which the operator Exists does not compare",
            allowed="a value with the operator Equal",
            remedy="remove it, or write operator: Equal",
        )
    if row.key is None and row.operator == "Equal":
        yield Problem(
            path=f"{path}.key",
            found="nothing, and the operator Equal",
            allowed="the key of a taint, or the operator Exists, which tolerates every taint",
            remedy="write the taint's key, or operator: Exists",
        )
    if row.toleration_seconds is not None and row.effect != "NoExecute":
        yield Problem(
            path=f"{path}.tolerationSeconds",
            found=f"a time with {row.effect or 'no'} effect, after which no pod is evicted",
            allowed="a time with the effect NoExecute",
            remedy="remove it, or write effect: NoExecute",
        )
