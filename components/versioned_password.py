"""A generated password that another version takes the place of."""

import pulumi
import pulumi_random as random

from .component import Component


class VersionedPassword(Component):
    """A password of 32 letters and digits for each version.

    Nothing is locked up with an old one: whoever took it takes the new one, since the stack sees to that.
    """

    result: pulumi.Output[str]

    def __init__(self, name: str, version: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:VersionedPassword", name, None, opts)
        self.result = random.RandomPassword(
            f"{name}-password",
            length=32,
            special=False,
            keepers={"version": version},
            opts=self.child(ignore_changes=["length", "special"]),
        ).result
        self.register_outputs({})
