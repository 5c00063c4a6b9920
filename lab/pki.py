"""Certificates of a lab: one authority, and what it signs for the control plane, the nodes and the ingress controller."""

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.layout import DOMAIN, Lab

LIFETIME = datetime.timedelta(days=365)


def make(lab: Lab) -> None:
    """Writes every key and certificate of the lab that is not there yet."""
    lab.pki.mkdir(parents=True, exist_ok=True)
    lab.pki.chmod(0o700)
    if not (lab.pki / "ca.crt").exists():
        _write(lab.pki / "ca", *_authority(f"{lab.name} CA"))
    _service_account_key(lab.pki)
    here = ["localhost", lab.loopback]
    in_cluster = [
        f"kubernetes{suffix}" for suffix in ("", ".default", ".default.svc", ".default.svc.cluster.local")
    ]
    issue(lab, "kube-apiserver", hosts=[*here, *in_cluster, lab.machine, lab.service(1)])
    issue(lab, "front-proxy", common_name="front-proxy")
    issue(lab, "kubelet-client", common_name="kube-apiserver-kubelet", group="system:masters")
    issue(lab, "admin", common_name="admin", group="system:masters")
    issue(lab, "controller-manager", common_name="system:kube-controller-manager")
    issue(lab, "scheduler", common_name="system:kube-scheduler")
    issue(lab, "kube-proxy", common_name="system:kube-proxy")
    issue(lab, "kube-router", common_name="kube-router")
    issue(lab, "kwok", common_name="kwok", group="system:masters")
    for node in lab.nodes:
        issue(lab, node.name, common_name=f"system:node:{node.name}", group="system:nodes")
        issue(lab, f"{node.name}-serving", hosts=[node.name, node.address])
    issue(lab, "ingress", hosts=[DOMAIN, f"*.{DOMAIN}"])


def _authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def issue(
    lab: Lab, file: str, *, common_name: str = "", group: str = "", hosts: list[str] | None = None
) -> None:
    """A certificate for serving on `hosts`, or, without any, one that a client shows as user `common_name` of `group`."""
    if (lab.pki / f"{file}.crt").exists():
        return
    authority = x509.load_pem_x509_certificate((lab.pki / "ca.crt").read_bytes())
    authority_key = serialization.load_pem_private_key((lab.pki / "ca.key").read_bytes(), None)
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name or file)]
    if group:
        names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(x509.Name(names), authority.subject, key)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
        )
    )
    if hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
        )
    _write(lab.pki / file, key, builder.sign(authority_key, hashes.SHA256()))


def self_signed(lab: Lab, file: str, *, hosts: Sequence[str] = ()) -> None:
    """A certificate that nobody signed but itself, for two programs that know each other by their certificates alone."""
    if (lab.pki / f"{file}.crt").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file)])
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = _builder(name, name, key).add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
        )
    _write(lab.pki / file, key, builder.sign(key, hashes.SHA256()))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _service_account_key(folder: Path) -> None:
    file = folder / "service-account.key"
    if not file.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _save(file, _private(key))
        _save(
            folder / "service-account.pub",
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        )


def _write(stem: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    _save(stem.with_name(f"{stem.name}.key"), _private(key))
    _save(stem.with_name(f"{stem.name}.crt"), certificate.public_bytes(serialization.Encoding.PEM))


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _save(file: Path, content: bytes) -> None:
    """Whole or not at all: a run killed here leaves nothing that a later one would take for a certificate."""
    unfinished = file.with_name(f".{file.name}")
    unfinished.write_bytes(content)
    unfinished.chmod(0o600)
    unfinished.replace(file)
