"""SkillFlaw in a Pulumi program of your own: a backend with its state, in a namespace that nothing else uses."""

import pulumi
import pulumi_kubernetes as k8s
from skillflaw_components.backend import Backend, BackendArgs
from skillflaw_components.bootstrap import Bootstrap, BootstrapArgs
from skillflaw_components.cache import InClusterCache, InClusterCacheArgs
from skillflaw_components.database import InClusterDatabase, InClusterDatabaseArgs
from skillflaw_components.namespace import Namespace, NamespaceArgs
from skillflaw_components.pods import Workload
from skillflaw_components.references import Image
from skillflaw_components.runtime import Runtime, RuntimeArgs
from skillflaw_components.secret_key import SecretKey, SecretKeyArgs
from skillflaw_components.storage import Storage, StorageArgs
from skillflaw_components.superuser import Superuser, SuperuserArgs

images = pulumi.Config("images")
here = pulumi.ResourceOptions(provider=k8s.Provider("cluster", context="our-cluster"))
namespace = Namespace("namespace", NamespaceArgs(name="assistants"), here).name


def workload(image: str) -> Workload:
    return Workload(namespace=namespace, image=Image(reference=images.require(image)))


database = InClusterDatabase("database", InClusterDatabaseArgs(workload=workload("postgres")), here)
cache = InClusterCache("cache", InClusterCacheArgs(workload=workload("redis")), here)
runtime = Runtime(
    "runtime",
    RuntimeArgs(
        workload=workload("backend"),
        storage=Storage("storage", StorageArgs(namespace=namespace), here),
        secret_key=SecretKey("secret-key", SecretKeyArgs(namespace=namespace), here).reference,
        database=database.state,
        cache=cache.state,
        superuser=Superuser("superuser", SuperuserArgs(namespace=namespace), here),
    ),
    here,
)
ready = [*database.state.ready, *cache.state.ready]
bootstrap = Bootstrap("bootstrap", BootstrapArgs(runtime=runtime, after=ready), here)
backend = Backend("backend", BackendArgs(runtime=runtime, bootstrap=bootstrap.job), here)
pulumi.export("service", backend.target.service)
