"""``vigie models sign`` and ``vigie models trust``, from a new key to a refused bundle."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.tiny_bundle import tiny_bundle
from vigie.errors import BundleSignatureError, SigningKeyError, TrustFileError
from vigie.models.trust import read_trust
from vigie_devkit.cli import parser_for
from vigie_devkit.models.keys import read_private, read_public
from vigie_devkit.models.shelf import export_bundle


def run(*words: str | Path) -> int:
    given = ["models", *map(str, words)]
    args = parser_for(given).parse_args(given)
    return int(args.handler(args))


def test_from_a_new_key_to_a_bundle_that_a_device_takes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bundle, trust, key = tiny_bundle(tmp_path / "tiny").folder, tmp_path / "models.json", tmp_path / "release.pem"
    assert run("trust", trust, "--new-key", key, "--name", "acme-release", "--not-after", "2099-12-31") == 0
    assert key.stat().st_mode & 0o777 == 0o600
    assert run("trust", trust, "--require", "on") == 0
    with pytest.raises(BundleSignatureError):
        run("trust", trust, "--check", bundle)
    assert run("sign", bundle, "--key", key) == 0
    assert run("trust", trust, "--check", bundle) == 0
    said = capfd.readouterr()
    assert "trusted: signed by acme-release" in said.out
    assert "signatures are required; 1 keys" in said.out
    secret = "".join(key.read_text().splitlines()[1:-1])
    assert secret not in said.out + said.err
    assert run("trust", trust, "--revoke", "acme-release") == 0
    with pytest.raises(BundleSignatureError, match="revoked"):
        run("trust", trust, "--check", bundle)


def test_an_exported_bundle_takes_its_signature_along(tmp_path: Path) -> None:
    import zipfile

    bundle = tiny_bundle(tmp_path / "tiny").folder
    run("trust", tmp_path / "models.json", "--new-key", tmp_path / "k.pem", "--name", "a")
    run("sign", bundle, "--key", tmp_path / "k.pem")
    with zipfile.ZipFile(export_bundle(bundle, tmp_path / "b.zip")) as archive:
        assert any(name.endswith("/signature.json") for name in archive.namelist())


def test_keys_of_openssl_are_read(tmp_path: Path) -> None:
    private, public = tmp_path / "o.pem", tmp_path / "o.pub.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)], check=True)
    subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)], check=True)
    private.chmod(0o600)
    assert read_private(private).public_key().public_bytes_raw() == read_public(public)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_private_key_that_others_can_reach_signs_nothing(tmp_path: Path, mode: int) -> None:
    run("trust", tmp_path / "models.json", "--new-key", tmp_path / "k.pem", "--name", "a")
    (tmp_path / "k.pem").chmod(mode)
    with pytest.raises(SigningKeyError, match=f"mode {mode:04o}"):
        read_private(tmp_path / "k.pem")


def test_what_is_no_ed25519_key_is_refused_without_showing_it(tmp_path: Path) -> None:
    file = tmp_path / "k.pem"
    for content in ("", "SECRETWORD", "-----BEGIN PRIVATE KEY-----\nSECRETWORD\n-----END PRIVATE KEY-----\n"):
        file.write_text(content)
        file.chmod(0o600)
        with pytest.raises(SigningKeyError) as refused:
            read_private(file)
        assert "SECRETWORD" not in str(refused.value)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed448", "-out", str(file)], check=True)
    with pytest.raises(SigningKeyError, match="another kind"):
        read_private(file)
    with pytest.raises(SigningKeyError, match="is a private key"):
        read_public(file)
    (tmp_path / "link.pem").symlink_to(file)
    with pytest.raises(SigningKeyError, match="link"):
        read_private(tmp_path / "link.pem")


def test_a_key_is_never_written_over_and_a_name_or_key_never_added_twice(tmp_path: Path) -> None:
    trust = tmp_path / "models.json"
    run("trust", trust, "--new-key", tmp_path / "k.pem", "--name", "a")
    before = (tmp_path / "k.pem").read_bytes()
    with pytest.raises(SigningKeyError, match="cannot be made"):
        run("trust", trust, "--new-key", tmp_path / "k.pem", "--name", "b")
    assert (tmp_path / "k.pem").read_bytes() == before
    with pytest.raises(TrustFileError, match="already"):
        run("trust", trust, "--add", tmp_path / "k.pub.pem", "--name", "b")
    with pytest.raises(TrustFileError, match="nobody named 'c'; it has a"):
        run("trust", trust, "--revoke", "c")
    assert [one.name for one in read_trust(trust).keys] == ["a"]
