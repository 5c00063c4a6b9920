"""Passwords that the stack makes."""

import pulumi_random as random

from .component import Component


def password(owner: Component, name: str, *, protect: bool = False) -> random.RandomPassword:
    """A generated password of 32 letters and digits, made once.

    What was initialised with it knows no other, so neither an edit of this file nor an upgrade of the provider makes
    a new one.
    """
    return random.RandomPassword(
        f"{name}-password",
        length=32,
        special=False,
        opts=owner.child(protect=protect, ignore_changes=["length", "special", "keepers"]),
    )
