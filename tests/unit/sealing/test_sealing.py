"""Records sealed with the device's key: who opens them, who does not, and what a key file may look like."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from vigie.errors import ConfigRefusedError, SealedError
from vigie.sealing import ID_BYTES, MAGIC, OVERHEAD_BYTES, BrokenSealError, Key, Seals, is_sealed, key_of, read_seals

OLD, NEW = Key(bytes(range(32))), Key(bytes(range(1, 33)))


def key_file(path: Path, *keys: Key, mode: int = 0o640, text: bytes | None = None) -> dict[str, Any]:
    path.write_bytes(b"".join(base64.b64encode(key.secret) + b"\n" for key in keys) if text is None else text)
    path.chmod(mode)
    return {"VIGIE_AT_REST_KEY": str(path)}


def test_what_is_sealed_shows_nothing_and_opens_with_its_key_and_what_it_is_about() -> None:
    seals = Seals((NEW,))
    stored = seals.close(b'{"label": "person"}', "dock-1")
    assert is_sealed(stored)
    assert b"person" not in stored
    assert len(stored) == len(b'{"label": "person"}') + OVERHEAD_BYTES
    assert seals.open(stored, "dock-1") == b'{"label": "person"}'
    assert seals.close(b"same", "x") != seals.close(b"same", "x")
    with pytest.raises(BrokenSealError):
        seals.open(stored, "dock-2")
    for place in (10, 25, len(stored) - 1):
        changed = bytearray(stored)
        changed[place] ^= 1
        with pytest.raises(BrokenSealError):
            seals.open(bytes(changed), "dock-1")
    with pytest.raises(BrokenSealError, match="cut off"):
        seals.open(stored[:20], "dock-1")


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    stored = Seals((OLD,)).close(b"before", "a")
    both = Seals((NEW, OLD))
    assert both.open(stored, "a") == b"before"
    assert key_of(both.close(b"now", "a")) == both.name == NEW.name
    assert OLD.name != NEW.name


def test_without_the_key_it_is_refused_by_its_name_and_what_is_clear_is_read() -> None:
    stored = Seals((OLD,)).close(b"before", "a")
    for seals, here in ((Seals(), "no key is given"), (Seals((NEW,)), f"here are {NEW.name}")):
        with pytest.raises(SealedError, match=here) as refused:
            seals.open(stored, "a")
        assert refused.value.needed == OLD.name
        assert seals.open(b'{"x": 1}', "a") == b'{"x": 1}'
    assert Seals().close(b"clear", "a") == b"clear"
    assert Seals().name is None


def test_a_file_gives_its_keys_in_order(tmp_path: Path) -> None:
    seals = read_seals(key_file(tmp_path / "key", NEW, OLD))
    assert seals.name == NEW.name
    assert seals.open(Seals((OLD,)).close(b"x", "a"), "a") == b"x"
    assert read_seals({}).name is None
    assert read_seals({"VIGIE_AT_REST_KEY": ""}).name is None


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        (b"", 0o640, "holds no key"),
        (b"c2hvcnQ=\n", 0o640, "line 1: expected 32 bytes"),
        (b"not base64 at all, hunter2\n", 0o640, "line 1: expected 32 bytes"),
        (base64.b64encode(bytes(32)) + b"\n" + base64.b64encode(bytes(32)), 0o640, "holds a key twice"),
        (base64.b64encode(bytes(32)), 0o644, "open to every user"),
        (b"\n" * 5000, 0o640, "more than 4096 bytes"),
    ],
)
def test_a_key_file_that_is_none_is_refused_and_not_shown(tmp_path: Path, text: Any, mode: int, reason: str) -> None:
    with pytest.raises(ConfigRefusedError, match=reason) as refused:
        read_seals(key_file(tmp_path / "key", text=text, mode=mode))
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_missing_a_link_or_a_pipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefusedError, match="cannot be read"):
        read_seals({"VIGIE_AT_REST_KEY": str(tmp_path / "nowhere")})
    key_file(tmp_path / "key", NEW)
    (tmp_path / "link").symlink_to(tmp_path / "key")
    with pytest.raises(ConfigRefusedError, match="cannot be read"):
        read_seals({"VIGIE_AT_REST_KEY": str(tmp_path / "link")})
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigRefusedError, match="not a plain file"):
        read_seals({"VIGIE_AT_REST_KEY": str(tmp_path / "pipe")})


def test_no_text_shows_a_key() -> None:
    assert NEW.secret.hex() not in repr(NEW)
    assert "x01" not in repr(NEW)


@pytest.mark.parametrize("bit", range(8 * ID_BYTES))
def test_a_flipped_bit_in_the_name_of_the_key_asks_for_no_other_key(bit: int) -> None:
    key, other = Key(bytes(range(32))), Key(bytes(range(1, 33)))
    stored = bytearray(Seals((key,)).close(b"an item", "place"))
    stored[len(MAGIC) + bit // 8] ^= 1 << bit % 8
    assert Seals((other, key)).open(bytes(stored), "place") == b"an item"
    with pytest.raises(SealedError):
        Seals((other,)).open(bytes(stored), "place")
    with pytest.raises(SealedError):
        Seals((other, key)).open(bytes(stored), "another place")
