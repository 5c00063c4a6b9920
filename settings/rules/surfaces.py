"""Public hosts: their edge, certificates and what they carry."""

from collections.abc import Iterator

from settings.annotations import annotation_problems
from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import CONTROLLERS, Backend, Edge, Frontend, Namespace, Protection, Surfaces
from settings.timeouts import BACKEND_CONFIGS, GOOGLE_SECONDS, shortened

BACKEND = "skillflaw-backend"
SERVICE_ENDS = ("", ".svc", ".svc.cluster.local")
"""The backend's Service, and how cluster DNS completes the name of one in a namespace."""


@rule
def hosts_are_distinct(surfaces: Surfaces) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, row in surfaces.present().items():
        if row.host in seen:
            yield Problem(
                path=f"surfaces.{name}.host",
                found=f"{row.host}, which is also surfaces.{seen[row.host]}.host",
                allowed="one host per surface",
                remedy="give each surface a host of its own, so that routes and certificates cannot collide",
            )
        seen.setdefault(row.host, name)


@rule
def surfaces_have_an_edge(surfaces: Surfaces, edge: Edge) -> Iterator[Problem]:
    chosen = [name for name in ("ingress", "gateway") if getattr(edge, name) is not None]
    if len(chosen) == 2 or (surfaces.present() and not chosen):
        yield Problem(
            path="edge",
            found=" and ".join(chosen) or "neither ingress nor gateway",
            allowed="exactly one of ingress, gateway",
            remedy="write edge.ingress.className, or edge.gateway.name and .namespace, but not both",
        )


@rule
def controllers_are_named(edge: Edge) -> Iterator[Problem]:
    if edge.ingress and edge.ingress.served_by is None:
        yield Problem(
            path="edge.ingress.controller",
            found=f"nothing, and class {edge.ingress.class_name} may be any controller's",
            allowed=f"a controller, or a class that is known: {', '.join(CONTROLLERS)}",
            remedy="name the controller: its annotations say how long a flow may take. kubectl get ingressclass "
            f"{edge.ingress.class_name} shows which it is; none is for one that is configured elsewhere",
        )


@rule
def edges_carry_the_longest_flow(edge: Edge, surfaces: Surfaces, backend: Backend) -> Iterator[Problem]:
    flow, controller = backend.longest_flow_seconds, edge.ingress.served_by if edge.ingress else None
    asked = {name: row for name, row in surfaces.present().items() if name != "docs"}
    said = {
        "edge.annotations": {
            key: value
            for key, value in edge.annotations.items()
            if any(key not in row.annotations for row in asked.values())
        },
        **{f"surfaces.{name}.annotations": row.annotations for name, row in asked.items()},
        **{f"surfaces.{name}.serviceAnnotations": row.service_annotations for name, row in asked.items()},
    }
    for path, annotations in said.items():
        yield from shortened(path, annotations, controller, flow)
    name = "api" if surfaces.api else "app"
    if (
        controller == "gce"
        and flow > GOOGLE_SECONDS
        and (surface := surfaces.api or surfaces.app)
        and not any(key in surface.service_annotations for key in BACKEND_CONFIGS)
    ):
        yield Problem(
            path="backend.longestFlowSeconds",
            found=f"{flow}, and Google's load balancer cuts requests after {GOOGLE_SECONDS} s unless a BackendConfig says "
            "more",
            allowed=f"at most {GOOGLE_SECONDS}, or a BackendConfig of the backend's Service",
            remedy=f"make a BackendConfig with timeoutSec: {flow + 15}, and name it in surfaces.{name}.serviceAnnotations: "
            f'{{{BACKEND_CONFIGS[0]}: \'{{"default": "NAME"}}\'}}',
        )


@rule
def gateway_brings_its_own_certificates(surfaces: Surfaces, edge: Edge) -> Iterator[Problem]:
    named = {"edge.issuer": edge.issuer} | {
        f"surfaces.{name}.tls": row.tls for name, row in surfaces.present().items()
    }
    for path in (path for path, value in named.items() if value and edge.gateway):
        yield Problem(
            path=path,
            found="a certificate that edge.gateway would ignore",
            allowed="certificates of the Gateway's own listener",
            remedy=f"remove {path}, and name the certificate in the Gateway's listener",
        )


@rule
def protected_hosts_have_certificates(
    surfaces: Surfaces, edge: Edge, protection: Protection
) -> Iterator[Problem]:
    if not protection.enabled or edge.issuer:
        return
    for name, row in surfaces.present().items():
        # A Gateway's listener names the certificates, not its routes.
        if row.tls is None and not edge.gateway:
            yield Problem(
                path=f"surfaces.{name}.tls",
                found="nothing, so the controller's default certificate would serve the host",
                allowed="surfaces.*.tls or edge.issuer under protection",
                remedy=f"set edge.issuer, or surfaces.{name}.tls.secretName to a kubernetes.io/tls Secret, "
                f"or surfaces.{name}.tls: {{atEdge: true}} where a load balancer has the certificate",
            )


@rule
def ui_knows_its_backend(surfaces: Surfaces, frontend: Frontend) -> Iterator[Problem]:
    if surfaces.app and not surfaces.api and not frontend.backend_url:
        yield Problem(
            path="surfaces.app",
            found="a web UI without surfaces.api and without frontend.backendUrl",
            allowed="surfaces.api, from whose host the UI's BACKEND_URL is derived, or frontend.backendUrl",
            remedy="add surfaces.api, or set frontend.backendUrl, e.g. http://skillflaw-backend:7860",
        )


@rule
def ui_names_the_service_whole(namespace: Namespace, frontend: Frontend) -> Iterator[Problem]:
    url = (frontend.backend_url or "").removesuffix("/")
    host = url.partition("://")[2].partition(":")[0]
    names = [BACKEND, *(f"{BACKEND}.{namespace.name}{end}" for end in SERVICE_ENDS)]
    ours = [f"http://{name}:7860" for name in names]
    # A plain origin that begins like the Service is taken for the Service, which speaks no TLS.
    if (url.startswith(f"http://{BACKEND}") or host in names) and url not in ours:
        yield Problem(
            path="frontend.backendUrl",
            found=f"{url}, which only begins like the stack's own Service",
            allowed=f"{', '.join(ours)}, or an https origin",
            remedy=f"write {ours[0]}",
        )


@rule
def protected_docs_are_meant(surfaces: Surfaces, protection: Protection) -> Iterator[Problem]:
    if protection.enabled and surfaces.docs and not surfaces.docs.public:
        yield Problem(
            path="surfaces.docs.public",
            found="documentation on a public host, not said to be meant",
            allowed="public: true under protection",
            remedy="write surfaces.docs.public: true, or remove surfaces.docs",
        )


@rule
def annotations_are_the_edges_own(
    edge: Edge, surfaces: Surfaces, protection: Protection
) -> Iterator[Problem]:
    given = {"edge.annotations": edge.annotations}
    for name, row in surfaces.present().items():
        given[f"surfaces.{name}.annotations"] = row.annotations
        given[f"surfaces.{name}.serviceAnnotations"] = row.service_annotations
    for path, annotations in given.items():
        yield from annotation_problems(path, annotations, protected=protection.enabled)
