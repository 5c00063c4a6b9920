"""The same objects without components, settings or vocabulary: what a hand-written program costs."""

import shutil
from pathlib import Path
from typing import Any

from lab.layout import PROJECT
from tests.unit.recorder import plain, run

HEAD = """\
import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

cluster = k8s.Provider("cluster", context={context!r})
here = pulumi.ResourceOptions(provider=cluster)
"""


def write(folder: Path, sections: dict[str, Any]) -> int:
    """A Pulumi project in which every object that the program declares for these sections is one literal call.

    Returns how many there are.
    """
    objects = [it for it in run(sections).leaves.values() if not it.type.startswith("pulumi:")]
    calls = [_call(it.type, it.name, plain(it.inputs)) for it in objects]
    head = HEAD.format(context=sections["cluster"]["context"])
    (folder / "__main__.py").write_text(head + "\n".join(calls))
    shutil.copy(PROJECT / "Pulumi.yaml", folder)
    (folder / ".venv").symlink_to((PROJECT / ".venv").resolve())
    return len(objects)


def _call(token: str, name: str, inputs: dict[str, Any]) -> str:
    package, module, kind = token.split(":")
    given = {_snake(key): value for key, value in inputs.items() if key not in ("kind", "apiVersion")}
    if package == "random":
        return f"random.{kind}({name!r}, **{given!r})"
    return f"k8s.{module.replace('.k8s.io', '').replace('/', '.')}.{kind}({name!r}, opts=here, **{given!r})"


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
