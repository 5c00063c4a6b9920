"""Who takes public requests: IngressClasses, Gateways, certificates."""

from collections.abc import Iterator
from typing import Any

from operations.preflight.found import Found
from operations.preflight.problem import Outcome, Problem
from operations.preflight.selectors import selects
from operations.preflight.wanted import Object, Wanted, name_of
from operations.review.preview import UNKNOWN, at

CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"
DEFAULT = "ingressclass.kubernetes.io/is-default-class"
LEGACY = "kubernetes.io/ingress.class"
TIMED_BY = {
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "nginx",
    "nginx.org/proxy-read-timeout": "f5-nginx",
    "haproxy.org/timeout-server": "haproxy",
    "haproxy.router.openshift.io/timeout": "openshift",
    "alb.ingress.kubernetes.io/load-balancer-attributes": "alb",
}
"""Annotations that say how long a controller waits, and the controller that reads each, as the stack file names it."""
CONTROLLERS = {
    "traefik.io/": "traefik",
    "k8s.io/ingress-nginx": "nginx",
    "nginx.org/": "f5-nginx",
    "haproxy.org/": "haproxy",
    "openshift.io/": "openshift",
    "ingress.k8s.aws/": "alb",
}
"""How `spec.controller` of an IngressClass begins, and the controller, as the stack file names it."""
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces"
ISSUERS = "/apis/cert-manager.io/v1"
ISSUED_BY = {
    "cert-manager.io/cluster-issuer": ("ClusterIssuer", "clusterissuers"),
    "cert-manager.io/issuer": ("Issuer", "issuers"),
}
"""Annotations that have cert-manager make the Secret of a certificate: the issuer's kind and its plural."""


def ingress_classes(wanted: Wanted, found: Found) -> Outcome:
    ingresses = wanted.of("Ingress")
    live = {each["metadata"]["name"]: each for each in found.items(CLASSES)} if ingresses else {}
    known = f"name one of {', '.join(sorted(live))}" if live else "install an ingress controller"
    problems: list[Problem] = []
    asked = set()
    for each in ingresses:
        legacy = at(each, "metadata", "annotations", LEGACY)
        name = at(each, "spec", "ingressClassName") or legacy
        asked.add(name or "the default")
        if name in live:
            problems += _reads_another(each, live[name])
        # Google's controller knows its routes by the annotation alone, and has no IngressClass.
        elif name and name != legacy:
            problems.append(Problem(f"IngressClass {name}, for {name_of(each)}", "none of that name", known))
        elif not name and not any(
            at(row, "metadata", "annotations", DEFAULT) == "true" for row in live.values()
        ):
            problems.append(
                Problem(f"a default IngressClass, for {name_of(each)}", "none is the default", known)
            )
    return Outcome(f"IngressClasses: {', '.join(sorted(asked)) or 'none'}", tuple(problems))


def _reads_another(ingress: Object, live: Object) -> Iterator[Problem]:
    """A controller to which the annotations of a route say nothing of how long requests may take."""
    serves = at(live, "spec", "controller") or ""
    really = next((word for start, word in CONTROLLERS.items() if serves.startswith(start)), None)
    meant = {word for key, word in TIMED_BY.items() if key in (at(ingress, "metadata", "annotations") or {})}
    if really and meant and really not in meant:
        yield Problem(
            f"annotations of {' and '.join(sorted(meant))}, for {name_of(ingress)}",
            f"IngressClass {live['metadata']['name']} is {serves}'s, which does not read them",
            f"edge.ingress.controller: {really}",
        )


def gateways(wanted: Wanted, found: Found) -> Outcome:
    parents = [
        (route, parent)
        for route in wanted.objects
        if route["kind"].endswith("Route")
        for parent in at(route, "spec", "parentRefs") or ()
        if parent.get("kind", "Gateway") == "Gateway"
    ]
    problems = tuple(
        problem for route, parent in parents for problem in _parent(wanted, found, route, parent)
    )
    names = sorted({f"{parent.get('namespace', found.namespace)}/{parent['name']}" for _, parent in parents})
    return Outcome(f"Gateways: {', '.join(names) or 'none'}", problems)


