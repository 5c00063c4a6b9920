"""Argument classes default to what a stack file defaults to, so that a library's user need not type it again."""

from typing import Any

import arguments
from components import backup, cache, database, runtime, web
from components.backend import Autoscaling, BackendArgs
from components.backup import BackupArgs
from components.bootstrap import BootstrapArgs
from components.cache import InClusterCacheArgs
from components.database import InClusterDatabaseArgs
from components.frontend import FrontendArgs
from components.namespace import NamespaceArgs
from components.pods import Resources, Workload
from components.protection import ProtectionArgs
from components.references import Image, SecretKeyRef, State
from components.runtime import RuntimeArgs
from components.secret_key import SecretKeyArgs
from components.storage import StorageArgs
from components.superuser import SuperuserArgs
from components.web import WebArgs
from settings import sections
from settings.live import Live

IMAGES = {name: f"some/{name}" for name in ("backend", "frontend", "docs", "postgres", "redis", "restic")}
URL = State(url=SecretKeyRef(name="some-secret", key="url"))
ANY: Any = object()


def settings(**given: sections.Section) -> sections.Settings:
    """A stack file that says no more than it must."""
    return sections.Settings(
        cluster=sections.Cluster(context="some-context"),
        images=sections.Images(**IMAGES),
        database=sections.Database(in_cluster=sections.InClusterDatabase()),
        cache=sections.Cache(in_cluster=sections.InClusterCache()),
        **given,
    )


def workload(image: str, resources: Resources) -> Workload:
    return Workload(namespace="ns", image=Image(reference=IMAGES[image]), resources=resources)


def test_what_holds_state_defaults_to_the_stack_files_defaults():
    file = settings()
    live = Live(stack="o/p/s", frozen={})
    assert arguments.namespace(file, live) == NamespaceArgs(owner="o/p/s")
    assert arguments.secret_key(file, "ns", live) == SecretKeyArgs(
        namespace="ns", generations=range(1, 2), old_generations=[], given_up=[]
    )
    assert arguments.superuser(file, "ns", live) == SuperuserArgs(namespace="ns")
    assert arguments.storage(file, "ns") == StorageArgs(namespace="ns")
    assert arguments.database(file, "ns", live) == InClusterDatabaseArgs(
        workload=workload("postgres", database.RESOURCES)
    )
    assert arguments.cache(file, "ns", live) == InClusterCacheArgs(
        workload=workload("redis", cache.RESOURCES)
    )
    assert arguments.protection(file, []) == ProtectionArgs(everything=[])


def test_the_application_defaults_to_the_stack_files_defaults():
    file = settings()
    common = {
        "storage": ANY,
        "secret_key": ANY,
        "old_keys": {},
        "database": URL,
        "cache": None,
        "superuser": ANY,
    }
    assert arguments.runtime(file, "ns", **common) == RuntimeArgs(
        workload=workload("backend", runtime.RESOURCES), **common
    )
    assert arguments.bootstrap(file, ANY, after=()) == BootstrapArgs(runtime=ANY)
    assert arguments.backend(file, ANY, bootstrap=ANY, key_rotations=0) == BackendArgs(
        runtime=ANY, bootstrap=ANY
    )


def test_an_autoscaler_defaults_to_the_stack_files_target():
    file = settings(backend=sections.Backend(scale=sections.AutoScale(min=2, max=3)))
    scale = arguments.backend(file, ANY, bootstrap=ANY, key_rotations=0).scale
    assert scale == Autoscaling(min_replicas=2, max_replicas=3)


def test_backups_default_to_the_stack_files_defaults():
    file = settings(backup=sections.Backup(schedule="0 3 * * *"))
    live = Live(stack="o/p/s", frozen={})
    given = {"storage": ANY, "database": URL, "after": (), "before_rotation": 0}
    assert arguments.backup(file, "ns", live, **given) == BackupArgs(
        workload=workload("postgres", backup.RESOURCES),
        storage=ANY,
        database=URL,
        restic=Image(reference=IMAGES["restic"]),
        identity="o/p/s",
        images={"backend": IMAGES["backend"], "postgres": IMAGES["postgres"]},
        schedule="0 3 * * *",
    )


def test_web_servers_default_to_the_stack_files_defaults():
    surfaces = sections.Surfaces(
        app=sections.AppSurface(host="app.test"), docs=sections.DocsSurface(host="docs.test")
    )
    file = settings(surfaces=surfaces, frontend=sections.Frontend(backend_url="https://api.test"))
    assert arguments.docs(file, "ns") == WebArgs(workload=workload("docs", web.RESOURCES))
    assert arguments.frontend(file, "ns") == FrontendArgs(
        workload=workload("frontend", web.RESOURCES), backend_url="https://api.test"
    )
