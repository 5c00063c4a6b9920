"""Certificates of public hosts: in the Secret that the Ingress names, or as the host shows it."""

import base64
import ssl

from cryptography import x509

from detection.scrub import scrubbed
from operations.program import ProgramError
from operations.review.preview import at
from operations.status.asked import Asked, holds, known, time, why
from operations.status.facts import Certificate, Unknown
from operations.wire import Endpoint


def certificate(asked: Asked, origin: str) -> Certificate:
    """The certificate of an origin (`https://host`)."""
    host = Endpoint(origin).host
    name = next(
        (
            tls.get("secretName")
            for ingress in asked.objects("Ingress")
            for tls in at(ingress, "spec", "tls") or ()
            if host in (tls.get("hosts") or ())
        ),
        None,
    )
    if not name:
        # A Gateway's, a load balancer's or the controller's own: what it is, is what the host shows.
        shown = Endpoint(origin).certificate(_anybody())
        return _life(host, "what the host shows", shown)
    issued = known(asked.object, "Certificate", name)
    issued = None if isinstance(issued, Unknown) else issued
    trouble = None if issued is None or holds(issued, "Ready") else scrubbed(why(issued, "Ready"))
    try:
        secret = asked.found.core("secrets", name)
    except ProgramError:
        if not at(issued, "status", "notAfter"):
            raise
        begins, ends = (time(at(issued, "status", key)) for key in ("notBefore", "notAfter"))
        return Certificate(
            host=host, held_in=f"Certificate {name}", begins=begins, ends=ends, trouble=trouble
        )
    if not at(secret, "data", "tls.crt"):
        return Certificate(host=host, held_in=f"Secret {name}", begins=None, ends=None, trouble=trouble)
    kept = x509.load_pem_x509_certificate(base64.b64decode(at(secret, "data", "tls.crt")))
    return _life(host, f"Secret {name}", kept, trouble)


def _life(host: str, held_in: str, it: x509.Certificate, trouble: str | None = None) -> Certificate:
    return Certificate(
        host=host,
        held_in=held_in,
        begins=it.not_valid_before_utc,
        ends=it.not_valid_after_utc,
        trouble=trouble,
    )


def _anybody() -> ssl.SSLContext:
    """A context that trusts whoever answers: `operations validate` verifies, this reads a date."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
