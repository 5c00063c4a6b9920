"""What each component is told: sections of the stack file translated into argument classes.

The one place that knows both; settings know no component, and components know no settings.
"""

import msgspec
import pulumi

from components import backup as backup_part
from components import cache as cache_part
from components import database as database_part
from components.backend import Autoscaling, BackendArgs, Probes
from components.backup import BackupArgs
from components.bootstrap import BootstrapArgs
from components.cache import InClusterCacheArgs
from components.database import InClusterDatabaseArgs
from components.edge import Route, Target, all_paths, api_paths, app_paths
from components.frontend import FrontendArgs
from components.gateway import GatewayEdgeArgs
from components.ingress import IngressEdgeArgs
from components.namespace import NamespaceArgs
from components.network import NetworkArgs, Pair, Range
from components.pods import Identity, Resources
from components.protection import ProtectionArgs
from components.references import Image, SecretKeyRef, State
from components.runtime import Pool, Runtime, RuntimeArgs
from components.secret_key import SecretKeyArgs
from components.storage import StorageArgs
from components.superuser import SuperuserArgs
from components.web import WebArgs
from settings import sections
from settings.load import Live
from settings.sections import Settings, amount

Namespace = pulumi.Input[str]


def namespace(settings: Settings) -> NamespaceArgs:
    return NamespaceArgs(
        name=settings.namespace.name,
        create=settings.namespace.create,
        protect=settings.protection.enabled,
    )


def secret_key(settings: Settings, namespace: Namespace, live: Live) -> SecretKeyArgs:
    existing = _reference(settings.secret_key.existing)
    return SecretKeyArgs(
        namespace=namespace,
        existing=existing,
        generate=existing is None or live.generated_key,
        protect=settings.protection.enabled,
    )


def superuser(settings: Settings, namespace: Namespace) -> SuperuserArgs:
    return SuperuserArgs(
        namespace=namespace,
        username=settings.superuser.username,
        password=_reference(settings.superuser.password),
        protect=settings.protection.enabled,
    )


def database(settings: Settings, namespace: Namespace) -> InClusterDatabaseArgs | None:
    """Arguments of the in-cluster database, or None when others run it."""
    own = settings.database.in_cluster
    return own and InClusterDatabaseArgs(
        namespace=namespace,
        image=_image(settings, "postgres"),
        identity=_identity(own),
        resources=_resources(own.resources),
        size=own.size,
        class_name=own.class_name,
        max_connections=settings.database.max_connections,
        protect=settings.protection.enabled,
    )


def cache(settings: Settings, namespace: Namespace) -> InClusterCacheArgs | None:
    """Arguments of the in-cluster cache, or None when others run it or there is none."""
    own = settings.cache.in_cluster
    return own and InClusterCacheArgs(
        namespace=namespace,
        image=_image(settings, "redis"),
        identity=_identity(own),
        resources=Resources(
            requests={"cpu": "50m", "memory": own.memory, "ephemeral-storage": "32Mi"},
            limits={"cpu": "1", "memory": own.memory, "ephemeral-storage": "256Mi"},
        ),
        # The rest is for buffers, fragmentation and Redis itself.
        max_memory=int(amount(own.memory) * 75 / 100),
    )


def external(section: sections.SecretRef | None) -> State | None:
    """State that others run: a reference, and nothing to wait for."""
    return section and State(url=_reference(section))


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


