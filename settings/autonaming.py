"""Pulumi's own way to invent names: what must stay in them."""

import json
import re
from collections.abc import Iterator
from typing import Any

from settings.problems import Problem

_RANDOM = re.compile(r"\$\{(?:uuid|(?:hex|alphanum|string|num)\((?:[4-9]|[1-9]\d+)\))\}")


def autonaming_problems(config: Any) -> Iterator[Problem]:
    """What is wrong with `pulumi:autonaming`, from its text as the engine hands it over; nothing if it is unset.

    An object whose content changes gets a new name before the old one goes. A name without a part of its own for
    each object makes Pulumi delete first: Deployments, then, on every change of their configuration.
    """
    try:
        given = json.loads(config) if isinstance(config, str) else config
    except json.JSONDecodeError:
        given = config
    if given is not None and not _keeps(given):
        yield Problem(
            path="pulumi:autonaming",
            found="names without a part of their own for each object",
            allowed="mode: default, or a pattern with ${name} and a random part such as ${hex(8)}",
            remedy="remove pulumi:autonaming from the stack file, its project and its environments",
        )


def _keeps(given: Any) -> bool:
    """Whether a naming, with those of providers and resources inside it, keeps a random part in every name."""
    if not isinstance(given, dict):
        return False
    pattern, mode = given.get("pattern"), given.get("mode", "default")
    kept = mode == "default" and (
        pattern is None or ("${name}" in str(pattern) and bool(_RANDOM.search(str(pattern))))
    )
    inner = [*(given.get("providers") or {}).values(), *(given.get("resources") or {}).values()]
    return kept and all(map(_keeps, inner))
