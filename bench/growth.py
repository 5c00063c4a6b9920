"""How the program grows: the stack's components once, and many times over."""

import gc
import time

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
from components.ingress import IngressEdge
from components.network import Network
from components.runtime import Runtime
from components.secret_key import SecretKey
from components.storage import Storage
from components.superuser import Superuser
from settings.load import Live
from settings.sections import Settings
from tests.unit.recorder import record

NEVER_UP = Live(frozen={}, generated_key=False)


def seconds_per_copy(settings: Settings, copies: int) -> float:
    """Time to declare the components of one stack, when that many are declared in one program."""

    def program() -> None:
        gc.disable()  # as the program itself
        cluster = k8s.Provider("cluster", context="bench")
        for number in range(copies):
            _compose(settings, f"copy-{number}", pulumi.ResourceOptions(provider=cluster))

    began = time.perf_counter()
    record(program)
    return (time.perf_counter() - began) / copies


def _compose(settings: Settings, name: str, here: pulumi.ResourceOptions) -> None:
    key = SecretKey(f"{name}-key", arguments.secret_key(settings, name, NEVER_UP), here)
    superuser = Superuser(f"{name}-superuser", arguments.superuser(settings, name), here)
    storage = Storage(f"{name}-storage", arguments.storage(settings, name), here)
    database = InClusterDatabase(f"{name}-database", arguments.database(settings, name), here).state
    cache = InClusterCache(f"{name}-cache", arguments.cache(settings, name), here).state
    runtime = Runtime(
        f"{name}-runtime",
        arguments.runtime(
            settings, name, claim_name=storage.claim_name, secret_key=key.reference, database=database,
            cache=cache, superuser_password=superuser.password,
        ),
        here,
    )  # fmt: skip
    job = Bootstrap(f"{name}-bootstrap", arguments.bootstrap(settings, name, runtime, after=[]), here).job
    servers = {
        "backend": Backend(
            f"{name}-backend", arguments.backend(settings, name, runtime, bootstrap=job), here
        ),
        "frontend": Frontend(f"{name}-frontend", arguments.frontend(settings, name), here),
        "docs": Docs(f"{name}-docs", arguments.docs(settings, name), here),
    }
    copies = arguments.backup(settings, name, data_claim=storage.claim_name, database=database)
    Backup(f"{name}-backup", copies, here)
    targets = {part: Target(service=it.service_name, port=it.port) for part, it in servers.items()}
    IngressEdge(f"{name}-edge", arguments.edge(settings, name, targets), here)
    Network(f"{name}-network", arguments.network(settings, name, targets), here)