def _parent(wanted: Wanted, found: Found, route: Object, parent: dict[str, Any]) -> Iterator[Problem]:
    namespace, name = parent.get("namespace", found.namespace), parent["name"]
    what = f"Gateway {namespace}/{name}, for {name_of(route)}"
    live = found.read(f"{GATEWAYS}/{namespace}/gateways/{name}")
    if live is None:
        yield Problem(what, "none of that name", "make it, or name another one in edge.gateway")
        return
    every = at(live, "spec", "listeners") or []
    listeners = [row for row in every if parent.get("sectionName") in (None, row["name"])]
    if not listeners:
        yield Problem(
            f"listener {parent['sectionName']} of {what}",
            f"its listeners are {', '.join(row['name'] for row in every) or 'none'}",
            "name one of them in edge.gateway, or add it to the Gateway",
        )
    elif not any(_allows(wanted, found, row, namespace, route["kind"]) for row in listeners):
        yield Problem(
            f"allowedRoutes of {what}",
            f"no listener takes a {route['kind']} from namespace {found.namespace}",
            f"allowedRoutes.namespaces of listener {listeners[0]['name']}: {{from: All}}, "
            "or a selector that the namespace's labels match",
        )
    elif not any(_serves(row, host) for row in listeners for host in at(route, "spec", "hostnames") or [""]):
        yield Problem(
            f"a listener for {', '.join(at(route, 'spec', 'hostnames'))} of {what}",
            f"its listeners serve {', '.join(row.get('hostname', '*') for row in listeners)}",
            "another host in surfaces, or a listener for this one",
        )


def _allows(wanted: Wanted, found: Found, listener: Object, namespace: str, kind: str) -> bool:
    kinds = at(listener, "allowedRoutes", "kinds")
    if kinds and kind not in [row["kind"] for row in kinds]:
        return False
    allowed = at(listener, "allowedRoutes", "namespaces") or {}
    match allowed.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            return selects(allowed.get("selector") or {}, labels_of(wanted, found))
        case "Same":
            return namespace == found.namespace
    return False


def labels_of(wanted: Wanted, found: Found) -> dict[str, str]:
    """Labels of the stack's namespace: those that it has, or would have."""
    own = next(iter(wanted.of("Namespace")), None)
    declared = at(own, "metadata", "labels") or {}
    named = {"kubernetes.io/metadata.name": found.namespace}
    return found.namespaces().get(found.namespace, {}) | declared | named


def _serves(listener: Object, host: str) -> bool:
    served = listener.get("hostname")
    if not served or not host or served == host:
        return True
    both = ((served, host), (host, served))
    return any(wide.startswith("*.") and name.endswith(wide[1:]) for wide, name in both)


def certificates(wanted: Wanted, found: Found) -> Outcome:
    problems: list[Problem] = []
    looked_at = set()
    for each in wanted.of("Ingress"):
        issuers = _issuers(each)
        for key, issuer in issuers.items():
            kind, plural = ISSUED_BY[key]
            looked_at.add(f"{kind} {issuer}")
            problems += _issuer(found, each, kind, plural, issuer)
        names = [row.get("secretName") for row in at(each, "spec", "tls") or ()]
        for name in dict.fromkeys(name for name in names if name and name != UNKNOWN and not issuers):
            if not wanted.holds("Secret", name):
                looked_at.add(f"Secret {name}")
                problems += _certificate(wanted, found, each, name)
    return Outcome(f"certificates of hosts: {', '.join(sorted(looked_at)) or 'none'}", tuple(problems))


def _issuers(ingress: Object) -> dict[str, str]:
    annotations = at(ingress, "metadata", "annotations") or {}
    return {key: annotations[key] for key in ISSUED_BY if annotations.get(key)}


def _issuer(found: Found, ingress: Object, kind: str, plural: str, name: str) -> Iterator[Problem]:
    what = f"{kind} {name}, for {name_of(ingress)}"
    held = f"{ISSUERS}/namespaces/{found.namespace}" if kind == "Issuer" else ISSUERS
    if not found.kinds("cert-manager.io/v1"):
        yield Problem(what, "the cluster does not know cert-manager.io/v1", "install cert-manager")
        return
    exist = {each["metadata"]["name"]: each for each in found.items(f"{held}/{plural}")}
    if name not in exist:
        known = f"name one of {', '.join(sorted(exist))} in edge.issuer" if exist else f"make the {kind}"
        yield Problem(what, "none of that name", known)
        return
    conditions = at(exist[name], "status", "conditions") or ()
    ready: dict[str, str] = next((row for row in conditions if row["type"] == "Ready"), {})
    if ready.get("status") != "True":
        yield Problem(
            what,
            f"not Ready: {ready.get('reason') or 'no condition yet'}",
            f"see kubectl describe {kind} {name}",
        )


def _certificate(wanted: Wanted, found: Found, ingress: Object, name: str) -> Iterator[Problem]:
    what = f"Secret {name} with a certificate, for {name_of(ingress)}"
    remedy = f"kubectl create secret tls {name} --namespace={found.namespace} --cert=… --key=…, or name edge.issuer"
    live = found.core("secrets", name)
    if live is None:
        yield Problem(what, f"none in namespace {found.namespace}", remedy)
    elif live.get("type") != "kubernetes.io/tls":
        yield Problem(what, f"its type is {live.get('type')}, not kubernetes.io/tls", remedy)
