"""Arguments of each component: sections of the stack file translated into argument classes.

The one place that knows both; settings know no component, and components know no settings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import reduce
from typing import Any, TypeVar, cast

import msgspec
import pulumi

from components import cache as redis
from components import database as postgresql
from components import names
from components.alerts import Watched
from components.archive import ArchiveArgs
from components.backend import Autoscaling, BackendArgs
from components.backup import BackupArgs, RepositoryClaim
from components.bootstrap import BootstrapArgs
from components.cache import InClusterCacheArgs
from components.connections import connections, is_backend
from components.database import InClusterDatabaseArgs
from components.edge import Path, Route, Target, all_paths, api_paths, app_paths
from components.frontend import FrontendArgs
from components.gateway import GatewayEdgeArgs
from components.ingress import IngressEdgeArgs
from components.login import Login
from components.logins import LoginsArgs
from components.monitoring import MonitoringArgs, Rules, Scrape
from components.namespace import NamespaceArgs
from components.network import Destination, NetworkArgs, Peer
from components.object_store import ObjectStore
from components.operated_database import OperatedDatabaseArgs, Recovery
from components.pods import Identity, Pods, Resources, Toleration, Workload
from components.protection import ProtectionArgs
from components.references import Image, SecretKeyRef, State
from components.runtime import Pool, Probes, Runtime, RuntimeArgs, SecretEnvFrom
from components.secret_key import SecretKeyArgs
from components.storage import Storage, StorageArgs
from components.superuser import Superuser, SuperuserArgs
from components.trust import Trust
from components.web import WebArgs
from settings import sections
from settings.live import Live
from settings.schedules import longest_wait
from settings.sections import Settings
from settings.values import amount

Namespace = pulumi.Input[str]
DATABASE_VERSION = "database.inCluster.passwordVersion"
CACHE_VERSION = "cache.inCluster.passwordVersion"
SUPERUSER_VERSION = "superuser.passwordVersion"
T = TypeVar("T")


def namespace(settings: Settings, live: Live) -> NamespaceArgs:
    return NamespaceArgs(
        name=settings.namespace.name,
        owner=live.stack,
        create=settings.namespace.create,
        protect=settings.protection.enabled,
    )


def secret_key(settings: Settings, namespace: Namespace, live: Live) -> SecretKeyArgs:
    own, key = settings.secret_key.generated, settings.secret_key.existing
    newest = live.key_generation if key else max(own.generation, live.key_generation)
    generations = range(live.keys_given_up + 1, newest + 1)
    before = key.previous if key else None
    named = before and before.generation if key else own.generation
    return SecretKeyArgs(
        namespace=namespace,
        existing=_reference(key) if key else None,
        previous=SecretKeyRef(name=before.secret_name, key=before.key)
        if before and before.secret_name and before.key
        else None,
        generation=own.generation,
        generations=generations,
        # An existing key takes the place of the one that is named, and of no other.
        old_generations=[
            generation
            for generation in generations
            if generation > own.give_up and (generation == named) == bool(key)
        ],
        given_up=[generation for generation in generations if generation <= own.give_up],
        protect=settings.protection.enabled,
    )


def key_rotations(settings: Settings, live: Live, *, rotates: bool) -> int:
    """How often the key was rotated after this run, which rotates it where there are old ones and another is in use."""
    changed = live.secret_key not in (None, settings.secret_key.in_words)
    return live.key_rotations + (rotates and changed)


def password_versions(settings: Settings, live: Live) -> tuple[str, ...]:
    """Paths of the stack file that name a version of a password, or did: the one of before them counts no more."""
    named = {path for path, version in _password_versions(settings).items() if version is not None}
    return tuple(sorted({*named, *live.password_versions}))


def _password_versions(settings: Settings) -> dict[str, str | None]:
    database, cache = settings.database.in_cluster, settings.cache.in_cluster
    return {
        DATABASE_VERSION: database.password_version if database else None,
        CACHE_VERSION: cache.password_version if cache else None,
        SUPERUSER_VERSION: settings.superuser.password_version,
    }


def _password_version(settings: Settings, live: Live, path: str) -> str | None:
    """The version of a password; a file that names none any more asks for another one like any other word."""
    version = _password_versions(settings)[path]
    return "" if version is None and path in live.password_versions else version


def superuser(settings: Settings, namespace: Namespace, live: Live) -> SuperuserArgs:
    own = settings.superuser
    return SuperuserArgs(
        namespace=namespace,
        username=own.username,
        password=_reference(own.password) if own.password else None,
        password_version=_password_version(settings, live, SUPERUSER_VERSION),
        protect=settings.protection.enabled,
    )


def storage(settings: Settings, namespace: Namespace) -> StorageArgs:
    own = settings.storage
    return StorageArgs(
        namespace=namespace,
        size=own.size,
        class_name=own.class_name,
        access_mode=own.mode,
        existing_claim=own.existing_claim,
        protect=settings.protection.enabled,
    )


def database(
    settings: Settings, namespace: Namespace, live: Live
) -> InClusterDatabaseArgs | OperatedDatabaseArgs | State:
    """Arguments of a database in the cluster, or a reference to an external one."""
    own, operated = settings.database.in_cluster, settings.database.cloud_native_pg
    if operated:
        return OperatedDatabaseArgs(
            workload=Workload(
                namespace=namespace,
                image=_image(settings, settings.images.postgres),
                identity=Identity(uid=operated.uid, gid=operated.gid),
                resources=_resources(operated.resources),
                pods=_pods(settings.pods, operated.pods),
            ),
            major=operated.major,
            instances=operated.instances,
            size=operated.size,
            wal_size=operated.wal_size,
            class_name=operated.class_name,
            synchronous=operated.durability,
            parameters=settings.database.parameters,
            password_version=operated.password_version,
            archive=_archive(settings, operated.object_store) if operated.object_store else None,
            recovery=_recovery(operated.recovery) if operated.recovery else None,
            protect=settings.protection.enabled,
        )
    if not own:
        external = cast(sections.ExternalDatabase | sections.DatabaseAddress, settings.database.external)
        return _external_database(external)
    return InClusterDatabaseArgs(
        workload=_workload(settings, namespace, settings.images.postgres, own, _resources(own.resources)),
        size=own.size,
        class_name=own.class_name,
        existing_claim=own.existing_claim,
        max_connections=settings.database.max_connections,
        password_version=_password_version(settings, live, DATABASE_VERSION),
        protect=settings.protection.enabled,
    )


def cache(settings: Settings, namespace: Namespace, live: Live) -> InClusterCacheArgs | State | None:
    """Arguments of the in-cluster cache, or a reference to an external one, or None for none."""
    own = settings.cache.in_cluster
    if not own:
        return _external_cache(settings.cache.external) if settings.cache.external else None
    return InClusterCacheArgs(
        workload=_workload(
            settings,
            namespace,
            settings.images.redis,
            own,
            Resources(
                requests=msgspec.to_builtins(own.resources.requests) | {"memory": own.memory},
                limits=msgspec.to_builtins(own.resources.limits) | {"memory": own.memory},
            ),
        ),
        # The rest is for buffers, fragmentation and Redis itself.
        max_memory=int(amount(own.memory) * 75 / 100),
        password_version=_password_version(settings, live, CACHE_VERSION),
    )


def runtime(
    settings: Settings,
    namespace: Namespace,
    *,
    storage: Storage,
    secret_key: SecretKeyRef,
    old_keys: Mapping[str, SecretKeyRef],
    database: State,
    cache: State | None,
    superuser: Superuser,
) -> RuntimeArgs:
    own = settings.backend
    browsers = settings.surfaces.app or settings.surfaces.api
    return RuntimeArgs(
        workload=_workload(
            settings,
            namespace,
            settings.images.backend,
            own,
            _resources(own.resources),
            read_only_root=own.read_only_root,
        ),
        storage=storage,
        secret_key=secret_key,
        old_keys=old_keys,
        database=database,
        cache=cache,
        superuser=superuser,
        guard_resources=_resources(settings.bootstrap.resources),
        pool=Pool(size=settings.database.pool_size, overflow=settings.database.max_overflow),
        # Without a public host only a port-forward on the operator's machine is left.
        origins=(f"https://{browsers.host}" if browsers else "http://localhost:7860",),
        probes=Probes(**msgspec.structs.asdict(own.probes)),
        longest_flow_seconds=own.longest_flow_seconds,
        records=settings.records,
        metrics=settings.monitoring.metrics is not None,
        env=own.env,
        secret_env={name: _reference(row) for name, row in own.secret_env.items()},
        secret_env_from=tuple(
            SecretEnvFrom(name=row.secret_name, prefix=row.prefix, version=row.version)
            for row in own.secret_env_from
        ),
        secret_files={name: _reference(row) for name, row in own.secret_files.items()},
    )


def logins(
    settings: Settings, namespace: Namespace, known: Sequence[Login], *, after: Sequence[pulumi.Resource]
) -> LoginsArgs | None:
    own = settings.bootstrap
    if not known:
        return None
    return LoginsArgs(
        workload=_workload(
            settings, namespace, settings.images.backend, settings.backend, _resources(own.resources)
        ),
        logins=known,
        after=after,
    )


def bootstrap(settings: Settings, runtime: Runtime, *, after: Sequence[pulumi.Resource]) -> BootstrapArgs:
    own = settings.bootstrap
    return BootstrapArgs(
        runtime=runtime,
        after=after,
        accept_loss=settings.secret_key.accept_loss,
        pods=_pods(settings.pods, settings.backend.pods, own.pods),
    )


def backend(
    settings: Settings, runtime: Runtime, *, bootstrap: pulumi.Resource, key_rotations: int
) -> BackendArgs:
    own = settings.backend
    return BackendArgs(
        runtime=runtime,
        bootstrap=bootstrap,
        scale=Autoscaling(
            min_replicas=own.scale.min, max_replicas=own.scale.max, cpu_percent=own.scale.cpu_percent
        )
        if isinstance(own.scale, sections.AutoScale)
        else own.scale.replicas,
        pre_stop_seconds=own.pre_stop_seconds,
        key_rotations=key_rotations,
        account_annotations=own.service_account.annotations,
        service_annotations=_service_annotations(settings.surfaces.api or settings.surfaces.app),
    )


def backup(
    settings: Settings,
    namespace: Namespace,
    live: Live,
    *,
    storage: Storage,
    database: State,
    after: Sequence[pulumi.Resource],
    before_rotation: int,
) -> BackupArgs | None:
    """Arguments of the backups, or None when the stack file schedules none."""
    own, images = settings.backup, settings.images
    if not own.schedule:
        return None
    return BackupArgs(
        workload=_workload(
            settings, namespace, images.postgres, settings.backend, _resources(own.resources), pods=own.pods
        ),
        restic=_image(settings, images.restic),
        storage=storage,
        database=State(url=_reference(own.database_url)) if own.database_url else database,
        identity=live.stack,
        images={"backend": images.backend, "postgres": _ruled(images.postgres)},
        schedule=own.schedule,
        keep=own.keep,
        to=_repository(own.to),
        password=_reference(own.password) if own.password else None,
        after=after,
        before_rotation=before_rotation,
        protect=settings.protection.enabled,
    )


def _repository(section: sections.BackupTarget | None) -> RepositoryClaim | ObjectStore:
    store = section.object_store if section else None
    if store:
        return _object_store(store, version=store.version)
    own = (section.claim if section else None) or sections.BackupClaim()
    return RepositoryClaim(size=own.size, class_name=own.class_name, existing_claim=own.existing_claim)


def _object_store(
    section: sections.ObjectStore | sections.ArchiveStore, *, version: str | None = None
) -> ObjectStore:
    return ObjectStore(
        endpoint=section.endpoint,
        bucket=section.bucket,
        prefix=section.prefix,
        region=section.region,
        access_key=SecretKeyRef(name=section.secret_name, key="AWS_ACCESS_KEY_ID", version=version),
        secret_key=SecretKeyRef(name=section.secret_name, key="AWS_SECRET_ACCESS_KEY", version=version),
    )


def _archive(settings: Settings, section: sections.ArchiveStore) -> ArchiveArgs:
    return ArchiveArgs(
        store=_object_store(section),
        retention=section.retention,
        schedule=section.schedule,
        trust=_trust(settings),
    )


def _recovery(section: sections.Recovery) -> Recovery:
    return Recovery(generation=section.generation, source=section.restored, target_time=section.target_time)


def frontend(settings: Settings, namespace: Namespace) -> FrontendArgs | None:
    """Arguments of the web UI, or None when no surface shows it."""
    own = settings.frontend
    if not settings.surfaces.app:
        return None
    return FrontendArgs(
        workload=_workload(
            settings,
            namespace,
            settings.images.frontend,
            own,
            _resources(own.resources),
            read_only_root=own.read_only_root,
        ),
        replicas=own.replicas,
        port=own.port,
        service_annotations=_service_annotations(settings.surfaces.app),
        backend_url=_backend_url(settings),
    )


def docs(settings: Settings, namespace: Namespace) -> WebArgs | None:
    """Arguments of the documentation, or None when no surface shows it."""
    own = settings.docs
    if not settings.surfaces.docs:
        return None
    return WebArgs(
        workload=_workload(
            settings,
            namespace,
            settings.images.docs,
            own,
            _resources(own.resources),
            read_only_root=own.read_only_root,
        ),
        replicas=own.replicas,
        port=own.port,
        service_annotations=_service_annotations(settings.surfaces.docs),
    )


def edge(
    settings: Settings, namespace: Namespace, runtime: Runtime, targets: Sequence[Target]
) -> IngressEdgeArgs | GatewayEdgeArgs | None:
    """Arguments of the public routes, or None when nothing is public."""
    surfaces, own = settings.surfaces, settings.edge
    if not surfaces.present():
        return None
    by_component = {target.component: target for target in targets}
    backend = by_component[names.BACKEND]
    paths: dict[str, tuple[Path, ...]] = {}
    if surfaces.api:
        paths["api"] = api_paths(surfaces.api.allow, backend)
    if surfaces.app:
        paths["app"] = app_paths(by_component[names.FRONTEND], backend)
    if surfaces.docs:
        paths["docs"] = all_paths(by_component[names.DOCS])
    routes = {
        name: Route(
            host=row.host,
            paths=paths[name],
            tls_secret=row.tls.secret_name if row.tls else None,
            tls_at_edge=bool(row.tls and row.tls.at_edge),
            annotations=row.annotations,
        )
        for name, row in surfaces.present().items()
    }
    if own.ingress:
        return IngressEdgeArgs(
            namespace=namespace,
            routes=routes,
            annotations=own.annotations,
            await_address=own.await_address,
            longest_flow_seconds=runtime.longest_flow_seconds,
            class_name=own.ingress.class_name,
            controller=_ruled(own.ingress.served_by),
            issuer=own.issuer,
        )
    gateway = _ruled(own.gateway)
    return GatewayEdgeArgs(
        namespace=namespace,
        routes=routes,
        annotations=own.annotations,
        await_address=own.await_address,
        longest_flow_seconds=runtime.longest_flow_seconds,
        gateway=gateway.name,
        gateway_namespace=gateway.namespace,
        listener=gateway.listener,
        redirect_listener=gateway.redirect_listener,
        timeouts=gateway.timeouts,
    )


def network(
    settings: Settings,
    namespace: Namespace,
    targets: Sequence[Target],
    *,
    public: Sequence[str],
    logins: bool,
) -> NetworkArgs | None:
    """Arguments of the network policies, or None when the stack file leaves the network open.

    `public` holds the components that routes lead to; `logins` is whether servers learn any.
    """
    own = settings.network
    if not own.policies:
        return None
    ports: dict[str, int | None] = {target.component: target.port for target in targets}
    ports[names.BOOTSTRAP] = None
    if logins:
        ports[names.LOGINS] = None
    if settings.backup.schedule:
        ports[names.BACKUP] = None
    if settings.database.in_cluster:
        ports[names.DATABASE] = names.DATABASE_PORT
    operated = settings.database.cloud_native_pg
    if operated:
        ports[names.CLUSTER] = names.DATABASE_PORT
    if settings.cache.in_cluster:
        ports[names.CACHE] = names.CACHE_PORT
    return NetworkArgs(
        namespace=namespace,
        ports=ports,
        connections=connections(
            ports,
            public=public,
            proxy_inside=is_backend(_backend_url(settings), settings.namespace.name),
            object_store=bool(settings.backup.to and settings.backup.to.object_store),
            archive=bool(operated and operated.object_store),
            metrics=settings.monitoring.metrics is not None,
        ),
        close_namespace=settings.namespace.create,
        edge=_peers(own.edge),
        dns=_peers(own.dns),
        callers=_peers(own.callers),
        monitoring=_peers(own.monitoring),
        egress=_destinations(own.egress),
        operator=_peers(own.operator),
        # Earlier ones live on until somebody deletes them, and their operator and standbys need the network.
        clusters=[names.cluster(number) for number in range(operated.generation if operated else 1, 0, -1)],
        api_server=_destinations(own.api_server),
        acme=bool(_issued(settings)),
    )


def _peers(rows: Sequence[sections.Peer]) -> tuple[Peer, ...]:
    return tuple(map(_peer, rows))


def _destinations(rows: Sequence[sections.Egress]) -> tuple[Destination, ...]:
    return tuple(Destination(peer=_peer(row), ports=row.ports) for row in rows)


def _peer(row: sections.Peer) -> Peer:
    return Peer(namespace=row.namespace, labels=row.labels, cidr=row.cidr)


def _issued(settings: Settings) -> list[str]:
    """Surfaces for whose hosts an issuer makes the certificate."""
    issues = settings.edge.ingress and settings.edge.issuer
    return [name for name, row in settings.surfaces.present().items() if issues and row.tls is None]


def monitoring(
    settings: Settings, namespace: Namespace, targets: Sequence[Target], *, public: Sequence[str]
) -> MonitoringArgs | None:
    """Arguments of what Prometheus and Grafana are given, or None when the stack file asks for nothing.

    `public` holds the components that routes lead to.
    """
    own, operated = settings.monitoring, settings.database.cloud_native_pg
    if not (own.metrics or own.rules or own.dashboard):
        return None
    return MonitoringArgs(
        namespace=namespace,
        scrape=Scrape(
            interval=own.metrics.interval,
            labels=own.metrics.labels,
            cluster=names.cluster(operated.generation) if operated else None,
        )
        if own.metrics
        else None,
        rules=Rules(labels=own.rules.labels, watched=_watched(settings, own.rules, targets, public))
        if own.rules
        else None,
        dashboard_labels=own.dashboard.labels if own.dashboard else None,
    )


def _watched(
    settings: Settings, rules: sections.AlertingRules, targets: Sequence[Target], public: Sequence[str]
) -> Watched:
    edge, api, backup = settings.edge.ingress, settings.surfaces.api, settings.backup
    operated = settings.database.cloud_native_pg
    return Watched(
        public=[target for target in targets if target.component in public],
        deployments=[
            *(target.service for target in targets),
            *([names.CACHE] if settings.cache.in_cluster else []),
        ],
        controller=edge.served_by or "none" if edge else "none",
        flows=bool(api and "run" in api.allow),
        latency_seconds=rules.latency_seconds,
        stateful_sets=[names.DATABASE] if settings.database.in_cluster else [],
        instances=operated.instances if operated else 0,
        archived=bool(operated and operated.object_store),
        scraped=settings.monitoring.metrics is not None,
        claims=list(_claims(settings)),
        backup_wait_days=longest_wait(backup.schedule) if backup.schedule else None,
        certificates=[names.certificate(surface) for surface in _issued(settings)],
    )


def _claims(settings: Settings) -> Iterator[str]:
    """Names of the claims that pods of the stack write to, as regular expressions."""
    own, backup = settings.database.in_cluster, settings.backup
    yield settings.storage.existing_claim or names.BACKEND_CLAIM
    if own:
        yield own.existing_claim or names.DATABASE_CLAIM
    if settings.database.cloud_native_pg:
        yield f"{names.INSTANCES}(-wal)?"
    if backup.schedule and not (backup.to and backup.to.object_store):
        yield backup.existing_claim or names.BACKUP_CLAIM


def protection(settings: Settings, everything: Sequence[pulumi.Resource]) -> ProtectionArgs:
    return ProtectionArgs(everything=everything, enabled=settings.protection.enabled)


def _backend_url(settings: Settings) -> str:
    """Origin that the web UI proxies to, if there is a web UI."""
    api = settings.surfaces.api
    return settings.frontend.backend_url or (f"https://{api.host}/" if api else "")


def _service_annotations(surface: sections.Surface | None) -> Mapping[str, str]:
    return surface.service_annotations if surface else {}


def _workload(
    settings: Settings,
    namespace: Namespace,
    image: str | None,
    identity: sections.Identity,
    resources: Resources,
    *,
    pods: sections.WorkloadPods | None = None,
    read_only_root: bool = True,
) -> Workload:
    return Workload(
        namespace=namespace,
        image=_image(settings, image),
        identity=_identity(identity),
        resources=resources,
        pods=_pods(settings.pods, pods or identity.pods),
        trust=_trust(settings),
        read_only_root=read_only_root,
    )


def _trust(settings: Settings) -> Trust | None:
    given = settings.pods.trust
    return Trust(**msgspec.structs.asdict(given)) if given else None


def _resources(section: sections.Resources) -> Resources:
    return Resources(**msgspec.to_builtins(section))


def _pods(*asked: sections.OperatedPods) -> Pods:
    """Everything that is asked of pods: each section adds to those before, and decides what they decide too."""
    merged = {key.name: reduce(_added, (_asked(row, key.name) for row in asked)) for key in fields(Pods)}
    tolerations = tuple(Toleration(**msgspec.structs.asdict(row)) for row in merged["tolerations"])
    return Pods(**merged | {"tolerations": tolerations})


def _asked(pods: sections.OperatedPods, key: str) -> Any:
    """What a section asks; one about an operator's pods asks for no RuntimeClass."""
    return getattr(pods, key, None)


