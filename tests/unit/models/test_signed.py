"""Whose bundles a device takes: signatures, trusted keys, and everything that somebody could change."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from support.signing import signer, trust_file
from support.tiny_bundle import tiny_bundle
from vigie.errors import BundleError, BundleSignatureError, TrustFileError
from vigie.models import load_bundle
from vigie.models.card import write_card
from vigie.models.signed import SIGNATURE_FILE, SignedBy
from vigie.models.trust import TrustedKey, TrustFile, TrustPolicy, judge, read_trust

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
ACME = signer("acme-release")


def trusting(*keys: TrustedKey, require: bool = True) -> TrustFile:
    return TrustFile(require_signature=require, keys=keys or (ACME.trusted(),))


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    folder = tiny_bundle(tmp_path / "tiny").folder
    ACME.sign(folder, AT)
    return folder


def test_a_signed_bundle_is_trusted_by_the_name_of_its_signer(signed: Path) -> None:
    key = ACME.trusted()
    assert judge(load_bundle(signed), trusting()) == SignedBy(
        "trusted", "acme-release", key.id, "2026-11-28T12:00:00+00:00"
    )
    # Wherever the folder lies: what was signed is the content.
    moved = signed.rename(signed.with_name("elsewhere"))
    assert judge(load_bundle(moved), trusting()).state == "trusted"


def change_the_card(folder: Path) -> None:
    card = load_bundle(folder).card
    changed = msgspec.structs.replace(card, thresholds=msgspec.structs.replace(card.thresholds, score_min=1.0))
    (folder / "card.yaml").write_bytes(write_card(changed))


def change_a_byte_of_yaml(folder: Path) -> None:
    with (folder / "card.yaml").open("ab") as file:
        file.write(b"\n")


def change_the_model_and_its_hash(folder: Path) -> None:
    other = tiny_bundle(folder.with_name("other"), output_shape=[-1, 3]).folder
    for name in ("card.yaml", load_bundle(other).variant().file.name):
        (folder / name).write_bytes((other / name).read_bytes())


def add_a_file(folder: Path) -> None:
    (folder / "extra.bin").write_bytes(b"")


def add_a_file_below(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "extra.bin").write_bytes(b"")


def add_a_link(folder: Path) -> None:
    (folder / "extra").symlink_to("/etc/passwd")


def backdate(folder: Path) -> None:
    file = folder / SIGNATURE_FILE
    file.write_text(file.read_text().replace("2026-11-28", "2026-11-27"))


def take_the_signature_of_another(folder: Path) -> None:
    other = tiny_bundle(folder.with_name("other"), hw=(6, 6)).folder
    ACME.sign(other, AT)
    (folder / SIGNATURE_FILE).write_bytes((other / SIGNATURE_FILE).read_bytes())


def break_the_signature(folder: Path) -> None:
    (folder / SIGNATURE_FILE).write_bytes(b'{"schema": "vigie.signature/1"')


def flip_a_bit_of_it(folder: Path) -> None:
    file = folder / SIGNATURE_FILE
    tree = json.loads(file.read_text())
    first = tree["signature"][0]
    tree["signature"] = ("A" if first != "A" else "B") + tree["signature"][1:]
    file.write_text(json.dumps(tree))


def spell_it_another_way(folder: Path) -> None:
    """The same 64 bytes in base64: the last character before the padding has four bits that nobody reads."""
    file = folder / SIGNATURE_FILE
    tree = json.loads(file.read_text())
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet[alphabet.index(tree["signature"][-3]) ^ 1]
    other = tree["signature"][:-3] + last + "=="
    assert base64.b64decode(other) == base64.b64decode(tree["signature"])
    tree["signature"] = other
    file.write_text(json.dumps(tree))


def claim_another_key(folder: Path) -> None:
    """Signed by a stranger, said to be by the trusted one."""
    stranger = signer("stranger")
    stranger.sign(folder, AT)
    file = folder / SIGNATURE_FILE
    file.write_text(file.read_text().replace(stranger.trusted().id, ACME.trusted().id))


@pytest.mark.parametrize("require", [True, False], ids=["required", "not required"])
@pytest.mark.parametrize(
    "attack",
    [
        change_the_card, change_a_byte_of_yaml, change_the_model_and_its_hash, add_a_file, add_a_file_below, add_a_link,
        backdate, take_the_signature_of_another, break_the_signature, flip_a_bit_of_it, claim_another_key,
        spell_it_another_way,
    ],
)  # fmt: skip
def test_what_was_changed_after_it_was_signed_is_refused_whether_or_not_signatures_are_required(
    signed: Path, attack: Callable[[Path], None], require: bool
) -> None:
    attack(signed)
    with pytest.raises(BundleSignatureError):
        judge(load_bundle(signed), trusting(require=require))


def test_a_signature_behind_a_link_is_not_followed(signed: Path) -> None:
    file = signed / SIGNATURE_FILE
    file.rename(signed.parent / "elsewhere.json")
    file.symlink_to(signed.parent / "elsewhere.json")
    with pytest.raises(BundleError, match="link"):
        judge(load_bundle(signed), trusting())


def test_an_unsigned_or_unknown_bundle_is_taken_only_where_no_signature_is_required(signed: Path) -> None:
    stranger = trusting(signer("stranger").trusted(), require=False)
    assert judge(load_bundle(signed), stranger).state == "unknown_key"
    with pytest.raises(BundleSignatureError, match=f"key {ACME.trusted().id}, which this device does not trust"):
        judge(load_bundle(signed), msgspec.structs.replace(stranger, require_signature=True))
    (signed / SIGNATURE_FILE).unlink()
    assert judge(load_bundle(signed), trusting(require=False)) == SignedBy("unsigned")
    with pytest.raises(BundleSignatureError, match="is not signed and this device requires it"):
        judge(load_bundle(signed), trusting())


@pytest.mark.parametrize("require", [True, False])
def test_a_revoked_key_counts_for_nothing_and_an_expired_one_for_what_it_signed_before(
    signed: Path, require: bool
) -> None:
    bundle = load_bundle(signed)
    with pytest.raises(BundleSignatureError, match="revoked"):
        judge(bundle, trusting(ACME.trusted(revoked=True), require=require))
    assert judge(bundle, trusting(ACME.trusted(not_after=AT), require=require)).state == "trusted"
    with pytest.raises(BundleSignatureError, match="after the key's last day"):
        judge(bundle, trusting(ACME.trusted(not_after=AT - timedelta(seconds=1)), require=require))


def test_a_missing_file_of_keys_requires_nothing_only_where_nobody_asked_for_one(tmp_path: Path) -> None:
    absent = tmp_path / "models.json"
    assert TrustPolicy(absent).read() == TrustFile()
    for policy in (TrustPolicy(absent, named=True), TrustPolicy(absent, required=True)):
        with pytest.raises(TrustFileError, match="cannot be read"):
            policy.read()
    trust_file(absent, ACME.trusted(), require=False)
    assert not TrustPolicy(absent).read().require_signature
    assert TrustPolicy(absent, required=True).read().require_signature, "the environment asks for more, never for less"


BAD = {
    "no JSON": "{",
    "another schema": '{"schema": "vigie.trust/2"}',
    "an unknown key": '{"require_signatures": true}',
    "a key that is not one": '{"keys": [{"name": "a", "key": "abc"}]}',
    "a day without a zone": '{"keys": [{"name": "a", "key": "%s", "not_after": "2027-01-01T00:00:00"}]}',
    "a name twice": '{"keys": [{"name": "a", "key": "%s"}, {"name": "a", "key": "%o"}]}',
    "a key twice": '{"keys": [{"name": "a", "key": "%s"}, {"name": "b", "key": "%s"}]}',
    "a name with a line break": '{"keys": [{"name": "a\\nb", "key": "%s"}]}',
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_file_of_keys_that_says_something_else_is_refused_whole(tmp_path: Path, text: str) -> None:
    file = tmp_path / "models.json"
    file.write_text(text.replace("%s", ACME.trusted().key).replace("%o", signer().trusted().key))
    with pytest.raises(TrustFileError):
        read_trust(file)


def test_a_file_of_keys_that_anybody_may_write_is_refused(tmp_path: Path) -> None:
    file = trust_file(tmp_path / "models.json", ACME.trusted())
    file.chmod(0o646)
    with pytest.raises(TrustFileError, match="every user"):
        read_trust(file)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(TrustFileError, match="plain file"):
        read_trust(file)
