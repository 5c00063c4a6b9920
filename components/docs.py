"""The documentation."""

import pulumi

from components.web import Web, WebArgs


class Docs(Web):
    """The documentation's server."""

    def __init__(self, name: str, args: WebArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Docs", name, None, opts)
        self.serve(name, "docs", args, {"DOCS_PORT": str(args.port)})
