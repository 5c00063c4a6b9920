"""The certificate authorities that a process trusts when it opens TLS."""

from dataclasses import dataclass

import pulumi_kubernetes as k8s

VOLUME = "trust"
# A directory, not a subPath: a subPath mount never sees an updated bundle.
DIRECTORY = "/run/trust"
FILE = f"{DIRECTORY}/ca-bundle.crt"
VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PGSSLROOTCERT",
    "NODE_EXTRA_CA_CERTS",
    "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)
"""Read by OpenSSL and Go, requests, curl, libpq, Node.js, the SDKs of AWS, and gRPC, in this order."""


@dataclass(frozen=True, kw_only=True)
class Trust:
    """A bundle of authorities in PEM form, kept in a ConfigMap or a Secret; exactly one of the names is given."""

    key: str
    """Key of the bundle."""
    config_map_name: str | None = None
    """ConfigMap that holds it."""
    secret_name: str | None = None
    """Secret that holds it."""


def variables(trust: Trust | None) -> list[k8s.core.v1.EnvVarArgs]:
    """Environment of a container that opens TLS."""
    return [k8s.core.v1.EnvVarArgs(name=name, value=FILE) for name in VARIABLES if trust]


def mounts(trust: Trust | None) -> dict[str, str]:
    """Read-only mounts of a container that opens TLS."""
    return {VOLUME: DIRECTORY} if trust else {}


def volumes(trust: Trust | None) -> list[k8s.core.v1.VolumeArgs]:
    """Volumes of a pod with such a container; every user may read them, since certificates are no secret."""
    if trust is None:
        return []
    items = [k8s.core.v1.KeyToPathArgs(key=trust.key, path=FILE.rpartition("/")[2])]
    if trust.config_map_name:
        source = k8s.core.v1.ConfigMapVolumeSourceArgs(
            name=trust.config_map_name, default_mode=0o444, items=items
        )
        return [k8s.core.v1.VolumeArgs(name=VOLUME, config_map=source)]
    secret = k8s.core.v1.SecretVolumeSourceArgs(
        secret_name=trust.secret_name, default_mode=0o444, items=items
    )
    return [k8s.core.v1.VolumeArgs(name=VOLUME, secret=secret)]
