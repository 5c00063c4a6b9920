"""Other programs (pulumi, kubectl), run for their output."""

import os
import subprocess
import tempfile


class ProgramError(Exception):
    """A program could not be run, or said no; the message is its own."""


def ended(
    *command: str, stdin: str | None = None, seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """A command that has run, however it ended, given `stdin`.

    Raises:
        ProgramError: it is not installed, or was still running after `seconds`, which ended it.
    """
    # Pulumi's Kubernetes provider writes the stack's kubeconfig into the temporary folder, and leaves it there.
    with tempfile.TemporaryDirectory() as folder:
        variables = os.environ | {"TMPDIR": folder}
        try:
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                # A log is whatever a program wrote.
                errors="replace",
                check=False,
                input=stdin,
                env=variables,
                timeout=seconds,
            )
        except FileNotFoundError:
            raise ProgramError(f"{command[0]} is not installed or not on PATH") from None
        except subprocess.TimeoutExpired:
            raise ProgramError(f"{' '.join(command[:3])} …: no answer within {seconds:g} s") from None


def output_of(*command: str, stdin: str | None = None, seconds: float | None = None) -> str:
    """Output of a command on stdout, given `stdin`.

    Raises:
        ProgramError: it is not installed, ended with a non-zero code, or was still running after `seconds`.
    """
    done = ended(*command, stdin=stdin, seconds=seconds)
    if done.returncode:
        raise ProgramError(
            f"{' '.join(command[:3])} …: {done.stderr.strip() or f'exit code {done.returncode}'}"
        )
    return done.stdout