def runtime(
    settings: Settings,
    namespace: Namespace,
    *,
    claim_name: pulumi.Input[str],
    secret_key: SecretKeyRef,
    database: State,
    cache: State | None,
    superuser_password: SecretKeyRef,
) -> RuntimeArgs:
    key = settings.secret_key.existing
    browsers = settings.surfaces.app or settings.surfaces.api
    return RuntimeArgs(
        namespace=namespace,
        image=_image(settings, "backend"),
        identity=_identity(settings.backend),
        resources=_resources(settings.backend.resources),
        claim_name=claim_name,
        secret_key=secret_key,
        secret_key_version=key.version if key else None,
        database_url=database.url,
        pool=Pool(size=settings.database.pool_size, overflow=settings.database.max_overflow),
        redis_url=cache.url if cache else None,
        redis_address=(cache_part.PART, cache_part.PORT) if settings.cache.in_cluster else None,
        superuser=settings.superuser.username,
        superuser_password=superuser_password,
        # Without a public host only a port-forward on the operator's machine is left.
        origins=(f"https://{browsers.host}" if browsers else "http://localhost:7860",),
        longest_flow_seconds=settings.backend.longest_flow_seconds,
        env=settings.backend.env,
    )


def bootstrap(
    settings: Settings, namespace: Namespace, runtime: Runtime, *, after: list[pulumi.Resource]
) -> BootstrapArgs:
    return BootstrapArgs(
        namespace=namespace,
        image=_image(settings, "backend"),
        identity=_identity(settings.backend),
        runtime=runtime,
        startup_path=settings.backend.probes.startup,
        accept_loss=settings.secret_key.accept_loss,
        shared_volume=_shared_volume(settings),
        after=after,
    )


def backend(
    settings: Settings, namespace: Namespace, runtime: Runtime, *, bootstrap: pulumi.Resource
) -> BackendArgs:
    own = settings.backend
    return BackendArgs(
        namespace=namespace,
        image=_image(settings, "backend"),
        identity=_identity(own),
        runtime=runtime,
        scale=Autoscaling(fewest=own.scale.min, most=own.scale.max, cpu_percent=own.scale.cpu_percent)
        if isinstance(own.scale, sections.AutoScale)
        else own.scale.replicas,
        probes=Probes(**msgspec.structs.asdict(own.probes)),
        pre_stop_seconds=own.pre_stop_seconds,
        longest_flow_seconds=own.longest_flow_seconds,
        shared_volume=_shared_volume(settings),
        bootstrap=bootstrap,
    )


def backup(
    settings: Settings, namespace: Namespace, *, data_claim: pulumi.Input[str], database: State
) -> BackupArgs | None:
    """Arguments of the backups, or None when the stack file schedules none."""
    own, images = settings.backup, settings.images
    return (
        BackupArgs(
            namespace=namespace,
            image=_image(settings, "postgres"),
            identity=_identity(settings.backend),
            resources=_resources(own.resources),
            schedule=own.schedule,
            keep=own.keep,
            size=own.size,
            class_name=own.class_name,
            existing_claim=own.existing_claim,
            data_claim=data_claim,
            shared_volume=_shared_volume(settings),
            database_url=database.url,
            images=[images.backend, images.postgres],
            protect=settings.protection.enabled,
        )
        if own.schedule
        else None
    )


def frontend(settings: Settings, namespace: Namespace) -> FrontendArgs | None:
    """Arguments of the web UI, or None when no surface shows it."""
    api = settings.surfaces.api
    return settings.surfaces.app and FrontendArgs(
        **_web(settings, namespace, "frontend"),
        backend_url=settings.frontend.backend_url or f"https://{api.host}/",
    )


def docs(settings: Settings, namespace: Namespace) -> WebArgs | None:
    """Arguments of the documentation, or None when no surface shows it."""
    return settings.surfaces.docs and WebArgs(**_web(settings, namespace, "docs"))


