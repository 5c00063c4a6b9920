"""What must hold between sections: one function per rule, each with the remedy in its words.

A rule's parameters are the sections it needs; the loader runs it whenever those parsed. Besides sections
there are `kubeconfig` (the text of the one that the stack carries, or None), `live` (what the running stack has exported as
`frozen`) and `autonaming` (Pulumi's own key of that name).
"""

from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any

from detection.images import from_registry, full_name, is_fixed
from detection.secrets import is_plain
from settings.addresses import is_internet, reaches_metadata
from settings.annotations import annotation_problems
from settings.autonaming import autonaming_problems
from settings.environment import env_problems, prefix_problems, secret_env_problems
from settings.frozen import MIGRATIONS, UNKNOWN, frozen
from settings.kubeconfig import kubeconfig_problems
from settings.pods import pods_problems
from settings.problems import Problem
from settings.schedules import longest_wait, runs_per_day
from settings.sections import (
    Backend,
    Backup,
    Bootstrap,
    Cache,
    CacheAddress,
    Cluster,
    Database,
    DatabaseAddress,
    Docs,
    Edge,
    Frontend,
    Identity,
    Images,
    InClusterCache,
    InClusterDatabase,
    Namespace,
    Network,
    Peer,
    Pods,
    Protection,
    SecretKey,
    Storage,
    Surfaces,
)
from settings.values import PLATFORM, amount

RULES: dict[Callable[..., Iterator[Problem]], frozenset[str]] = {}
"""Every rule, and the sections it needs."""

BACKEND = "skillflaw-backend"
SERVICE_ENDS = ("", ".svc", ".svc.cluster.local")
"""The backend's Service, and how cluster DNS completes the name of one in a namespace."""

DATA_CLAIM = "skillflaw-backend-data"
CLAIMS = frozenset({DATA_CLAIM, "postgresql-data", "skillflaw-backups"})
"""Claims that the stack itself makes."""


def rule(check: Callable[..., Iterator[Problem]]) -> Callable[..., Iterator[Problem]]:
    """Registers a rule with the loader."""
    RULES[check] = frozenset(signature(check).parameters)
    return check


# --- exposure ----------------------------------------------------------------------------------


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
def exposed_surfaces_have_images(surfaces: Surfaces, images: Images) -> Iterator[Problem]:
    for surface, image in (("app", "frontend"), ("docs", "docs")):
        if getattr(surfaces, surface) and getattr(images, image) is None:
            yield _missing_image(image, f"surfaces.{surface}")


@rule
def in_cluster_state_has_images(
    database: Database, cache: Cache, backup: Backup, images: Images
) -> Iterator[Problem]:
    if backup.schedule and database.external and images.postgres is None:
        yield _missing_image("postgres", "backup.schedule")
    if database.in_cluster and images.postgres is None:
        yield _missing_image("postgres", "database.inCluster")
    if cache.in_cluster and images.redis is None:
        yield _missing_image("redis", "cache.inCluster")


def _missing_image(image: str, needed_by: str) -> Problem:
    return Problem(
        path=f"images.{image}",
        found=f"nothing, but {needed_by} needs it",
        allowed="an image by tag or digest",
        remedy=f"set images.{image}, or remove {needed_by}",
    )


# --- more than one replica ---------------------------------------------------------------------


@rule
def replicas_share_a_volume(backend: Backend, storage: Storage) -> Iterator[Problem]:
    if backend.scale.most > 1 and storage.mode != "ReadWriteMany":
        yield Problem(
            path="backend.scale",
            found=f"up to {backend.scale.most} replicas on a {storage.mode} volume",
            allowed="several replicas on a ReadWriteMany volume, or one replica",
            remedy="set storage.accessMode to ReadWriteMany, or backend.scale to {replicas: 1}",
        )


@rule
def replicas_share_a_cache(backend: Backend, cache: Cache) -> Iterator[Problem]:
    if backend.scale.most > 1 and cache.none:
        yield Problem(
            path="cache.none",
            found=f"no shared cache for up to {backend.scale.most} replicas",
            allowed="cache.inCluster or cache.external with several replicas",
            remedy="choose cache.inCluster or cache.external, or set backend.scale to {replicas: 1}",
        )


