"""A policy about databases that an operator runs: their pods are the operator's, and in no program."""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.policy import policy
from policies.resources import Resource, Stack, mapping, mappings, strings

_SPEC = frozenset(
    {
        "affinity",
        "bootstrap",
        "enablePDB",
        "enableSuperuserAccess",
        "ephemeralVolumesSizeLimit",
        "externalClusters",
        "imageCatalogRef",
        "imagePullPolicy",
        "imagePullSecrets",
        "inheritedMetadata",
        "instances",
        "managed",
        "plugins",
        "postgresGID",
        "postgresUID",
        "postgresql",
        "primaryUpdateMethod",
        "primaryUpdateStrategy",
        "priorityClassName",
        "probes",
        "resources",
        "smartShutdownTimeout",
        "stopDelay",
        "storage",
        "switchoverDelay",
        "topologySpreadConstraints",
        "walStorage",
    }
)
"""Fields by which a Cluster neither weakens its pods nor sends its data elsewhere."""
_PROBES = frozenset({"startup", "readiness"})
"""That of liveness also decides whether a primary that is cut off from its standbys stops."""
_ROLE = frozenset({"name", "login", "passwordSecret"})
_BEGINNINGS = {
    "initdb": frozenset({"database", "owner", "secret", "encoding", "dataChecksums"}),
    "recovery": frozenset({"database", "owner", "secret", "source", "recoveryTarget"}),
}
_PLUGIN = "barman-cloud.cloudnative-pg.io"
"""The one plugin, which keeps the archive in an ObjectStore of the stack."""
_PARAMETERS = frozenset({"barmanObjectName", "serverName"})
_REJECT = "hostnossl all all all reject"


@policy(
    why="Whoever reads the application's Secret must not own the server with it, and statements that run as superuser at a "
    "database's start are in no review.",
    remedy="Use the fields that `components/operated_database.py` sets; one that is needed next to them is added to "
    "`policies/operated_database.py`.",
)
def operated_database(resource: Resource, stack: Stack) -> Iterator[str]:
    """A Cluster of CloudNativePG lets roles without privileges in, by TLS and a password, and nobody else."""
    if resource.kind != "Cluster" or resource.group != "postgresql.cnpg.io":
        return
    spec = mapping(resource.at("spec"))
    for field in sorted(spec.keys() - _SPEC):
        yield f"the Cluster sets {field}"
    for probe in sorted(mapping(spec.get("probes")).keys() - _PROBES):
        yield f"the Cluster sets probes.{probe}"
    if spec.get("enableSuperuserAccess") is not False:
        yield "the Cluster has no enableSuperuserAccess: false"
    for role in mappings(resource.at("spec", "managed", "roles")):
        for field in sorted(role.keys() - _ROLE):
            yield f"the role {role.get('name')} sets {field}"
    for way, given in mapping(spec.get("bootstrap")).items():
        known = _BEGINNINGS.get(way)
        for field in sorted(mapping(given).keys() - known) if known else [""]:
            yield f"the Cluster begins by {way} {field}".rstrip()
    for plugin in mappings(spec.get("plugins")):
        yield from _plugin(plugin, {"isWALArchiver"})
    for source in mappings(spec.get("externalClusters")):
        for field in sorted(source.keys() - {"name", "plugin"}):
            yield f"the external cluster {source.get('name')} sets {field}"
        yield from _plugin(mapping(source.get("plugin")), set())
    access = strings(resource.at("spec", "postgresql", "pg_hba"))
    if _REJECT not in access or not all(
        line == _REJECT or (line.startswith("hostssl ") and line.endswith(" scram-sha-256"))
        for line in access
    ):
        yield "pg_hba lets clients in without TLS or without a password"
    for kind in ("requests", "limits"):
        for amount in ("cpu", "memory", "ephemeral-storage"):
            if amount not in mapping(resource.at("spec", "resources", kind)):
                yield f"the Cluster has no {amount} in its {kind}"


def _plugin(given: Mapping[str, Any], more: set[str]) -> Iterator[str]:
    if given.get("name") != _PLUGIN:
        yield f"the Cluster has the plugin {given.get('name')}"
    for field in sorted(given.keys() - {"name", "parameters"} - more):
        yield f"the plugin {given.get('name')} sets {field}"
    for field in sorted(mapping(given.get("parameters")).keys() - _PARAMETERS):
        yield f"the plugin {given.get('name')} sets the parameter {field}"
