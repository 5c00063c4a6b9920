"""What each component is told: sections of the stack file translated into argument classes.

The one place that knows both; settings know no component, and components know no settings.
"""

import pulumi

from components.backend import Autoscaling, BackendArgs, Probes
from components.bootstrap import BootstrapArgs
from components.cache import PART as REDIS
from components.cache import PORT as REDIS_PORT
from components.cache import InClusterCacheArgs
from components.database import InClusterDatabaseArgs
from components.edge import EdgeArgs, Route, Target, api_paths, app_paths
from components.frontend import FrontendArgs
from components.namespace import NamespaceArgs
from components.pods import Identity, Resources
from components.references import Image, SecretKeyRef, State
from components.runtime import Pool, Runtime, RuntimeArgs
from components.secret_key import SecretKeyArgs
from components.storage import StorageArgs
from components.superuser import SuperuserArgs
from components.web import WebArgs
from settings import sections
from settings.sections import Settings, amount

Namespace = pulumi.Input[str]


def namespace(settings: Settings) -> NamespaceArgs:
    return NamespaceArgs(
        name=settings.namespace.name,
        create=settings.namespace.create,
        protect=settings.protection.enabled,
    )


def secret_key(settings: Settings, namespace: Namespace) -> SecretKeyArgs:
    return SecretKeyArgs(
        namespace=namespace,
        existing=_reference(settings.secret_key.existing),
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
        access_mode=own.access_mode,
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
        redis_address=(REDIS, REDIS_PORT) if settings.cache.in_cluster else None,
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
        probes=Probes(**own.probes.model_dump()),
        pre_stop_seconds=own.pre_stop_seconds,
        longest_flow_seconds=own.longest_flow_seconds,
        shared_volume=settings.storage.access_mode == "ReadWriteMany",
        bootstrap=bootstrap,
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


def edge(settings: Settings, namespace: Namespace, targets: dict[str, Target]) -> EdgeArgs | None:
    """Arguments of the public routes, or None when nothing is public."""
    surfaces = settings.surfaces
    paths = {
        "api": lambda: api_paths(surfaces.api.allow, targets["backend"]),
        "app": lambda: app_paths(targets["frontend"], targets["backend"]),
        "docs": lambda: (("Prefix", "/", targets["docs"]),),
    }
    routes = {
        name: Route(host=row.host, paths=paths[name](), tls_secret=row.tls and row.tls.secret_name)
        for name, row in surfaces.present().items()
    }
    return (
        EdgeArgs(
            namespace=namespace,
            routes=routes,
            class_name=settings.edge.ingress.class_name,
            issuer=settings.edge.issuer,
            annotations=settings.edge.annotations,
            await_address=settings.edge.await_address,
            longest_flow_seconds=settings.backend.longest_flow_seconds,
        )
        if routes
        else None
    )


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
    return Resources(**section.model_dump(by_alias=True))


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
