"""The web UI."""

from dataclasses import dataclass

import pulumi

from . import names
from .web import Web, WebArgs


@dataclass(frozen=True, kw_only=True)
class FrontendArgs(WebArgs):
    """A web server that also proxies to the backend."""

    backend_url: str
    """Origin of the backend, as the UI's server calls it."""


class Frontend(Web):
    """The web UI's server."""

    def __init__(self, name: str, args: FrontendArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("skillflaw:app:Frontend", name, None, opts)
        environment = {"BACKEND_URL": args.backend_url, "FRONTEND_PORT": str(args.port)}
        self.serve(name, names.FRONTEND, args, environment)
