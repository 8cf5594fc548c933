"""A certificate refused for its dates is told as what it is: a clock that is wrong. Real handshakes, real refusals."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vigie.messaging.certificate_time import dates_refused

NOW = datetime.now(UTC)


def refusal(folder: Path, begins: datetime, ends: datetime) -> ssl.SSLCertVerificationError:
    """What a client says to a server whose certificate, which it trusts, holds from ``begins`` to ``ends``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hub")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "hub.pem", folder / "hub.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    hubs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    hubs.load_cert_chain(pem, secret)
    ours = ssl.create_default_context(cafile=str(pem))
    to_hub, from_hub = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(from_hub, to_hub, server_hostname="hub")
    hub = hubs.wrap_bio(to_hub, from_hub, server_side=True)
    with pytest.raises(ssl.SSLCertVerificationError) as refused:  # noqa: PT012 - one of the steps, none in particular
        for _ in range(4):
            for side in (client, hub):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    return refused.value


@pytest.mark.parametrize(
    ("begins", "ends", "words"),
    [
        (NOW + timedelta(days=29), NOW + timedelta(days=300), "not valid yet by this device's clock"),
        (NOW - timedelta(days=300), NOW - timedelta(days=29), "has expired by this device's clock"),
    ],
    ids=["clock-behind", "clock-ahead"],
)
def test_the_clock_is_named_however_deep_the_refusal_lies(
    tmp_path: Path, begins: datetime, ends: datetime, words: str
) -> None:
    refused = refusal(tmp_path, begins, ends)
    try:
        try:
            raise ConnectionError("TLS failed", refused)  # noqa: TRY301 - what is tried is the chain of both
        except ConnectionError as inner:
            raise RuntimeError("could not connect") from inner
    except RuntimeError as outer:
        told = dates_refused(outer, NOW)
    assert told is not None
    assert words in told
    assert f"{NOW:%Y-%m-%d}" in told


def test_other_troubles_are_left_to_their_own_words() -> None:
    assert dates_refused(ConnectionRefusedError(111, "Connection refused"), NOW) is None