@rule
def replicas_under_protection_use_an_external_database(
    backend: Backend, database: Database, protection: Protection
) -> Iterator[Problem]:
    if protection.enabled and backend.scale.most > 1 and database.in_cluster:
        yield Problem(
            path="database.inCluster",
            found=f"one database pod behind up to {backend.scale.most} protected replicas",
            allowed="database.external when a protected backend has several replicas",
            remedy="externalize state first: choose database.external, or backend.scale {replicas: 1}",
        )


@rule
def scale_is_a_range(backend: Backend) -> Iterator[Problem]:
    fewest = getattr(backend.scale, "min", 1)
    if fewest > backend.scale.most:
        yield Problem(
            path="backend.scale.max",
            found=f"max {backend.scale.most} below min {fewest}",
            allowed="min <= max",
            remedy=f"raise backend.scale.max to {fewest} or more",
        )


@rule
def connections_fit_the_server(backend: Backend, database: Database) -> Iterator[Problem]:
    # A rollout doubles the pods: those that leave keep their connections through their grace
    # period and do not count against maxSurge. 14 = bootstrap 4, pg_dump 2, exporter 3, people 5.
    pods = 2 * backend.scale.most + 1
    each = database.pool_size + database.max_overflow
    needed, usable = pods * each + 14, database.max_connections - 3
    if needed > usable:
        fit = (usable - 14) // pods
        yield Problem(
            path="database.poolSize",
            found=f"{pods} pods in a rollout x {each} connections + 14 = {needed}, of {usable} usable",
            allowed="(2 x replicas + 1) x (poolSize + maxOverflow) + 14 <= maxConnections - 3",
            remedy=(f"lower poolSize + maxOverflow to {fit}, or " if fit > 0 else "")
            + f"set database.maxConnections to {needed + 3} if the server allows them",
        )


# --- protection --------------------------------------------------------------------------------


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
def protected_images_are_pinned(images: Images, protection: Protection) -> Iterator[Problem]:
    for name in ("backend", "frontend", "docs", "redis"):
        reference = getattr(images, name)
        if protection.enabled and reference and not is_fixed(reference):
            yield _moving_image(name, reference, "1.8.4")


@rule
def databases_are_pinned(images: Images) -> Iterator[Problem]:
    # A tag that moves brings another major version over the data as soon as a pod starts again.
    if images.postgres and not is_fixed(images.postgres, database=True):
        yield _moving_image("postgres", images.postgres, "16.4")


def _moving_image(name: str, reference: str, release: str) -> Problem:
    bare, _, tag = reference.rpartition("/")[2].partition(":")
    bare = reference.removesuffix(f":{tag}") if tag else reference
    return Problem(
        path=f"images.{name}",
        found=f"{reference}, which names whatever was pushed last",
        allowed=f"NAME@sha256:DIGEST (preferred), or the tag of a patch release such as {release}",
        remedy="fill in the digest: "
        f"`docker buildx imagetools inspect {bare}:{tag or 'TAG'} --format '{{{{.Manifest.Digest}}}}'` "
        f"prints it, then write {bare}@sha256:…",
    )


