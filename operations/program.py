"""Other programs (pulumi, kubectl), run for their output."""

import os
import subprocess
import tempfile


class ProgramError(Exception):
    """A program could not be run, or said no; the message is its own."""


def output_of(*command: str, stdin: str | None = None) -> str:
    """What a command wrote to stdout, given `stdin`.

    Raises:
        ProgramError: it is not installed, or ended with a non-zero code.
    """
    # Pulumi's Kubernetes provider writes the stack's kubeconfig into the temporary folder, and leaves it there.
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                input=stdin,
                env=os.environ | {"TMPDIR": folder},
            )
        except FileNotFoundError:
            raise ProgramError(f"{command[0]} is not installed or not on PATH") from None
    if done.returncode:
        raise ProgramError(
            f"{' '.join(command[:3])} …: {done.stderr.strip() or f'exit code {done.returncode}'}"
        )
    return done.stdout
