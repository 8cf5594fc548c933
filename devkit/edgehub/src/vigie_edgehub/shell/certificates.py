"""The hub's own CA, kept between runs, and the server certificate for the address of today.

Extensions as RFC 5280 4.2.1 wants them: Python 3.13 and newer verify with ``VERIFY_X509_STRICT`` and refuse less.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vigie_edgehub.errors import HubStartError
from vigie_edgehub.store.documents import write_private

_CA_YEARS = 10
_SERVER_DAYS = 365
_RENEW_DAYS = 30


class Certificates:
    """Files in ``folder``: ``ca.pem`` (to be trusted), ``ca.key``, ``server.pem``, ``server.key`` (0600 each)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.ca_file = folder / "ca.pem"
        self._ca_key_file = folder / "ca.key"
        self._server_file = folder / "server.pem"
        self._server_key_file = folder / "server.key"

    def prepare(self, names: list[str]) -> None:
        """Make what is missing, run out or made for other names. Raises: HubStartError: a damaged CA."""
        try:
            ca, ca_key = self._ca()
        except (ValueError, OSError, TypeError) as error:
            raise HubStartError(f"the hub's CA {self.ca_file} is damaged ({error}); remove its folder") from error
        if not self._serves(ca, names):
            self._make_server(ca, ca_key, names)

    def context(self) -> ssl.SSLContext:
        """For servers. TLS 1.2: the SDK speaks nothing newer (docs/edgehub-facts.md, TLS)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._server_file, self._server_key_file)
        return context

    def _ca(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        if self.ca_file.exists() and self._ca_key_file.exists():
            certificate = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
            key = serialization.load_pem_private_key(self._ca_key_file.read_bytes(), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise ValueError("its key is of another kind")
            if _lasts(certificate):
                return certificate, key
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Vigie local edge hub CA")])
        certificate = (
            _builder(name, name, key.public_key(), timedelta(days=365 * _CA_YEARS), _key_id(key.public_key()))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(ca=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(self._ca_key_file, _private(key))
        write_private(self.ca_file, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return certificate, key

    def _serves(self, ca: x509.Certificate, names: list[str]) -> bool:
        try:
            server = x509.load_pem_x509_certificate(self._server_file.read_bytes())
            found = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            server.verify_directly_issued_by(ca)
        except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
            return False
        except Exception:  # InvalidSignature: signed by a CA that was since replaced
            return False
        return _lasts(server) and _names_keys(server, ca) and list(found) == [_general_name(name) for name in names]

    def _make_server(self, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, names: list[str]) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        certificate = (
            _builder(subject, ca.subject, key.public_key(), timedelta(days=_SERVER_DAYS), _key_id(ca_key.public_key()))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        chain = certificate.public_bytes(serialization.Encoding.PEM) + ca.public_bytes(serialization.Encoding.PEM)
        write_private(self._server_key_file, _private(key))
        write_private(self._server_file, chain)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    lifetime: timedelta,
    issuer_key_id: x509.SubjectKeyIdentifier,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + lifetime)
        .add_extension(_key_id(public_key), critical=False)
        .add_extension(_authority(issuer_key_id), critical=False)
    )


def _key_id(public_key: ec.EllipticCurvePublicKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(public_key)


def _authority(issuer_key_id: x509.SubjectKeyIdentifier) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key_id)


def _names_keys(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """False for what an earlier version made: without the issuer's key id (RFC 5280 4.2.1.1), or with another."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        wanted = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return found == _authority(wanted)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,  # TLS with forward secrecy signs; the certificate's key agrees on nothing
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _lasts(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=_RENEW_DAYS)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
