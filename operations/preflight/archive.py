"""CloudNativePG's plugin for Barman Cloud: whether the operator finds it, and somebody answers."""

from collections.abc import Iterator

from operations.preflight.found import Found
from operations.preflight.operator import ready_pods
from operations.preflight.problem import Outcome, Problem
from operations.preflight.wanted import Wanted, name_of
from operations.review.preview import at

PLUGIN = "barman-cloud.cloudnative-pg.io"
SERVICE = f"cnpg.io/pluginName={PLUGIN}"
"""The label by which the operator finds the plugin's Service in its own namespace."""


def ready(wanted: Wanted, found: Found) -> Outcome:
    stores = wanted.of("ObjectStore")
    if not stores:
        return Outcome("Barman Cloud: no database is archived")
    return Outcome(f"Barman Cloud: plugin {PLUGIN}", tuple(_problems(name_of(stores[0]), found)))


def _problems(store: str, found: Found) -> Iterator[Problem]:
    what = f"CloudNativePG's plugin {PLUGIN}, for {store}"
    homes = {at(pod, "metadata", "namespace") for pod in ready_pods(found)}
    services = [
        each
        for each in found.items("/api/v1/services", labelSelector=SERVICE)
        if not homes or at(each, "metadata", "namespace") in homes
    ]
    if not services:
        yield Problem(
            what,
            f"no Service with the label {SERVICE} next to the operator",
            "install the plugin in the operator's namespace, with cert-manager for its two certificates",
        )
    for each in services:
        place = each["metadata"]["namespace"]
        slices = found.items(
            f"/apis/discovery.k8s.io/v1/namespaces/{place}/endpointslices",
            labelSelector=f"kubernetes.io/service-name={each['metadata']['name']}",
        )
        if not any(
            at(endpoint, "conditions", "ready") is not False
            for row in slices
            for endpoint in row.get("endpoints") or ()
        ):
            yield Problem(
                what,
                f"no pod behind the Service {each['metadata']['name']} in {place} is ready",
                f"kubectl --namespace={place} get pods, and their logs: the plugin waits for its two certificates",
            )
