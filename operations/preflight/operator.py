"""CloudNativePG's operator: whether it knows what is asked of it, outlives a node, and its pods reach the API server."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from operations.preflight.found import Found
from operations.preflight.problem import Outcome, Problem
from operations.preflight.selectors import selects
from operations.preflight.wanted import Object, Wanted, name_of
from operations.review.preview import at

GROUP = "postgresql.cnpg.io"
DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/clusters.{GROUP}"
OPERATOR = "app.kubernetes.io/name=cloudnative-pg"
OLDEST = "1.28"
"""The first version whose Cluster has every field that the program may set."""


def ready(wanted: Wanted, found: Found) -> Outcome:
    """What the operator knows, where it runs, and whether each instance finds a node."""
    clusters = _clusters(wanted)
    if not clusters:
        return Outcome("CloudNativePG: no Cluster is asked for")
    pods = ready_pods(found)
    versions = sorted({version_of(pod) for pod in pods})
    problems = [problem for each in clusters for problem in _problems(each, pods, found)]
    return Outcome(
        f"CloudNativePG: {len(pods)} pods of version {', '.join(versions) or '?'}", tuple(problems)
    )


def api_server(wanted: Wanted, found: Found) -> Outcome:
    """Whether instances of a Cluster may ask the API server at its own addresses: policies see no Service."""
    policies = [
        policy
        for policy in wanted.of("NetworkPolicy")
        for cluster in _clusters(wanted)
        if selects(policy["spec"]["podSelector"], {"cnpg.io/cluster": at(cluster, "metadata", "name")})
        # The one that closes the namespace selects every pod.
        and any(policy["spec"]["podSelector"].values())
    ]
    if not policies:
        return Outcome("API server's own addresses: no NetworkPolicy is about them")
    places = sorted(set(_places(found)))
    problems = tuple(
        Problem(
            f"the API server at {address} port {port}, for {name_of(policy)}",
            "no rule lets instances ask it, so they never learn what they are to do",
            f"network.apiServer: [{{cidr: {address}/{ip_address(address).max_prefixlen}, ports: [{port}]}}]",
        )
        for policy in policies
        for address, port in places
        if not _lets(policy, address, port)
    )
    return Outcome(
        f"API server's own addresses: {', '.join(f'{address} port {port}' for address, port in places)}",
        problems,
    )


def _clusters(wanted: Wanted) -> list[Object]:
    return [each for each in wanted.of("Cluster") if each["apiVersion"].startswith(f"{GROUP}/")]


def _problems(cluster: Object, pods: list[Object], found: Found) -> Iterator[Problem]:
    name, instances = name_of(cluster), at(cluster, "spec", "instances") or 1
    definition = found.read(DEFINITION)
    for version in at(definition, "spec", "versions") or ():
        schema = at(version, "schema", "openAPIV3Schema", "properties", "spec")
        served = version["name"] == cluster["apiVersion"].rpartition("/")[2]
        if served and (lacking := sorted(_unknown(cluster["spec"], schema))):
            yield Problem(
                f"{', '.join(lacking)} of {name}",
                "the operator's CustomResourceDefinition has no such field",
                f"upgrade CloudNativePG to {OLDEST} or newer",
            )
    if not pods:
        yield Problem(
            f"CloudNativePG's operator, for {name}",
            f"no pod with the label {OPERATOR} is ready",
            "install it with two replicas on different nodes",
        )
    elif instances > 1 and len({at(pod, "spec", "nodeName") for pod in pods}) == 1:
        yield Problem(
            f"a second node with CloudNativePG's operator, for {name}",
            f"all of it is on node {at(pods[0], 'spec', 'nodeName')}, which takes along whoever promotes a standby",
            "two replicas of the operator's Deployment, with a podAntiAffinity or a topologySpreadConstraint by hostname",
        )
    selector = at(cluster, "spec", "affinity", "nodeSelector") or {}
    nodes = [
        node
        for node in found.items("/api/v1/nodes")
        if not at(node, "spec", "unschedulable")
        and selector.items() <= (at(node, "metadata", "labels") or {}).items()
    ]
    if len(nodes) < instances:
        yield Problem(
            f"{instances} nodes, one for each instance of {name}",
            f"{len(nodes)} that may be scheduled on" + (" and match its nodeSelector" if selector else ""),
            "more nodes, or fewer database.cloudNativePg.instances",
        )


def _unknown(value: Any, schema: Any, path: str = "spec") -> Iterator[str]:
    """Paths of fields that a structural schema does not have."""
    if at(schema, "x-kubernetes-preserve-unknown-fields"):
        return
    for key, inner in value.items() if isinstance(value, dict) else ():
        known = at(schema, "properties", key)
        if known is not None:
            yield from _unknown(inner, known, f"{path}.{key}")
        elif not at(schema, "additionalProperties"):
            yield f"{path}.{key}"
    for inner in value if isinstance(value, list) else ():
        yield from _unknown(inner, at(schema, "items"), path)


def ready_pods(found: Found) -> list[Object]:
    """Pods of the operator that are ready, in any namespace."""
    return [each for each in found.items("/api/v1/pods", labelSelector=OPERATOR) if _is_ready(each)]


def _is_ready(pod: Object) -> bool:
    conditions = at(pod, "status", "conditions") or ()
    return any(row["type"] == "Ready" and row["status"] == "True" for row in conditions)


def version_of(pod: Object) -> str:
    """Tag of the operator's image; its digest says nothing."""
    [image, *_] = [str(row["image"]) for row in at(pod, "spec", "containers")]
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2] or "unknown"


def _places(found: Found) -> Iterator[tuple[str, int]]:
    """Addresses and ports behind the Service `kubernetes`."""
    slices = found.items(
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        labelSelector="kubernetes.io/service-name=kubernetes",
    )
    for each in slices:
        for endpoint in each.get("endpoints") or ():
            for address in endpoint["addresses"]:
                for port in each.get("ports") or ():
                    yield address, port["port"]


def _lets(policy: Object, address: str, port: int) -> bool:
    """Whether an egress rule opens a port of an address that is no pod's."""
    return any(
        (not rule.get("ports") or any(row.get("port") == port for row in rule["ports"]))
        and any(
            ip_address(address) in ip_network(cidr)
            for peer in rule.get("to") or ()
            if (cidr := at(peer, "ipBlock", "cidr"))
        )
        for rule in policy["spec"].get("egress") or ()
    )
