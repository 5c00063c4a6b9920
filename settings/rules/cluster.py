"""The cluster and the namespace that a stack lives in."""

from collections.abc import Iterator

from settings.kubeconfig import kubeconfig_problems
from settings.problems import Problem
from settings.rules.registry import rule
from settings.sections import Cluster, Edge, Namespace, Network


@rule
def cluster_is_named(cluster: Cluster, kubeconfig: str | None) -> Iterator[Problem]:
    if kubeconfig is not None:
        yield from kubeconfig_problems(kubeconfig, cluster.context)
    elif cluster.context is None:
        yield Problem(
            path="cluster.context",
            found="nothing, and no secret kubeconfig",
            allowed="a context of the kubeconfig; the ambient one is never used",
            remedy="set cluster.context, or `pulumi config set --secret kubeconfig < FILE`",
        )


@rule
def namespace_is_the_stacks_own(namespace: Namespace, edge: Edge, network: Network) -> Iterator[Problem]:
    edges = {*(peer.namespace for peer in network.edge), edge.gateway and edge.gateway.namespace}
    taken = namespace.name == "default" or namespace.name.startswith(("kube-", "openshift-"))
    if taken or namespace.name in edges:
        yield Problem(
            path="namespace.name",
            found=f"{namespace.name}, the namespace of {'the cluster' if taken else 'the edge'} itself",
            allowed="a namespace that holds this stack alone: it is closed for every pod in it",
            remedy="choose another name, e.g. skillflaw",
        )
