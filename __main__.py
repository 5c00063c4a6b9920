"""SkillFlaw on Kubernetes: settings in, components composed, outputs exported."""

import gc
import sys

# One run makes little garbage, and looking for it took a fifth of the program's own time.
gc.disable()

import pulumi
import pulumi_kubernetes as k8s

import arguments
from components.backend import Backend
from components.backup import Backup
from components.bootstrap import Bootstrap
from components.cache import InClusterCache
from components.database import InClusterDatabase
from components.docs import Docs
from components.edge import Target
from components.frontend import Frontend
from components.gateway import GatewayEdge
from components.ingress import IngressEdge
from components.namespace import Namespace
from components.network import Network
from components.protection import Protection
from components.runtime import Runtime
from components.secret_key import SecretKey
from components.storage import Storage
from components.superuser import Superuser
from settings import load
from settings.frozen import frozen
from settings.problems import SettingsError

try:
    settings, secrets, live = load()
except SettingsError as refusal:
    pulumi.log.error(str(refusal))
    # By this code the language host knows that the user has seen why; after any other it adds an error of its own.
    sys.exit(32)

cluster = k8s.Provider("cluster", context=settings.cluster.context, kubeconfig=secrets.kubeconfig)
here = pulumi.ResourceOptions(provider=cluster)

home = Namespace("namespace", arguments.namespace(settings), here)
namespace = home.name
key = SecretKey("secret-key", arguments.secret_key(settings, namespace, live), here)
superuser = Superuser("superuser", arguments.superuser(settings, namespace), here)
storage = Storage("storage", arguments.storage(settings, namespace), here)

parts = [home, key, superuser, storage]

if own_database := arguments.database(settings, namespace):
    parts.append(postgresql := InClusterDatabase("database", own_database, here))
database = postgresql.state if own_database else arguments.external(settings.database.external)
if own_cache := arguments.cache(settings, namespace):
    parts.append(redis := InClusterCache("cache", own_cache, here))
cache = redis.state if own_cache else arguments.external(settings.cache.external)

runtime = Runtime(
    "runtime",
    arguments.runtime(
        settings,
        namespace,
        claim_name=storage.claim_name,
        secret_key=key.reference,
        database=database,
        cache=cache,
        superuser_password=superuser.password,
    ),
    here,
)
state = [*database.ready, *(cache.ready if cache else ())]
bootstrap = Bootstrap("bootstrap", arguments.bootstrap(settings, namespace, runtime, after=state), here)
backend = Backend("backend", arguments.backend(settings, namespace, runtime, bootstrap=bootstrap.job), here)
parts += [runtime, bootstrap]
if copies := arguments.backup(settings, namespace, data_claim=storage.claim_name, database=database):
    parts.append(backup := Backup("backup", copies, here))

servers = {"backend": backend}
if ui := arguments.frontend(settings, namespace):
    servers["frontend"] = Frontend("frontend", ui, here)
if pages := arguments.docs(settings, namespace):
    servers["docs"] = Docs("docs", pages, here)
parts += servers.values()
targets = {name: Target(service=server.service_name, port=server.port) for name, server in servers.items()}
if routes := arguments.edge(settings, namespace, targets):
    parts.append((IngressEdge if settings.edge.ingress else GatewayEdge)("edge", routes, here))
if policies := arguments.network(settings, namespace, targets):
    parts.append(Network("network", policies, here))
Protection("protection", arguments.protection(settings, parts), here)

pulumi.export("context", settings.cluster.context)
pulumi.export("kubeconfig", secrets.kubeconfig)
pulumi.export("namespace", namespace)
for name, target in targets.items():
    pulumi.export(f"{name}Service", target.service)
pulumi.export("backendPort", backend.port)
surfaces = settings.surfaces
pulumi.export("surfaces", {name: f"https://{row.host}" for name, row in surfaces.present().items()})
pulumi.export("apiAllow", list(surfaces.api.allow) if surfaces.api else [])
pulumi.export("backupCronJob", backup.name if copies else None)
pulumi.export("superuserSecret", superuser.output())
# Read by the next run, which neither changes these by accident nor forgets a key.
pulumi.export("generatedKey", key.generated)
pulumi.export("frozen", frozen(settings.namespace, settings.storage, settings.database, settings.backend))
