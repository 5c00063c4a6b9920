"""The composition: which components there are, and what each one is given of another."""

from typing import TypeVar, cast

import pulumi
import pulumi_kubernetes as k8s

import arguments
from components.backend import Backend
from components.backup import Backup
from components.bootstrap import Bootstrap
from components.cache import InClusterCache, InClusterCacheArgs
from components.database import InClusterDatabase, InClusterDatabaseArgs
from components.docs import Docs
from components.frontend import Frontend
from components.gateway import GatewayEdge
from components.ingress import IngressEdge, IngressEdgeArgs
from components.labels import common_labels
from components.login import Login
from components.logins import Logins
from components.monitoring import Monitoring
from components.namespace import Namespace
from components.network import Network
from components.operated_database import OperatedDatabase, OperatedDatabaseArgs
from components.protection import Protection
from components.runtime import Runtime
from components.secret_key import SecretKey
from components.storage import Storage
from components.superuser import Superuser
from outputs import Outputs, SecretRef
from settings.frozen import frozen
from settings.live import Live
from settings.load import Secrets
from settings.sections import Settings

T = TypeVar("T")


def deploy(settings: Settings, secrets: Secrets, live: Live) -> Outputs:
    """Declares everything that a stack file asks for.

    No component stands around the components, so their URNs are those of the released versions. Values of the result
    that only the engine knows are `pulumi.Output`s.
    """
    cluster = k8s.Provider(
        "cluster",
        context=settings.cluster.context,
        # Empty and not absent: the SDK would take KUBECONFIG for the path of one file, and the state would keep it.
        kubeconfig=secrets.kubeconfig or "",
        # Fixed: the provider then replaces nothing for a changed word in a kubeconfig. Another cluster is a frozen choice.
        cluster_identifier="skillflaw",
    )
    here = pulumi.ResourceOptions(provider=cluster, transformations=[common_labels(settings.pods.labels)])

    home = Namespace("namespace", arguments.namespace(settings, live), here)
    namespace = home.name
    keys = arguments.secret_key(settings, namespace, live)
    key = SecretKey("secret-key", keys, here)
    superuser = Superuser("superuser", arguments.superuser(settings, namespace, live), here)
    storage = Storage("storage", arguments.storage(settings, namespace), here)
    everything: list[pulumi.Resource] = [home, key, superuser, storage]
    known: list[Login | None] = []

    database = arguments.database(settings, namespace, live)
    if isinstance(database, InClusterDatabaseArgs):
        everything.append(postgresql := InClusterDatabase("database", database, here))
        known.append(postgresql.login)
        database = postgresql.state
    elif isinstance(database, OperatedDatabaseArgs):
        everything.append(operated := OperatedDatabase("database", database, here))
        database = operated.state
    cache = arguments.cache(settings, namespace, live)
    if isinstance(cache, InClusterCacheArgs):
        everything.append(redis := InClusterCache("cache", cache, here))
        known.append(redis.login)
        cache = redis.state

    runtime = Runtime(
        "runtime",
        arguments.runtime(
            settings,
            namespace,
            storage=storage,
            secret_key=key.reference,
            old_keys=key.old,
            database=database,
            cache=cache,
            superuser=superuser,
        ),
        here,
    )
    ready = [*database.ready, *(cache.ready if cache else ())]
    logins = None
    if new := arguments.logins(settings, namespace, [login for login in known if login], after=ready):
        everything.append(logins := Logins("logins", new, here))
        ready += logins.ready
    rotations = arguments.key_rotations(settings, live, rotates=runtime.rotates)
    copies = arguments.backup(
        settings,
        namespace,
        live,
        storage=storage,
        database=database,
        after=ready,
        before_rotation=rotations,
    )
    if copies:
        everything.append(backup := Backup("backup", copies, here))
        ready += backup.taken
    bootstrap = Bootstrap("bootstrap", arguments.bootstrap(settings, runtime, after=ready), here)
    backend = Backend(
        "backend",
        arguments.backend(settings, runtime, bootstrap=bootstrap.job, key_rotations=rotations),
        here,
    )
    if logins:
        logins.end_those_before([backend.deployment], grace=backend.grace)
    everything += [runtime, bootstrap, backend]
    targets = [backend.target]

    if ui := arguments.frontend(settings, namespace):
        everything.append(frontend := Frontend("frontend", ui, here))
        targets.append(frontend.target)
    if pages := arguments.docs(settings, namespace):
        everything.append(docs := Docs("docs", pages, here))
        targets.append(docs.target)
    routes = arguments.edge(settings, namespace, runtime, targets)
    if isinstance(routes, IngressEdgeArgs):
        everything.append(IngressEdge("edge", routes, here))
    elif routes:
        everything.append(GatewayEdge("edge", routes, here))
    public = routes.public if routes else ()
    if policies := arguments.network(settings, namespace, targets, public=public, logins=logins is not None):
        everything.append(Network("network", policies, here))
    if watch := arguments.monitoring(settings, namespace, targets, public=public):
        everything.append(Monitoring("monitoring", watch, here))
    protection = Protection("protection", arguments.protection(settings, everything), here)

    surfaces, given_up = settings.surfaces, settings.secret_key.generated.give_up
    return Outputs(
        context=settings.cluster.context,
        kubeconfig=_known_later(secrets.kubeconfig) if secrets.kubeconfig else None,
        namespace=_known_later(pulumi.Output.from_input(namespace)),
        backend_service=backend.target.service,
        frontend_service=frontend.target.service if ui else None,
        docs_service=docs.target.service if pages else None,
        backend_port=backend.target.port,
        surfaces={name: f"https://{row.host}" for name, row in surfaces.present().items()},
        api_allow=surfaces.api.allow if surfaces.api else (),
        backup_cron_job=_known_later(backup.name) if copies else None,
        backup_password=SecretRef(
            name=_known_later(pulumi.Output.from_input(backup.password.name)),
            password_key=backup.password.key,
        )
        if copies
        else None,
        superuser_secret=SecretRef(
            name=_known_later(pulumi.Output.from_input(superuser.password.name)),
            password_key=superuser.password.key,
            username_key=superuser.username_key,
        ),
        # The next run compares with these, so a run that failed leaves those of the run before.
        generated_key=_known_later(protection.once_complete(bool(keys.generations))),
        secret_key=_known_later(protection.once_complete(settings.secret_key.in_words)),
        key_generation=max(keys.generations, default=None),
        keys_given_up=_known_later(protection.once_complete(given_up)) if given_up else None,
        key_rotations=_known_later(protection.once_complete(rotations)) if rotations else None,
        password_versions=arguments.password_versions(settings, live) or None,
        frozen=_known_later(
            protection.once_complete(
                frozen(
                    settings.cluster,
                    settings.namespace,
                    settings.images,
                    settings.storage,
                    settings.database,
                    settings.backend,
                    settings.superuser,
                )
            )
        ),
    )


def _known_later(value: pulumi.Output[T]) -> T:
    """The value as a reader of the outputs sees it, once the engine has put it in the place of its `Output`."""
    return cast(T, value)
