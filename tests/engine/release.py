"""Keeps the state that this version leaves behind, and its keys, on the simulated lab and before a tag.

`python -m tests.engine.release`
"""

import json
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

from lab import cluster, engine, toolchain
from lab.layout import PROJECT, SIMULATED
from tests.engine.recording import FIXTURES
from tests.engine.stack import Stack, copy_program
from tests.stack_files import keys_of


def main() -> int:
    if not cluster.running(SIMULATED):
        print("it needs the simulated lab: python -m lab up --simulated", file=sys.stderr)
        return 2
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    kept = FIXTURES / "states" / version
    kept.mkdir(parents=True, exist_ok=True)
    tools = toolchain.prepare(lambda words: print(words, file=sys.stderr))
    with tempfile.TemporaryDirectory() as backend, tempfile.TemporaryDirectory() as folder:
        environment = engine.environment(SIMULATED, tools) | {"PULUMI_BACKEND_URL": f"file://{backend}"}
        with Stack(copy_program(Path(folder)), "released", environment) as stack:
            stack.up()
            exported = json.loads(stack.pulumi("stack", "export", f"--stack={stack.name}").stdout)
            shutil.copy(stack.program / "Pulumi.released.yaml", kept)
    for resource in exported["deployment"]["resources"]:
        # Where in the program it was declared is of no use later.
        for place in ("stackTrace", "sourcePosition"):
            resource.pop(place, None)
    (kept / "state.json").write_text(json.dumps(exported, indent=1) + "\n")
    schema = json.loads((PROJECT / "stack.schema.json").read_text())
    (kept / "keys.txt").write_text("\n".join(keys_of(schema)) + "\n")
    print(kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
