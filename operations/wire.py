"""How a surface is reached: its origin, whom to trust, and where its name leads."""

import base64
import contextlib
import hashlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PATIENCE = httpx2.Timeout(10, read=120)  # seconds; a flow may think for a while, a connection may not


@dataclass(frozen=True)
class Endpoint:
    """An origin (`https://host[:port]`) and the authorities trusted there, by default the system's."""

    origin: str
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    @property
    def host(self) -> str:
        """The origin's host name."""
        return urlsplit(self.origin).hostname or ""

    def client(self, key: str | None = None) -> httpx2.Client:
        """A client of this origin only: proxies of the environment are ignored, redirects are answers."""
        return httpx2.Client(**self._settings(key))

    def async_client(self, key: str | None = None) -> httpx2.AsyncClient:
        """The same for asyncio."""
        return httpx2.AsyncClient(**self._settings(key))

    def certificate(self, trust: ssl.SSLContext | None = None) -> x509.Certificate:
        """The certificate the origin shows.

        Raises:
            ssl.SSLCertVerificationError: no authority of `trust`, by default the endpoint's, vouches for it.
        """
        port = urlsplit(self.origin).port or 443
        with (
            socket.create_connection((self.host, port), timeout=PATIENCE.connect) as raw,
            (trust or self.trust).wrap_socket(raw, server_hostname=self.host) as connection,
        ):
            return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")

    def certificate_pin(self) -> str:
        """SHA-256, in base64, of the public key of the certificate the origin shows, once verified."""
        public_key = (
            self.certificate().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
        return base64.b64encode(hashlib.sha256(public_key).digest()).decode()

    def _settings(self, key: str | None) -> dict[str, Any]:
        headers = {"x-api-key": key} if key else {}
        return {
            "base_url": self.origin,
            "verify": self.trust,
            "headers": headers,
            "timeout": PATIENCE,
            "trust_env": False,
        }


@contextlib.contextmanager
def resolved(hosts: set[str], address: str | None) -> Iterator[None]:
    """Lets these hosts lead to the address in all of this process while the block runs; None leaves it to DNS."""
    resolve = socket.getaddrinfo

    def overridden(host: bytes | str | None, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return resolve(address if address and name in hosts else host, *args, **kwargs)

    socket.getaddrinfo = overridden
    try:
        yield
    finally:
        socket.getaddrinfo = resolve
