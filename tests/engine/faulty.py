"""An API server that fails on demand: a proxy on loopback before the lab's own."""

import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import yaml

from lab.layout import Lab

KEPT = ("Content-Type", "Accept", "Accept-Encoding")


class FaultyServer:
    """Speaks as the lab's administrator, counts requests that write, and answers 500 to one of them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._lock = threading.Lock()
        self._fail_at: int | None = None
        self.writes = 0
        self._trust = ssl.create_default_context(cafile=lab.pki / "ca.crt")
        self._trust.load_cert_chain(lab.pki / "admin.crt", lab.pki / "admin.key")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._folder = TemporaryDirectory()
        self.kubeconfig = Path(self._folder.name) / "kubeconfig"
        self._upstream = self._write_kubeconfig()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()

    def fail_at(self, number: int | None) -> None:
        """The write of this number, counted from now on, fails; None: none does."""
        with self._lock:
            self.writes, self._fail_at = 0, number

    def _write_kubeconfig(self) -> str:
        """The lab's, with this server in place of its own; returns the lab's host and port."""
        config = yaml.safe_load(self._lab.kubeconfig.read_text())
        (cluster,) = (row["cluster"] for row in config["clusters"])
        upstream = cluster["server"].removeprefix("https://")
        cluster.clear()
        cluster["server"] = f"http://127.0.0.1:{self._server.server_port}"
        for user in config["users"]:
            user["user"] = {}
        self.kubeconfig.write_text(yaml.safe_dump(config))
        return upstream

    def _fails(self, method: str) -> bool:
        if method in ("GET", "HEAD"):
            return False
        with self._lock:
            self.writes += 1
            return self.writes == self._fail_at

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            # One request per connection: watches end when either side does.
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if outer._fails(self.command):
                    self.send_error(500, "fails on demand")
                    return
                upstream = http.client.HTTPSConnection(outer._upstream, context=outer._trust)
                headers = {name: self.headers[name] for name in KEPT if name in self.headers}
                upstream.request(self.command, self.path, body or None, headers)
                answer = upstream.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                self.end_headers()
                try:
                    while piece := answer.read1(65536):
                        self.wfile.write(piece)
                        self.wfile.flush()
                except (BrokenPipeError, ConnectionResetError):
                    pass
                finally:
                    upstream.close()

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(self, *words: object) -> None:
                pass

        return Handler
