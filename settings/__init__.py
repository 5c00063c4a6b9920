"""The stack file as types.

Here live the sections of a stack file with their defaults (`sections`), the rules that hold between
sections (`rules`), the reader that turns `pulumi config` into `Settings` or one list of problems
(`load`), and the JSON Schema for editors (`schema`).

Never here: a resource, a component, a name of a stack, a read of the environment.
"""

from settings.load import Secrets, load
from settings.sections import Settings

__all__ = ["Secrets", "Settings", "load"]
