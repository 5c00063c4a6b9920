"""The same objects without components, settings or vocabulary: what a hand-written program costs."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.registrations import Resource
from lab.layout import PROJECT

HEAD = """\
import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

cluster = k8s.Provider("cluster", context={context!r})
made = {{}}
"""


def write(folder: Path, resources: Sequence[Resource], context: str, *, ordered: bool) -> None:
    """A Pulumi project in which each of the resources is one literal call, for the cluster of a kubeconfig's context.

    `ordered` makes each wait for what it waits for in the program: a value that is written down waits for nothing,
    where a hand-written program would refer to another object's.
    """
    calls = [_call(resource, ordered) for resource in resources]
    head = HEAD.format(context=context)
    (folder / "__main__.py").write_text(head + "\n".join(calls))
    shutil.copy(PROJECT / "Pulumi.yaml", folder)
    (folder / ".venv").symlink_to((PROJECT / ".venv").resolve())


def _call(resource: Resource, ordered: bool) -> str:
    package, module, kind = resource.type.split(":")
    given = {
        _snake(key): value for key, value in resource.inputs.items() if key not in ("kind", "apiVersion")
    }
    made_by = (
        f"random.{kind}"
        if package == "random"
        else f"k8s.{module.replace('.k8s.io', '').replace('/', '.')}.{kind}"
    )
    provider = None if package == "random" else "cluster"
    after = ", ".join(f"made[{urn!r}]" for urn in resource.dependencies if ordered)
    opts = f"pulumi.ResourceOptions(provider={provider}, depends_on=[{after}])"
    return f"made[{resource.urn!r}] = {made_by}({resource.name!r}, opts={opts}, **{given!r})"


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
