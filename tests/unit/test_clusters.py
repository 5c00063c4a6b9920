"""The network of common clusters, as docs/clusters.md writes it down: what must pass passes, and nothing more."""

import re
from dataclasses import dataclass
from typing import Any, get_args

import pytest
import yaml

from components.controllers import ANNOTATIONS
from settings.sections import CONTROLLERS, Controller
from tests.stack_files import filled_in
from tests.unit.evaluator import Address, Endpoint, Pod, passes
from tests.unit.recorder import ROOT, Program, run

PAGE = (ROOT / "docs" / "clusters.md").read_text()


def anchor(heading: str) -> str:
    """A heading as a link to it is spelled."""
    return re.sub(r"[^-a-z0-9]", "", heading.lower().replace(" ", "-"))


FRAGMENTS: dict[str, dict[str, Any]] = {
    anchor(heading): yaml.safe_load(fragment)
    for heading, fragment in re.findall(
        r"^## (.+?)$(?:(?!^## ).)*?^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Endpoints of a cluster, as they are there."""

    edge: list[Endpoint]
    """Whoever carries public requests."""
    near: list[Endpoint]
    """Neighbours of those, which carry none."""
    dns: list[Endpoint]
    """Whoever answers names."""
    database: Endpoint
    cache: Endpoint


KUBE_DNS, NODE_CACHE = Pod("kube-system", {"k8s-app": "kube-dns"}), Address("169.254.20.10")
GOOGLE = [Address("130.211.2.9"), Address("35.191.8.9")]
CNPG = Pod("databases", {"cnpg.io/cluster": "skillflaw", "role": "primary"})
ROUTER = "ingresscontroller.operator.openshift.io/deployment-ingresscontroller"

CLUSTERS = {
    "eks-with-an-alb": Cluster(
        edge=[Address("10.0.0.200"), Address("10.0.1.7")],
        near=[
            Address("10.0.2.7"),
            Pod("kube-system", {"app.kubernetes.io/name": "aws-load-balancer-controller"}),
        ],
        dns=[KUBE_DNS, NODE_CACHE],
        database=Address("10.0.33.9"),
        cache=Address("10.0.40.9"),
    ),
    "eks-with-an-ingress-controller": Cluster(
        edge=[Pod("traefik", {"app.kubernetes.io/name": "traefik", "helm.sh/chart": "traefik-37"})],
        near=[Pod("traefik", {"app.kubernetes.io/name": "other"}), Address("10.0.0.200")],
        dns=[KUBE_DNS, NODE_CACHE],
        database=Address("10.0.33.9"),
        cache=Address("10.0.40.9"),
    ),
    "gke-with-a-gateway": Cluster(
        edge=GOOGLE,
        near=[Pod("gateways", {}), Address("35.190.0.1")],
        dns=[KUBE_DNS, NODE_CACHE, Pod("kube-system", {"k8s-app": "node-local-dns"})],
        database=Address("10.60.0.3"),
        cache=Address("10.60.0.4"),
    ),
    "gke-with-an-ingress": Cluster(
        edge=GOOGLE,
        near=[Pod("kube-system", {"k8s-app": "glbc"}), Address("35.190.0.1")],
        dns=[KUBE_DNS, NODE_CACHE, Pod("kube-system", {"k8s-app": "node-local-dns"})],
        database=Address("10.60.0.3"),
        cache=Address("10.60.0.4"),
    ),
    "gke-autopilot": Cluster(
        edge=GOOGLE,
        near=[Pod("gateways", {}), Address("35.190.0.1")],
        dns=[NODE_CACHE, Address("169.254.169.254"), Pod("kube-system", {"k8s-app": "node-local-dns"})],
        database=Address("10.60.0.3"),
        cache=Address("10.60.0.4"),
    ),
    "aks": Cluster(
        edge=[Pod("app-routing-system", {"app": "nginx"})],
        near=[Pod("app-routing-system", {"app": "external-dns"}), Address("168.63.129.16")],
        dns=[KUBE_DNS, Address("169.254.10.10"), Address("169.254.10.11")],
        database=Address("10.224.8.4"),
        cache=Address("10.224.8.5"),
    ),
    "openshift": Cluster(
        edge=[Pod("openshift-ingress", {ROUTER: "default"})],
        near=[Pod("openshift-ingress", {ROUTER: "internal"}), Pod("openshift-console", {})],
        dns=[Pod("openshift-dns", {"dns.operator.openshift.io/daemonset-dns": "default"})],
        database=Address("10.20.3.4"),
        cache=Address("10.20.3.5"),
    ),
    "k3s": Cluster(
        edge=[Pod("kube-system", {"app.kubernetes.io/name": "traefik"})],
        near=[KUBE_DNS, Pod("kube-system", {"app": "local-path-provisioner"})],
        dns=[KUBE_DNS],
        database=Address("192.168.20.4"),
        cache=Address("192.168.20.5"),
    ),
    "kind": Cluster(
        edge=[Pod("traefik", {"app.kubernetes.io/name": "traefik"})],
        near=[Pod("databases", {})],
        dns=[KUBE_DNS],
        database=CNPG,
        cache=Pod("databases", {"app.kubernetes.io/name": "redis"}),
    ),
    "a-database-that-cloudnativepg-runs": Cluster(
        edge=[Pod("traefik", {"app.kubernetes.io/name": "traefik"})],
        near=[Pod("cnpg-system", {"app.kubernetes.io/name": "cloudnative-pg"}), Address("10.0.0.4")],
        dns=[KUBE_DNS, NODE_CACHE],
        database=Pod("skillflaw", {"cnpg.io/cluster": "database"}),
        cache=Address("192.168.20.5"),
    ),
    "an-ingress-controller-on-the-nodes-network": Cluster(
        edge=[Address("192.168.10.11"), Address("192.168.10.12"), Address("fd00:20::1:2")],
        near=[Pod("ingress", {"app.kubernetes.io/name": "haproxy"}), Address("192.168.10.13")],
        dns=[KUBE_DNS, NODE_CACHE],
        database=Address("192.168.20.4"),
        cache=Address("192.168.20.5"),
    ),
    "ipv6": Cluster(
        edge=[Pod("traefik", {"app.kubernetes.io/name": "traefik"}), Address("fd00:10::7")],
        near=[Address("fd00:11::7"), Pod("kube-system", {"k8s-app": "kube-dns"})],
        dns=[KUBE_DNS, Address("fd00:169::53")],
        database=Address("fd00:20::5"),
        cache=Address("fd00:20::6"),
    ),
}
STRANGERS = [Pod("elsewhere", {}), Pod("skillflaw", {}), Address("10.99.1.2"), Address("198.51.100.1")]
METADATA = [Address("169.254.169.254"), Address("fd00:ec2::254")]
PORTS = {"backend": 7860, "frontend": 80, "bootstrap": 7860}
TRIED = (53, 80, 443, 5353, 5432, 6379, 7860, 8080, 8089)


def pod_of(part: str) -> Pod:
    return Pod("skillflaw", {"app.kubernetes.io/name": "skillflaw", "app.kubernetes.io/component": part})


@pytest.fixture(scope="module", params=CLUSTERS)
def cluster(request) -> tuple[Cluster, Program]:
    stack = filled_in("prod") | FRAGMENTS[request.param]
    if "cloudNativePg" in stack["database"]:
        stack["images"] = stack["images"] | {"postgres": "postgres:17.2", "restic": "restic:0.17.3"}
        stack["backup"] = {"schedule": "0 3 * * *"}
    return CLUSTERS[request.param], run(stack)


def reach(program: Program, source: Endpoint, target: Endpoint, protocol: str = "TCP") -> set[int]:
    policies = [declared.inputs for declared in program.of("NetworkPolicy")]
    return {port for port in TRIED if passes(policies, source, target, port, protocol)}


def test_every_fragment_of_the_page_is_judged_and_named_in_its_table():
    named = dict(re.findall(r"^\| \[.+\]\(#(.+)\) \| `test_clusters\.py -k (.+)` \|$", PAGE, re.MULTILINE))
    assert named == {name: name for name in FRAGMENTS}
    assert FRAGMENTS.keys() == CLUSTERS.keys()


@pytest.mark.parametrize("name", [name for name, row in FRAGMENTS.items() if "ingress" in row["edge"]])
def test_every_fragment_names_its_controller_or_the_one_that_its_class_is_known_for(name):
    ingress = FRAGMENTS[name]["edge"]["ingress"]
    assert ingress["controller"] == CONTROLLERS.get(ingress["className"], ingress["controller"])


def test_the_page_says_what_is_written_for_every_controller():
    annotations, _, _ = PAGE.partition("### A pod that does not answer")
    rows = dict(re.findall(r"^\| `([-\w]+)` \| (.+?) \|", annotations, re.MULTILINE))
    assert rows.keys() == set(get_args(Controller))
    for name, said in rows.items():
        assert said.startswith("nothing") == (not ANNOTATIONS[name](300)), name


def test_the_edge_reaches_what_is_public_on_its_port_alone(cluster):
    here, program = cluster
    for carrier in here.edge:
        heard = {part: reach(program, carrier, pod_of(part)) for part in PORTS}
        assert heard == {"backend": {7860}, "frontend": {80}, "bootstrap": set()}, carrier


def test_neighbours_of_the_edge_and_strangers_reach_nothing(cluster):
    here, program = cluster
    for stranger in (*here.near, *STRANGERS):
        assert not any(reach(program, stranger, pod_of(part)) for part in PORTS), stranger


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_every_part_resolves_names(cluster, protocol):
    here, program = cluster
    for resolver in here.dns:
        for part in PORTS:
            assert reach(program, pod_of(part), resolver, protocol) == {53, 5353}, (part, resolver)


def test_state_is_reached_by_those_who_use_it(cluster):
    here, program = cluster
    for part in ("backend", "bootstrap"):
        assert 5432 in reach(program, pod_of(part), here.database), part
        assert 6379 in reach(program, pod_of(part), here.cache), part
    assert not reach(program, pod_of("frontend"), here.database) & {5432, 6379}


def test_metadata_answers_no_part_but_with_names(cluster):
    here, program = cluster
    for metadata in METADATA:
        for part in PORTS:
            assert reach(program, pod_of(part), metadata) <= ({53, 5353} if metadata in here.dns else set())


def test_certificates_are_issued_wherever_an_issuer_is_asked(cluster):
    here, program = cluster
    solver = Pod("skillflaw", {"acme.cert-manager.io/http01-solver": "true"})
    asked = any(
        "cert-manager.io/cluster-issuer" in route.inputs["metadata"]["annotations"]
        for route in program.of("Ingress")
    )
    for carrier in here.edge:
        assert reach(program, carrier, solver) == ({8089} if asked else set())