@rule
def images_come_from_known_registries(images: Images) -> Iterator[Problem]:
    for name in ("backend", "frontend", "docs", "postgres", "redis"):
        reference = getattr(images, name)
        if reference and not from_registry(reference, images.registries):
            yield Problem(
                path=f"images.{name}",
                found=f"{full_name(reference)}, an image from elsewhere",
                allowed=f"images of {', '.join(images.registries)}",
                remedy=f"use an image of those, or add {full_name(reference).rpartition('/')[0]} to images.registries",
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
def protected_databases_have_backups(
    database: Database, backup: Backup, protection: Protection
) -> Iterator[Problem]:
    if protection.enabled and database.in_cluster and not backup.schedule:
        yield Problem(
            path="backup.schedule",
            found="nothing, so the only copy of the database is its own volume",
            allowed="a cron schedule when a protected database runs in the cluster",
            remedy='write backup.schedule, e.g. "0 3 * * *", or choose database.external',
        )


@rule
def protected_databases_are_encrypted_on_the_way(
    database: Database, protection: Protection
) -> Iterator[Problem]:
    at = database.external
    if protection.enabled and isinstance(at, DatabaseAddress) and at.ssl_mode == "disable":
        yield Problem(
            path="database.external.sslMode",
            found="disable: passwords and data travel readable",
            allowed="require, verify-ca or verify-full under protection",
            remedy="write database.external.sslMode: require, or better verify-full",
        )


@rule
def protected_backups_are_due(backup: Backup, protection: Protection) -> Iterator[Problem]:
    if not protection.enabled or not backup.schedule:
        return
    wait = longest_wait(backup.schedule)
    if wait is None or wait > 31:
        yield Problem(
            path="backup.schedule",
            found="a schedule that is never due" if wait is None else f"a schedule with waits of {wait} days",
            allowed="a backup at least every 31 days under protection",
            remedy='write backup.schedule, e.g. "0 3 * * *"',
        )
    if (runs := runs_per_day(backup.schedule)) > backup.keep:
        yield Problem(
            path="backup.keep",
            found=f"{backup.keep}, with {runs} backups a day: the oldest is younger than a day",
            allowed="backups that reach back a day or more, under protection",
            remedy=(f"raise backup.keep to {runs} or more, or " if runs <= 1000 else "")
            + "back up less often",
        )


# --- the backend's own -------------------------------------------------------------------------


@rule
def env_weakens_nothing(backend: Backend, protection: Protection) -> Iterator[Problem]:
    yield from env_problems(backend.env, protected=protection.enabled)


@rule
def secrets_exchange_no_settings(backend: Backend, protection: Protection) -> Iterator[Problem]:
    yield from secret_env_problems(backend.secret_env, backend.env, protected=protection.enabled)
    for number, row in enumerate(backend.secret_env_from):
        yield from prefix_problems(f"backend.secretEnvFrom[{number}].prefix", row.prefix)


@rule
def account_annotations_are_the_clouds(backend: Backend) -> Iterator[Problem]:
    yield from annotation_problems(
        "backend.serviceAccount.annotations", backend.service_account.annotations, protected=False
    )


@rule
def annotations_are_the_edges_own(
    edge: Edge, surfaces: Surfaces, protection: Protection
) -> Iterator[Problem]:
    given = {"edge.annotations": edge.annotations} | {
        f"surfaces.{name}.annotations": row.annotations for name, row in surfaces.present().items()
    }
    for path, annotations in given.items():
        yield from annotation_problems(path, annotations, protected=protection.enabled)


@rule
def pods_are_asked_what_kubernetes_takes(
    pods: Pods,
    backend: Backend,
    bootstrap: Bootstrap,
    frontend: Frontend,
    docs: Docs,
    database: Database,
    cache: Cache,
    backup: Backup,
) -> Iterator[Problem]:
    yield from pods_problems("pods", pods)
    workloads = {
        "backend": backend,
        "bootstrap": bootstrap,
        "frontend": frontend,
        "docs": docs,
        "database.inCluster": database.in_cluster,
        "cache.inCluster": cache.in_cluster,
        "backup": backup,
    }
    for path, workload in workloads.items():
        if workload:
            yield from pods_problems(f"{path}.pods", workload.pods)


@rule
def users_and_groups_are_assigned_together(
    backend: Backend, frontend: Frontend, docs: Docs, database: Database, cache: Cache
) -> Iterator[Problem]:
    workloads: dict[str, Identity | None] = {
        "backend": backend,
        "frontend": frontend,
        "docs": docs,
        "database.inCluster": database.in_cluster,
        "cache.inCluster": cache.in_cluster,
    }
    for path, workload in workloads.items():
        if workload and workload.uid == PLATFORM and workload.gid not in (PLATFORM, Identity().gid):
            yield Problem(
                path=f"{path}.gid",
                found=f"{workload.gid}, next to a user that the platform assigns",
                allowed=f"{PLATFORM}, or nothing",
                remedy=f"remove {path}.gid, or write {path}.uid as a number",
            )


@rule
def requests_stay_within_limits(
    backend: Backend,
    bootstrap: Bootstrap,
    frontend: Frontend,
    docs: Docs,
    database: Database,
    cache: Cache,
    backup: Backup,
) -> Iterator[Problem]:
    workloads: dict[
        str, Backend | Bootstrap | Frontend | Docs | Backup | InClusterDatabase | InClusterCache
    ] = {
        "backend": backend,
        "bootstrap": bootstrap,
        "frontend": frontend,
        "docs": docs,
        "backup": backup,
    }
    if database.in_cluster:
        workloads["database.inCluster"] = database.in_cluster
    if cache.in_cluster:
        workloads["cache.inCluster"] = cache.in_cluster
    for path, workload in workloads.items():
        requests, limits = workload.resources.requests, workload.resources.limits
        for field in requests.__struct_fields__:
            asked, limit = getattr(requests, field), getattr(limits, field)
            if amount(asked) > amount(limit):
                key = field.replace("_", "-")
                yield Problem(
                    path=f"{path}.resources.requests.{key}",
                    found=f"a request of {asked} above the limit of {limit}",
                    allowed="requests <= limits",
                    remedy=f"lower the request, or raise {path}.resources.limits.{key}",
                )


# --- the life of the data ----------------------------------------------------------------------


@rule
def frozen_choices_stay(
    cluster: Cluster,
    namespace: Namespace,
    images: Images,
    storage: Storage,
    database: Database,
    backend: Backend,
    protection: Protection,
    live: dict[str, str],
) -> Iterator[Problem]:
    now = frozen(cluster, namespace, images, storage, database, backend)
    # Where a database changes places, what only the in-cluster one has is no change of its own.
    kept = "database" not in live or live["database"] == now["database"]
    for path, was in live.items():
        unchanged = now.get(path, was) == was
        if unchanged and path in protection.migrating:
            yield Problem(
                path="protection.migrating",
                found=f"{path}, which does not change",
                allowed="choices that this run changes",
                remedy=f"remove {path}: the migration is over, or was not begun",
            )
        if unchanged or path in protection.migrating or UNKNOWN in (was, now[path]):
            continue
        if kept or not path.startswith("database."):
            yield Problem(
                path=path,
                found=f"{now[path]}, where the running stack has {was}",
                allowed=f"{was}, or a migration",
                remedy=f"{MIGRATIONS[path]}; then add {path} to protection.migrating for one run",
            )


@rule
def migrations_are_known(protection: Protection) -> Iterator[Problem]:
    for path in protection.migrating:
        if path not in MIGRATIONS:
            yield Problem(
                path="protection.migrating",
                found=f"{path if is_plain(path) else 'a text'}, which no migration is about",
                allowed=", ".join(MIGRATIONS),
                remedy="remove it",
            )


@rule
def names_keep_what_is_random(autonaming: Any) -> Iterator[Problem]:
    yield from autonaming_problems(autonaming)


# --- references --------------------------------------------------------------------------------


@rule
def cache_password_is_whole(cache: Cache) -> Iterator[Problem]:
    at = cache.external
    if not isinstance(at, CacheAddress):
        return
    given = {"secretName": at.secret_name, "passwordKey": at.password_key}
    lacking = [key for key, value in given.items() if value is None]
    if len(lacking) == 1 or (lacking and at.version):
        known = [key for key in (*given, "version") if key not in lacking and (key in given or at.version)]
        yield Problem(
            path=f"cache.external.{lacking[0]}",
            found=f"nothing, next to {' and '.join(known)}",
            allowed="secretName and passwordKey, or neither for a Redis without a password",
            remedy=f"set {' and '.join(lacking)}, or remove {' and '.join(known)}",
        )


@rule
def existing_key_has_a_version(secret_key: SecretKey) -> Iterator[Problem]:
    if secret_key.existing and secret_key.existing.version is None:
        yield Problem(
            path="secretKey.existing.version",
            found="nothing, so a new key in the same Secret would reach no pod",
            allowed="any word that changes with the key",
            remedy="write a version, e.g. the date the key was made",
        )


@rule
def existing_claim_says_what_it_allows(storage: Storage) -> Iterator[Problem]:
    if storage.existing_claim and storage.access_mode is None:
        yield Problem(
            path="storage.accessMode",
            found=f"nothing about the existing claim {storage.existing_claim}",
            allowed="ReadWriteMany (shared) or ReadWriteOnce",
            remedy="write the access mode the claim really has",
        )


@rule
def files_have_a_volume_of_their_own(storage: Storage) -> Iterator[Problem]:
    # Its own name is free while the claim is somebody's: guides name it alike.
    if storage.existing_claim in CLAIMS - {DATA_CLAIM}:
        yield Problem(
            path="storage.existingClaim",
            found=f"{storage.existing_claim}, a claim of the stack's database or backups",
            allowed="a claim of its own: a restore empties it",
            remedy="name another claim, or remove storage.existingClaim and the stack makes one",
        )


@rule
def backups_have_a_volume_of_their_own(backup: Backup, storage: Storage) -> Iterator[Problem]:
    if backup.existing_claim and backup.existing_claim in CLAIMS | {storage.existing_claim}:
        yield Problem(
            path="backup.existingClaim",
            found=f"{backup.existing_claim}, a claim that is the stack's own",
            allowed="a claim of its own: one lost volume must not take the backups with it",
            remedy="name another claim, or remove backup.existingClaim and the stack makes one",
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


@rule
def policies_know_the_edge(surfaces: Surfaces, network: Network) -> Iterator[Problem]:
    if network.policies and surfaces.present() and not network.edge:
        yield Problem(
            path="network.edge",
            found="nothing, with closed network policies, behind which no public request reaches a pod",
            allowed="the peers that carry public requests: {namespace, labels} of pods, {cidr} of addresses",
            remedy="write network.edge, e.g. [{namespace: traefik}]; docs/clusters.md has it for each kind of cluster",
        )


@rule
def peers_have_an_effect(surfaces: Surfaces, network: Network) -> Iterator[Problem]:
    usual = Network()
    for key, peers in network.peers().items():
        if not network.policies and peers != getattr(usual, key):
            yield Problem(
                path=f"network.{key}",
                found="peers, without the network policies that would let them through",
                allowed="peers with network.policies: true",
                remedy=f"remove network.{key}, or network.policies",
            )
    if network.policies and network.edge and not surfaces.present():
        yield Problem(
            path="network.edge",
            found="peers that carry public requests, and no surface to carry them to",
            allowed="network.edge next to a surface",
            remedy="add a row of surfaces, or write network.callers for clients inside the cluster",
        )


@rule
def labels_are_of_pods(network: Network) -> Iterator[Problem]:
    for path, peer in _peers(network):
        if peer.labels and peer.cidr:
            yield Problem(
                path=f"{path}.labels",
                found="labels of a range of addresses",
                allowed="labels next to namespace: they select pods",
                remedy="remove labels, or write the namespace of the pods instead of cidr",
            )


@rule
def peers_are_named(network: Network) -> Iterator[Problem]:
    for path, peer in _peers(network):
        if peer.cidr and is_internet(peer.cidr) and not reaches_metadata(peer.cidr):
            yield _wide(path, peer.cidr, "which is a piece of the internet and no network of somebody")


@rule
def peers_keep_out_of_metadata(network: Network) -> Iterator[Problem]:
    for path, peer in _peers(network):
        # A node's own cache of names, and the resolver of a cloud, answer at link-local addresses.
        resolver = path.startswith("network.dns") and peer.cidr and _is_address(peer.cidr)
        if peer.cidr and not resolver and reaches_metadata(peer.cidr):
            yield _wide(
                path, peer.cidr, "which holds addresses that answer with the machine's own credentials"
            )


def _peers(network: Network) -> Iterator[tuple[str, Peer]]:
    """Every peer and its path."""
    for key, peers in network.peers().items():
        for number, peer in enumerate(peers):
            yield f"network.{key}[{number}]", peer


def _is_address(cidr: str) -> bool:
    return cidr.endswith("/128" if ":" in cidr else "/32")


def _wide(path: str, cidr: str, found: str) -> Problem:
    return Problem(
        path=f"{path}.cidr",
        found=f"{cidr}, {found}",
        allowed="ranges without loopback, link-local and the clouds' metadata addresses, "
        "from /8 (IPv4) or /16 (IPv6) on",
        remedy="write the ranges of your own services, e.g. 10.20.0.0/16 or fd00:20::/64; "
        "the backend reaches the web on 80 and 443 already",
    )


@rule
def external_state_is_reachable(database: Database, cache: Cache, network: Network) -> Iterator[Problem]:
    far = [name for name, at in (("database", database), ("cache", cache)) if at.external]
    if network.policies and far and not network.egress:
        yield Problem(
            path="network.egress",
            found=f"an external {' and '.join(far)} behind policies that open only ports 80 and 443 outside",
            allowed="the peers and ports of state that others run",
            remedy="write network.egress, e.g. [{cidr: 10.20.0.0/16, ports: [5432, 6379]}], or "
            "[{namespace: databases, ports: [5432]}] for pods of this cluster; docs/clusters.md says which",
        )


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
