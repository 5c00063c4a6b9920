"""The kubeconfig that a stack carries as a secret: whether a provider can use it. Nothing of it is ever shown."""

from collections.abc import Iterator
from typing import Any

from settings.problems import Problem


def kubeconfig_problems(text: str, context: str | None) -> Iterator[Problem]:
    """What keeps a kubeconfig from naming a cluster; with none of its own, the provider would take the ambient one."""
    found = _what_is_wrong(_parsed(text), context)
    if found:
        yield Problem(
            path="kubeconfig",
            found=found,
            allowed="a whole kubeconfig whose cluster.context, or current-context, leads to a cluster",
            remedy="pulumi config set --secret kubeconfig < FILE, after `kubectl --kubeconfig FILE get namespaces` works",
        )


def _what_is_wrong(kubeconfig: Any, context: str | None) -> str | None:
    if kubeconfig in (None, ""):
        return "a secret that is empty"
    if not isinstance(kubeconfig, dict):
        return "a secret that is no kubeconfig"
    wanted = context or kubeconfig.get("current-context")
    if not wanted:
        return "a kubeconfig without a current-context, and no cluster.context"
    chosen = _named(kubeconfig, "contexts", wanted, "context")
    if not chosen:
        return f"a kubeconfig without {'the context of cluster.context' if context else 'its own current-context'}"
    if not _named(kubeconfig, "clusters", chosen.get("cluster"), "cluster").get("server"):
        return "a kubeconfig whose context leads to no server"
    return None


def _named(kubeconfig: dict[str, Any], rows: str, name: Any, kind: str) -> dict[str, Any]:
    """The entry of a name in one of a kubeconfig's lists; empty if there is none."""
    listed = kubeconfig.get(rows)
    for row in listed if isinstance(listed, list) else ():
        if isinstance(row, dict) and row.get("name") == name and isinstance(row.get(kind), dict):
            return dict(row[kind])
    return {}


def _parsed(text: str) -> Any:
    # Only stacks that carry one pay for the import.
    import yaml  # type: ignore[import-untyped]

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
