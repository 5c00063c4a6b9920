"""A stack that was never brought up has no outputs: what it would make by its preview, and where by its stack file."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from operations.kubectl import cluster
from operations.program import ProgramError, ended, output_of
from operations.review.preview import PreviewError, Step, read


def steps(stack: str) -> tuple[Step, ...]:
    """What `pulumi up` would do to each resource of the stack, to those that stay as they are too.

    Raises:
        ProgramError: pulumi is not installed, or the preview failed; the message has its own reasons.
    """
    done = ended("pulumi", "preview", "--json", "--show-sames", f"--stack={stack}", "--non-interactive")
    # Without JSON the reason is on stderr: no such stack, a wrong passphrase.
    if done.returncode and not done.stdout.strip():
        raise ProgramError(f"its preview failed: {done.stderr.strip() or f'exit code {done.returncode}'}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{stack.rpartition('/')[2]}.json")
        file.write_text(done.stdout)
        file.with_name(f"{file.name}.exit").write_text(str(done.returncode))
        try:
            preview = read(file)
        except PreviewError as error:
            raise ProgramError(f"its preview failed: {error}") from None
    if preview.errors:
        raise ProgramError("\n  ".join(["its preview failed", *preview.errors]))
    return preview.steps


@contextlib.contextmanager
def cluster_of(stack: str) -> Iterator[tuple[str, ...]]:
    """kubectl's options for the cluster of the stack file, while the block runs."""
    config = json.loads(output_of("pulumi", "config", "--json", "--show-secrets", f"--stack={stack}"))
    values = {key.rpartition(":")[2]: row.get("value") for key, row in config.items()}
    context = json.loads(values.get("cluster") or "{}").get("context")
    with cluster(context, values.get("kubeconfig")) as options:
        yield options
