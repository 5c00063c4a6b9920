"""The web UI."""

from dataclasses import dataclass

import pulumi

from components.web import Web, WebArgs


@dataclass(frozen=True, kw_only=True)
class FrontendArgs(WebArgs):
    backend_url: str
    """What the UI's server proxies to."""


class Frontend(Web):
    """The web UI's server."""

    def __init__(self, name: str, args: FrontendArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Frontend", name, None, opts)
        self.serve(name, "frontend", args, {"BACKEND_URL": args.backend_url, "FRONTEND_PORT": str(args.port)})
