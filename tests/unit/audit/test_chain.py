"""A log whose lines follow one another: whatever somebody does to it is found and placed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.audit.chain import Head, read_line, verify, write_line
from vigie.audit.record import AuditEntry, method_entry, twin_entry

AT = "2026-11-28T12:00:00.000000+00:00"


def lines(count: int = 6) -> tuple[list[bytes], Head]:
    head, written = Head(), []
    for n in range(count):
        entry = method_entry("snapshot", {"camera": f"dock-{n}"}, 200, {})
        line, head = write_line(entry, head, at=AT, module="camera", boot="0badc0de")
        written.append(line)
    return written, head


def found(content: list[bytes], head: Head | None, known: Head | None = None) -> list[str]:
    return [str(one) for one in verify([("a", b"".join(content))], head, known=known).breaks]


def test_what_was_written_is_whole_in_one_file_or_several() -> None:
    written, head = lines()
    verdict = verify([("a", b"".join(written))], head)
    assert (verdict.lines, verdict.first, verdict.head, verdict.breaks) == (6, 1, head, ())
    assert verify([("a", b"".join(written[:4])), ("b", b"".join(written[4:])), ("c", b"")], head).breaks == ()
    assert verify([], Head()).breaks == ()


def test_a_removed_line_is_found_wherever_it_was() -> None:
    written, head = lines()
    for index in range(6):
        breaks = found(written[:index] + written[index + 1 :], head)
        assert len(breaks) == 1, index
        expected = (
            "begins with line 2" if index == 0 else "the end is missing" if index == 5 else f"line {index + 1} missing"
        )
        assert expected in breaks[0]


def test_a_changed_byte_is_found_wherever_it_is() -> None:
    written, head = lines(3)
    whole = b"".join(written)
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1
        assert verify([("a", bytes(changed))], head).breaks, at


def test_a_line_that_was_written_anew_with_a_fitting_sum_is_found_by_its_successor_or_the_head() -> None:
    written, head = lines()
    for index in range(6):
        before = read_line(written[index - 1][:-1]) if index else None
        start = Head(before.n, before.sum) if before else Head()
        forged, _ = write_line(method_entry("other", None, 200, {}), start, at=AT, module="camera", boot="0badc0de")
        breaks = found([*written[:index], forged, *written[index + 1 :]], head)
        assert len(breaks) == 1, index
        assert "was changed" in breaks[0]


def test_reordered_repeated_cut_and_foreign_lines_are_found() -> None:
    written, head = lines()
    swapped = [written[0], written[2], written[1], *written[3:]]
    assert any("another order" in one for one in found(swapped, head))
    assert any("repeated" in one for one in found([*written[:3], written[2], *written[3:]], head))
    assert any("cut off" in one for one in found([*written[:5], written[5][:40]], head))
    assert any("is not a line" in one for one in found([*written[:3], b"hello\n", *written[3:]], head))
    assert any("head is missing" in one for one in found(written, None))


def test_a_line_that_the_cloud_knows_betrays_a_log_that_was_written_anew_as_a_whole() -> None:
    written, head = lines()
    forged_head, forged = Head(), []
    for _ in range(6):
        line, forged_head = write_line(AuditEntry(kind="start"), forged_head, at=AT, module="camera", boot="0badc0de")
        forged.append(line)
    assert found(forged, forged_head) == [], "a local chain alone cannot tell"
    assert "not the one that was reported" in found(forged, forged_head, known=head)[0]
    assert "not the one that was reported" in found(written[:3], Head(3, read_line(written[2][:-1]).sum), known=head)[0]
    assert found(written, head, known=head) == []


@given(st.lists(st.binary(max_size=200), max_size=4), st.none() | st.builds(Head))
def test_no_content_makes_verify_raise(files: list[bytes], head: Head | None) -> None:
    verify([(str(number), content) for number, content in enumerate(files)], head)


def test_an_entry_shows_no_credentials_and_stays_small() -> None:
    secret = "rtsp://operator:hunter2@10.0.0.5/s"
    entry = twin_entry(
        3, 2, [("$.cameras.a.source", None, secret)], [("$.cameras.b.source", {"deep": [secret]}, f"no: {secret}")]
    )
    call = method_entry("add", {"source": secret, "text": "x" * 5000}, 400, {"error": secret})
    text = "".join(write_line(one, Head(), at=AT, module="m", boot="b")[0].decode() for one in (entry, call))
    assert "hunter2" not in text
    assert "10.0.0.5" in text
    assert len(text) < 3000
    many = twin_entry(3, 2, [(f"$.k{n}", n, n + 1) for n in range(1000)], [])
    assert (len(many.changed), many.more) == (64, 936)


@pytest.mark.parametrize("strange", ["\ud800", {"a": ["\udfff"]}, {"\ud800": 1}, 10**30, 1e308, [[[]]] * 50], ids=repr)
def test_whatever_a_call_carries_becomes_a_line(strange: object) -> None:
    for entry in (method_entry("x", strange, 400, {"error": strange}), twin_entry(1, 0, [("$.a", strange, 1)], [])):
        line, _ = write_line(entry, Head(), at=AT, module="m", boot="b")
        assert read_line(line[:-1]).entry == entry


@pytest.mark.parametrize(
    ("refused", "options", "result"),
    [([], {}, "accepted"), ([("$.a", 1, "x")], {}, "partly"), ([("$", {}, "x")], {"whole": True}, "refused"),
     ([("$", {}, "x")], {"whole": True, "failed": True}, "failed")],
)  # fmt: skip
def test_the_result_of_a_version_is_one_of_four(
    refused: list[tuple[str, object, str]], options: dict[str, bool], result: str
) -> None:
    assert twin_entry(1, None, [], refused, **options).result == result
