"""The hub's CA and its server certificate."""

from __future__ import annotations

import asyncio
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vigie_edgehub.errors import HubStartError
from vigie_edgehub.shell.certificates import Certificates


def names(folder: Path) -> list[str]:
    certificate = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
    return [
        str(name.value) for name in certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    ]


def test_it_is_made_once_and_serves_an_address_and_a_name(tmp_path: Path) -> None:
    made = Certificates(tmp_path)
    made.prepare(["127.1.2.3", "gateway.local"])
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    Certificates(tmp_path).prepare(["127.1.2.3", "gateway.local"])
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert names(tmp_path) == ["127.1.2.3", "gateway.local"]
    made.context()


def test_another_address_gets_another_certificate_from_the_same_authority(tmp_path: Path) -> None:
    Certificates(tmp_path).prepare(["127.1.2.3"])
    authority = (tmp_path / "ca.pem").read_bytes()
    Certificates(tmp_path).prepare(["127.1.2.4"])
    assert names(tmp_path) == ["127.1.2.4"]
    assert (tmp_path / "ca.pem").read_bytes() == authority


def test_a_server_certificate_of_another_authority_is_replaced(tmp_path: Path) -> None:
    Certificates(tmp_path / "a").prepare(["127.1.2.3"])
    Certificates(tmp_path / "b").prepare(["127.1.2.3"])
    for name in ("ca.pem", "ca.key"):
        (tmp_path / "a" / name).write_bytes((tmp_path / "b" / name).read_bytes())
    before = (tmp_path / "a" / "server.pem").read_bytes()
    Certificates(tmp_path / "a").prepare(["127.1.2.3"])
    assert (tmp_path / "a" / "server.pem").read_bytes() != before


def expires_in(folder: Path, name: str, days: float) -> None:
    """Sign ``name``.pem anew, as it is but for its end."""
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    first, *rest = x509.load_pem_x509_certificates((folder / f"{name}.pem").read_bytes())
    builder = x509.CertificateBuilder(
        first.issuer, first.subject, first.public_key(), first.serial_number, first.not_valid_before_utc,
        datetime.now(UTC) + timedelta(days=days), list(first.extensions),
    )  # fmt: skip
    chain = [builder.sign(key, hashes.SHA256()), *rest]
    (folder / f"{name}.pem").write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain))


@pytest.mark.parametrize(("days", "renewed"), [(29, True), (31, False)])
@pytest.mark.parametrize("name", ["ca", "server"])
def test_a_certificate_is_renewed_a_month_before_its_end(tmp_path: Path, name: str, days: int, renewed: bool) -> None:
    Certificates(tmp_path).prepare(["127.1.2.3"])
    expires_in(tmp_path, name, days)
    before = (tmp_path / f"{name}.pem").read_bytes()
    Certificates(tmp_path).prepare(["127.1.2.3"])
    assert ((tmp_path / f"{name}.pem").read_bytes() != before) is renewed


def test_private_keys_are_their_owners_only(tmp_path: Path) -> None:
    Certificates(tmp_path).prepare(["127.1.2.3"])
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ca.key", "server.key")} == {0o600}


def test_a_damaged_authority_says_what_to_do(tmp_path: Path) -> None:
    Certificates(tmp_path).prepare(["127.1.2.3"])
    (tmp_path / "ca.pem").write_text("damaged")
    with pytest.raises(HubStartError, match="remove its folder"):
        Certificates(tmp_path).prepare(["127.1.2.3"])


def extension(certificate: x509.Certificate, kind: type[Any]) -> Any:
    return certificate.extensions.get_extension_for_class(kind).value


def test_key_ids_and_usages_are_as_rfc_5280_wants_them(tmp_path: Path) -> None:
    Certificates(tmp_path).prepare(["127.1.2.3"])
    server, authority = x509.load_pem_x509_certificates((tmp_path / "server.pem").read_bytes())
    for certificate in (server, authority):
        named = extension(certificate, x509.AuthorityKeyIdentifier).key_identifier
        assert named == extension(authority, x509.SubjectKeyIdentifier).digest
    assert extension(authority, x509.KeyUsage).key_cert_sign
    assert extension(server, x509.KeyUsage).digital_signature
    assert not extension(server, x509.KeyUsage).key_cert_sign


async def test_a_client_that_verifies_strictly_connects(tmp_path: Path) -> None:
    # What ssl.create_default_context() does from Python 3.13 on, here on every Python.
    made = Certificates(tmp_path)
    made.prepare(["127.0.0.1"])
    client = ssl.create_default_context(cafile=str(made.ca_file))
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=made.context())
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        assert writer.get_extra_info("ssl_object").version() in {"TLSv1.2", "TLSv1.3"}
        writer.close()


def test_a_certificate_of_an_earlier_version_is_made_anew_by_the_same_authority(tmp_path: Path) -> None:
    Certificates(tmp_path).prepare(["127.1.2.3"])
    authority = (tmp_path / "ca.pem").read_bytes()
    without_authority_key_id(tmp_path)
    Certificates(tmp_path).prepare(["127.1.2.3"])
    server = x509.load_pem_x509_certificate((tmp_path / "server.pem").read_bytes())
    assert extension(server, x509.AuthorityKeyIdentifier)
    assert (tmp_path / "ca.pem").read_bytes() == authority


def without_authority_key_id(folder: Path) -> None:
    """Sign the server's certificate once more, as 0.1.0 did."""
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    old = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
    builder = x509.CertificateBuilder(
        old.issuer, old.subject, old.public_key(), old.serial_number, old.not_valid_before_utc, old.not_valid_after_utc
    )
    for one in old.extensions:
        if not isinstance(one.value, x509.AuthorityKeyIdentifier):
            builder = builder.add_extension(one.value, one.critical)
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "server.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
