"""The Gateway API renders the same census as Ingress does."""

from tests.stack_files import stack_file
from tests.unit.recorder import Program, run

GATEWAY = {"name": "public", "namespace": "traefik", "listener": "websecure"}


def routed(**edge) -> Program:
    return run(stack_file("lab") | {"edge": {"gateway": GATEWAY} | edge})


def census(program: Program) -> dict[str, set[tuple[str, str, int]]]:
    """Host to (path, service, port), whichever kind of object says it."""
    hosts: dict[str, set] = {}
    for route in program.of("HTTPRoute"):
        (host,) = route.inputs["spec"]["hostnames"]
        for rule in route.inputs["spec"]["rules"]:
            for match in rule.get("matches", ()):
                (target,) = rule["backendRefs"]
                kind = {"PathPrefix": "Prefix", "Exact": "Exact"}[match["path"]["type"]]
                hosts.setdefault(host, set()).add(
                    (kind, match["path"]["value"], target["name"], target["port"])
                )
    for ingress in program.of("Ingress"):
        (rule,) = ingress.inputs["spec"]["rules"]
        for path in rule["http"]["paths"]:
            service = path["backend"]["service"]
            hosts.setdefault(rule["host"], set()).add(
                (path["pathType"], path["path"], service["name"], service["port"]["number"])
            )
    return hosts


def test_both_renderers_say_the_same():
    assert census(routed()) == census(run(stack_file("lab")))
    assert len(census(routed())) == 3


def test_routes_attach_to_the_listener_that_terminates_tls():
    program = routed()
    assert not program.of("Ingress")
    for route in program.of("HTTPRoute"):
        assert route.inputs["spec"]["parentRefs"] == [
            {"name": "public", "namespace": "traefik", "sectionName": "websecure"}
        ]


def test_a_plain_listener_redirects_every_host():
    program = routed(gateway=GATEWAY | {"redirectListener": "web"})
    redirects = [route for route in program.of("HTTPRoute") if route.name.endswith("-redirect")]
    assert len(redirects) == 3
    for route in redirects:
        assert route.inputs["spec"]["parentRefs"][0]["sectionName"] == "web"
        (rule,) = route.inputs["spec"]["rules"]
        assert "backendRefs" not in rule
        assert rule["filters"][0]["requestRedirect"]["scheme"] == "https"


def test_routes_outlast_the_longest_flow():
    program = run(stack_file("lab") | {"edge": {"gateway": GATEWAY}, "backend": {"longestFlowSeconds": 120}})
    for route in program.of("HTTPRoute"):
        for rule in route.inputs["spec"]["rules"]:
            assert rule["timeouts"] == {"request": "135s", "backendRequest": "135s"}


def test_an_implementation_that_rejects_timeouts_gets_none():
    program = routed(gateway=GATEWAY | {"timeouts": False})
    rules = [rule for route in program.of("HTTPRoute") for rule in route.inputs["spec"]["rules"]]
    assert rules
    assert all("timeouts" not in rule for rule in rules)


def test_annotations_of_a_host_are_on_its_route_alone():
    surfaces = stack_file("lab")["surfaces"]
    surfaces["app"]["annotations"] = {"some/annotation": "of the web UI"}
    program = run(stack_file("lab") | {"surfaces": surfaces, "edge": {"gateway": GATEWAY}})
    annotated = {
        route.name
        for route in program.of("HTTPRoute")
        if "some/annotation" in route.inputs["metadata"].get("annotations", {})
    }
    assert annotated == {"edge-app"}


def test_acceptance_is_awaited_only_when_asked():
    def waits(program: Program) -> set[bool]:
        return {
            "pulumi.com/waitFor" in route.inputs["metadata"].get("annotations", {})
            for route in program.of("HTTPRoute")
        }

    assert waits(routed()) == {False}
    assert waits(routed(awaitAddress=True)) == {True}