def edge(
    settings: Settings, namespace: Namespace, targets: dict[str, Target]
) -> IngressEdgeArgs | GatewayEdgeArgs | None:
    """Arguments of the public routes, or None when nothing is public."""
    surfaces, own = settings.surfaces, settings.edge
    paths = {
        "api": lambda: api_paths(surfaces.api.allow, targets["backend"]),
        "app": lambda: app_paths(targets["frontend"], targets["backend"]),
        "docs": lambda: all_paths(targets["docs"]),
    }
    common = {
        "namespace": namespace,
        "routes": {
            name: Route(host=row.host, paths=paths[name](), tls_secret=row.tls and row.tls.secret_name)
            for name, row in surfaces.present().items()
        },
        "annotations": own.annotations,
        "await_address": own.await_address,
        "longest_flow_seconds": settings.backend.longest_flow_seconds,
    }
    if not common["routes"]:
        return None
    if own.ingress:
        return IngressEdgeArgs(**common, class_name=own.ingress.class_name, issuer=own.issuer)
    return GatewayEdgeArgs(
        **common,
        gateway=own.gateway.name,
        gateway_namespace=own.gateway.namespace,
        listener=own.gateway.listener,
        redirect_listener=own.gateway.redirect_listener,
    )


def network(settings: Settings, namespace: Namespace, targets: dict[str, Target]) -> NetworkArgs | None:
    """Arguments of the network policies, or None when the stack file leaves the network open."""
    own, surfaces = settings.network, settings.surfaces
    state = {
        database_part.PART: database_part.PORT if settings.database.in_cluster else None,
        cache_part.PART: cache_part.PORT if settings.cache.in_cluster else None,
    }
    state = {part: port for part, port in state.items() if port}
    callers = ("backend", "bootstrap")
    pairs = [
        Pair(source=caller, target=part, port=port) for caller in callers for part, port in state.items()
    ]
    copier = (backup_part.PART,) if settings.backup.schedule else ()
    pairs += [
        Pair(source=caller, target=database_part.PART, port=database_part.PORT)
        for caller in copier
        if settings.database.in_cluster
    ]
    # A UI that proxies inside the cluster talks to the backend, any other to the public host.
    inside = (settings.frontend.backend_url or "").startswith(f"http://{targets['backend'].service}")
    if surfaces.app and inside:
        pairs.append(Pair(source="frontend", target="backend", port=targets["backend"].port))
    outward = frozenset({"frontend"} if surfaces.app and not inside else ())
    public = {"backend"} if surfaces.api or surfaces.app else set()
    public |= targets.keys() & {"frontend", "docs"}
    ranges = tuple(Range(cidr=row.cidr, ports=row.ports) for row in own.egress)
    return (
        NetworkArgs(
            namespace=namespace,
            close_namespace=settings.namespace.create,
            parts=(*targets, "bootstrap", *copier, *state),
            pairs=tuple(pairs),
            public={part: targets[part].port for part in sorted(public)},
            edge_namespace=own.edge_namespace,
            edge_callers=outward,
            internet=outward | {"backend"},
            ranges=dict.fromkeys((*callers, *copier), ranges),
        )
        if own.policies
        else None
    )


def protection(settings: Settings, parts: list[pulumi.Resource]) -> ProtectionArgs:
    return ProtectionArgs(enabled=settings.protection.enabled, everything=parts)


def _shared_volume(settings: Settings) -> bool:
    return settings.storage.mode == "ReadWriteMany"


def _image(settings: Settings, name: str) -> Image:
    images = settings.images
    return Image(
        reference=getattr(images, name),
        pull_policy=images.pull_policy,
        pull_secret=images.pull_secret,
    )


def _identity(section: sections.Identity) -> Identity:
    return Identity(uid=section.uid, gid=section.gid)


def _resources(section: sections.Resources) -> Resources:
    return Resources(**msgspec.to_builtins(section))


def _reference(section: sections.SecretRef | None) -> SecretKeyRef | None:
    return section and SecretKeyRef(name=section.secret_name, key=section.key)


def _web(settings: Settings, namespace: Namespace, name: str) -> dict[str, object]:
    own: sections.Web = getattr(settings, name)
    return {
        "namespace": namespace,
        "image": _image(settings, name),
        "identity": _identity(own),
        "resources": _resources(own.resources),
        "replicas": own.replicas,
        "port": own.port,
    }