def _added(before: Any, more: Any) -> Any:
    if isinstance(more, dict):
        return before | more
    return tuple(dict.fromkeys([*before, *more])) if isinstance(more, tuple) else more or before


def _image(settings: Settings, reference: str | None) -> Image:
    images = settings.images
    return Image(
        reference=_ruled(reference),
        pull_policy=images.pull_policy,
        pull_deadline_seconds=images.pull_deadline_seconds,
    )


def _identity(section: sections.Identity) -> Identity:
    uid, gid = section.uid, section.gid
    # A group of its own would be refused where the platform assigns user and group from ranges.
    return Identity(
        uid=uid if isinstance(uid, int) else None,
        gid=gid if isinstance(uid, int) and isinstance(gid, int) else None,
    )


def _external_database(section: sections.ExternalDatabase | sections.DatabaseAddress) -> State:
    if isinstance(section, sections.ExternalDatabase):
        return State(url=_reference(section))
    return postgresql.external_database(
        section.host,
        section.port,
        section.name,
        user=_key(section, section.user_key),
        password=_key(section, section.password_key),
        ssl_mode=section.ssl_mode,
    )


def _external_cache(section: sections.ExternalCache | sections.CacheAddress) -> State:
    if isinstance(section, sections.ExternalCache):
        return State(url=_reference(section))
    return redis.external_cache(
        section.host,
        section.port,
        password=_key(section, section.password_key) if section.password_key else None,
    )


def _reference(section: sections.SecretRef) -> SecretKeyRef:
    return _key(section, section.key)


def _key(
    section: sections.SecretRef | sections.DatabaseAddress | sections.CacheAddress,
    key: str,
) -> SecretKeyRef:
    return SecretKeyRef(name=_ruled(section.secret_name), key=key, version=section.version)


def _ruled(value: T | None) -> T:
    """A value that the stack file must have by a rule between sections, which its type cannot say."""
    return cast(T, value)
