"""Kinds of objects: whether the API server knows them, serves metrics, and lets this identity change them."""

import json

from operations.preflight.found import Found
from operations.preflight.problem import Outcome, Problem
from operations.preflight.wanted import Wanted, name_of
from operations.program import ProgramError

METRICS = "/apis/metrics.k8s.io/v1beta1"
VERBS = ("create", "patch", "delete")


def known(wanted: Wanted, found: Found) -> Outcome:
    kinds: dict[tuple[str, str], str] = {}
    for each in wanted.objects:
        kinds.setdefault((each["apiVersion"], each["kind"]), name_of(each))
    problems = tuple(
        Problem(
            f"kind {kind} of {version}, for {name}",
            "the API server does not know it",
            "install its CustomResourceDefinition, with the operator that serves it",
        )
        for (version, kind), name in sorted(kinds.items())
        if kind not in found.kinds(version)
    )
    return Outcome(f"{len(kinds)} kinds of objects", problems)


def metrics(wanted: Wanted, found: Found) -> Outcome:
    scaled = [name_of(each) for each in wanted.of("HorizontalPodAutoscaler")]
    if not scaled:
        return Outcome("metrics API: nothing is scaled by it")
    try:
        lacks = "not installed" if found.read(METRICS) is None else None
    except ProgramError as error:
        if "(ServiceUnavailable)" not in str(error):
            raise
        lacks = "installed, and does not answer"
    if not lacks:
        return Outcome("metrics API")
    problem = Problem(
        f"metrics API, for {', '.join(scaled)}",
        lacks,
        "install metrics-server, or backend.scale: {replicas: …}",
    )
    return Outcome("metrics API", (problem,))


def permitted(wanted: Wanted, found: Found) -> Outcome:
    asked = []
    made = {(each["apiVersion"], each["kind"]) for each in wanted.made}
    for version, kind in sorted({(each["apiVersion"], each["kind"]) for each in wanted.objects}):
        resource = found.kinds(version).get(kind)
        # Whoever deploys into a namespace that exists need not be able to make one.
        if not resource or not (resource["namespaced"] or (version, kind) in made):
            continue
        place = {"namespace": found.namespace} if resource["namespaced"] else {}
        group = version.rpartition("/")[0]
        asked += [{"verb": verb, "group": group, "resource": resource["name"], **place} for verb in VERBS]
    reviews = [
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": each},
        }
        for each in asked
    ]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    # A review is an answer that the API server keeps nowhere.
    answers = _documents(
        found.kubectl.run("create", "--filename=-", "--output=json", "--validate=false", stdin=manifest)
    )
    denied: dict[str, list[str]] = {}
    for answer in answers:
        if not answer["status"]["allowed"]:
            row = answer["spec"]["resourceAttributes"]
            name = ".".join(filter(None, (row["resource"], row.get("group"))))
            denied.setdefault(name, []).append(row["verb"])
    problems = tuple(
        Problem(
            f"permission to {', '.join(verbs)} {name}",
            f"this identity may not, in namespace {found.namespace}",
            f"a Role or ClusterRole with it: kubectl auth can-i {verbs[0]} {name} --namespace={found.namespace}",
        )
        for name, verbs in sorted(denied.items())
    )
    return Outcome(f"permissions: {len(asked)}", problems)


def _documents(text: str) -> list[dict[str, dict[str, dict[str, str]]]]:
    """JSON documents one after another, as kubectl writes several objects that it created."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while rest := text[place:].lstrip():
        document, length = decoder.raw_decode(rest)
        found.append(document)
        place = len(text) - len(rest) + length
    return found
