"""The documentation."""

import pulumi

from . import names
from .web import Web, WebArgs


class Docs(Web):
    """The documentation's server."""

    def __init__(self, name: str, args: WebArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Docs", name, None, opts)
        self.serve(name, names.DOCS, args, {"DOCS_PORT": str(args.port)})
