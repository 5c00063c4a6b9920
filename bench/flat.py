"""The same objects without components, settings or vocabulary: what a hand-written program costs."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.registrations import Resource, registrations
from lab.layout import PROJECT

HEAD = """\
import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

cluster = k8s.Provider("cluster", context={context!r})
here = pulumi.ResourceOptions(provider=cluster)
"""


def write(folder: Path, sections: Mapping[str, Any]) -> int:
    """A Pulumi project in which every object that the program declares for these sections is one literal call.

    Returns how many there are.
    """
    calls = [_call(resource) for resource in registrations(sections)]
    head = HEAD.format(context=sections["cluster"]["context"])
    (folder / "__main__.py").write_text(head + "\n".join(calls))
    shutil.copy(PROJECT / "Pulumi.yaml", folder)
    (folder / ".venv").symlink_to((PROJECT / ".venv").resolve())
    return len(calls)


def _call(resource: Resource) -> str:
    package, module, kind = resource.type.split(":")
    given = {
        _snake(key): value for key, value in resource.inputs.items() if key not in ("kind", "apiVersion")
    }
    if package == "random":
        return f"random.{kind}({resource.name!r}, **{given!r})"
    made_by = f"k8s.{module.replace('.k8s.io', '').replace('/', '.')}.{kind}"
    return f"{made_by}({resource.name!r}, opts=here, **{given!r})"


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
