"""What keys mean: the text below each in the source of the sections.

Read when someone asks, in a refusal or for the schema; a run without a problem does not pay for it.
"""

import ast
import inspect
from functools import cache
from itertools import pairwise

from settings.sections import Section


@cache
def meanings(section: type[Section]) -> dict[str, str]:
    """The meaning of a section's fields, its own and inherited, by their name in Python."""
    described = {}
    for ancestor in reversed(section.__mro__):
        if ancestor.__module__ == section.__module__:
            (source,) = ast.parse(inspect.getsource(ancestor)).body
            for field, below in pairwise(source.body):
                if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
                    described[field.target.id] = inspect.cleandoc(ast.literal_eval(below.value))
    return described
