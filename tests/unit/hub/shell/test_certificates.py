"""The hub's CA and its server certificate."""

from __future__ import annotations

import stat

import pytest
from cryptography import x509

from vigie.errors import HubStartError
from vigie_devkit.hub.shell.certificates import Certificates


def names(folder) -> list[str]:
    certificate = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
    return [
        str(name.value) for name in certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    ]


def test_it_is_made_once_and_serves_an_address_and_a_name(tmp_path):
    made = Certificates(tmp_path)
    made.prepare(["127.1.2.3", "gateway.local"])
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    Certificates(tmp_path).prepare(["127.1.2.3", "gateway.local"])
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert names(tmp_path) == ["127.1.2.3", "gateway.local"]
    made.context()


def test_another_address_gets_another_certificate_from_the_same_authority(tmp_path):
    Certificates(tmp_path).prepare(["127.1.2.3"])
    authority = (tmp_path / "ca.pem").read_bytes()
    Certificates(tmp_path).prepare(["127.1.2.4"])
    assert names(tmp_path) == ["127.1.2.4"]
    assert (tmp_path / "ca.pem").read_bytes() == authority


def test_a_server_certificate_of_another_authority_is_replaced(tmp_path):
    Certificates(tmp_path / "a").prepare(["127.1.2.3"])
    Certificates(tmp_path / "b").prepare(["127.1.2.3"])
    for name in ("ca.pem", "ca.key"):
        (tmp_path / "a" / name).write_bytes((tmp_path / "b" / name).read_bytes())
    before = (tmp_path / "a" / "server.pem").read_bytes()
    Certificates(tmp_path / "a").prepare(["127.1.2.3"])
    assert (tmp_path / "a" / "server.pem").read_bytes() != before


def test_private_keys_are_their_owners_only(tmp_path):
    Certificates(tmp_path).prepare(["127.1.2.3"])
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ca.key", "server.key")} == {0o600}


def test_a_damaged_authority_says_what_to_do(tmp_path):
    Certificates(tmp_path).prepare(["127.1.2.3"])
    (tmp_path / "ca.pem").write_text("damaged")
    with pytest.raises(HubStartError, match="remove its folder"):
        Certificates(tmp_path).prepare(["127.1.2.3"])
