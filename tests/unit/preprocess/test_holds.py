"""Frames that a slow model works on stay in their camera's ring until it has answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from support.modules import until
from support.preprocess import FRAME_HW, SPEC, Bench, item, picture, preprocess
from vigie.contracts.envelope import Envelope
from vigie.contracts.pixels import RingReference
from vigie.contracts.tensors import TensorItem
from vigie.errors import FrameGoneError
from vigie.frames import CursorWriter, RingPool, RingWriter
from vigie_preprocess.holds import LONGEST_S, Holds

SLOTS = 8
FRAMES_PER_ANSWER = 12


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[RingWriter]:
    with RingWriter.open(tmp_path, "dock", slot_bytes=64 * 48 * 3, slots=SLOTS) as ring:
        yield ring


def write(ring: RingWriter, seq: int) -> RingReference:
    reference = ring.write(picture(seq)[:48, :64])
    assert reference is not None, "the camera never waits for a reader"
    return reference


def there(pool: RingPool, reference: RingReference) -> bool:
    try:
        with pool.lease(reference):
            return True
    except FrameGoneError:
        return False


def test_what_is_on_its_way_and_the_last_answer_stay_and_the_camera_goes_on(tmp_path: Path, ring: RingWriter) -> None:
    pool, others = RingPool(tmp_path), RingPool(tmp_path)
    holds, sent = Holds(pool), []
    for seq in range(200):
        reference = write(ring, seq)
        frame = item(seq, reference)
        holds.take(frame)
        if seq % FRAMES_PER_ANSWER:
            holds.drop("dock", frame.trace)
        else:
            sent.append(reference)
        holds.shorten("dock", 3)
        assert [there(others, one) for one in sent[-4:]] == [True] * len(sent[-4:])
    assert not there(others, sent[-5])
    holds.close()
    for seq in range(SLOTS):
        write(ring, seq)
    assert not there(others, sent[-1]), "released, it is overwritten like any other"
    pool.close()
    others.close()


def test_a_camera_keeps_slots_to_go_on_with_whatever_is_outstanding(tmp_path: Path, ring: RingWriter) -> None:
    pool = RingPool(tmp_path)
    holds = Holds(pool)
    for seq in range(50):
        holds.take(item(seq, write(ring, seq)))
        holds.shorten("dock", 1000)
    with ring.slot((48, 64, 3)) as first, ring.slot((48, 64, 3)) as second, ring.slot((48, 64, 3)) as third:
        assert None not in (first, second, third)
    holds.close()
    pool.close()


def test_a_former_ring_and_a_camera_that_gives_nothing_more_are_let_go(tmp_path: Path, ring: RingWriter) -> None:
    pool, now = RingPool(tmp_path), [0.0]
    holds = Holds(pool, clock=lambda: now[0])
    first = write(ring, 0)
    holds.take(item(0, first))
    with RingWriter.open(tmp_path, "yard", slot_bytes=64 * 48 * 3, slots=SLOTS) as other:
        holds.take(item(1, write(other, 1)))
        for seq in range(SLOTS):
            write(ring, seq)
        assert not there(pool, first)
        newer = write(other, 2)
        holds.take(item(2, newer))
        now[0] = LONGEST_S + 1
        holds.expire()
        for seq in range(SLOTS):
            write(other, seq)
        assert not there(pool, newer)
    pool.close()


def test_a_file_whose_frames_all_count_and_a_frame_that_is_gone_are_not_held(tmp_path: Path, ring: RingWriter) -> None:
    pool = RingPool(tmp_path)
    holds = Holds(pool)
    kept, gone = write(ring, 0), write(ring, 1)
    holds.take(item(0, kept, keep=True))
    for seq in range(SLOTS):
        write(ring, seq)
    holds.take(item(1, gone))
    holds.shorten("dock", 4)
    assert not there(pool, kept)
    pool.close()


async def test_behind_a_slow_model_each_frame_is_there_when_its_answer_comes(tmp_path: Path) -> None:
    """A model that answers once in twelve frames; the module, whole, between a ring and inference's cursor."""
    async with preprocess(tmp_path) as bench:
        bench.specs.send(SPEC)
        await until(lambda: bench.reported().get("input_spec") == SPEC.version)
        with (
            RingPool(bench.folder) as others,
            closing(
                CursorWriter.open(bench.folder, sender="preprocess", output="tensors", consumer="inference")
            ) as cursor,
            RingWriter.open(bench.folder, "live", slot_bytes=FRAME_HW[0] * FRAME_HW[1] * 3, slots=SLOTS) as camera,
        ):
            references, answered = [], []
            for seq in range(20 * FRAMES_PER_ANSWER):
                reference = camera.write(picture(seq))
                assert reference is not None, "the camera never waits for a reader"
                references.append(reference)
                bench.frames.send(item(seq, reference))
                await until(lambda seq=seq: bench.metrics['vigie_frames_preprocessed_total{camera="dock"}'] == seq + 1)
                if seq % FRAMES_PER_ANSWER == FRAMES_PER_ANSWER - 1:
                    message = tensors_of(bench)[len(answered)]
                    answered += [(one.seq, there(others, references[one.seq])) for one in message.items]
                    cursor.advance(message.boot, message.sent)
        assert len(answered) == 20
        assert [seq for seq, is_there in answered if not is_there] == []


def tensors_of(bench: Bench) -> list[Envelope[TensorItem]]:
    return [
        msgspec.json.decode(message.body, type=Envelope[TensorItem])
        for message in bench.hub.upstream
        if message.output == "tensors"
    ]
