"""The certificate that a host shows, and who issued it."""

import ssl

from cryptography import x509

from operations.validate.check import CheckError
from operations.wire import Endpoint


def is_trusted(at: Endpoint) -> str:
    """The host's certificate is its own, in force, and an authority vouches for it that is trusted here.

    Returns:
        Whose it is.
    """
    try:
        return _whose(at.certificate())
    except ssl.SSLCertVerificationError as error:
        whoever = ssl.create_default_context()
        whoever.check_hostname = False
        whoever.verify_mode = ssl.CERT_NONE
        shown = _whose(at.certificate(whoever))
        raise CheckError(f"{error.verify_message}; shown: {shown}") from None


def _whose(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = ", ".join(names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        hosts = ""
    subject, issuer = (name.rfc4514_string() for name in (certificate.subject, certificate.issuer))
    return f"{hosts or subject or 'nobody'}, by {issuer or 'nobody'}, until {certificate.not_valid_after_utc:%Y-%m-%d}"
