"""Descriptions of keys: the text below each in the source of the sections.

Read when someone asks, in a refusal or for the schema; a run without a problem does not pay for it.
"""

import ast
import inspect
from functools import cache
from itertools import pairwise

from settings.sections import Section


@cache
def descriptions(section: type[Section]) -> dict[str, str]:
    """Descriptions of a section's fields, its own and inherited, by their name in Python."""
    described: dict[str, str] = {}
    for ancestor in reversed(section.__mro__):
        if ancestor.__module__ == section.__module__:
            (source,) = ast.parse(inspect.getsource(ancestor)).body
            assert isinstance(source, ast.ClassDef)  # noqa: S101  what getsource gives for a class
            for field, below in pairwise(source.body):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=text):
                        described[name] = inspect.cleandoc(ast.literal_eval(text))
    return described
