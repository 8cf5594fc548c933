"""One frame is seen by two models: each result has its own name, tracks and counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from support import models
from support.file_server import Behaviour, serve
from support.inference import Bench, inference
from support.inference import picture as random_picture
from support.modules import until
from support.releases import HW, UNMEASURED, archive, release
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.envelope import Envelope
from vigie_devkit.models.importer import import_model


def _results(bench: Bench) -> list[DetectionsItem]:
    found: dict[tuple[str, str], DetectionsItem] = {}
    for message in bench.hub.upstream:
        if message.output == "detections":
            decoded = msgspec.json.decode(message.body, type=Envelope[DetectionsItem])
            bench.cursor.advance(decoded.boot, decoded.sent)
            found.update({(item.trace, item.lane): item for item in decoded.items})
    return list(found.values())


async def test_the_same_frame_is_answered_by_two_models_that_are_not_mixed_up(tmp_path: Path) -> None:
    first = import_model(
        models.save(models.yolox(HW), tmp_path, "first.onnx"), tmp_path / "first", name="first",
        labels=list(models.NAMES),
    )  # fmt: skip
    content = archive(first, tmp_path, "2")
    settings: dict[str, Any] = {"score": 0.3, "runtime": UNMEASURED}
    async with inference(tmp_path / "module") as bench:
        main = (await bench.serve(first, **settings)).version
        with serve(Behaviour(content)) as url:
            wanted = {**release(url, content, "2"), "beside": True}
            await bench.desire(model={"path": str(first)}, models={"people": wanted}, **settings)
            spec = await until(lambda: one if (one := bench.specs()[-1]).others else None, timeout_s=90)
        # There is nothing to compare it with, so it is not tried.
        told = await until(
            lambda: (
                one if (one := bench.reported()["models_state"]["people"])["update"]["phase"] == "committed" else {}
            ),
            timeout_s=60,
        )
        assert (told["beside"], told["cameras"]) == (True, "all")
        assert "shadowing" not in {one.state for one in bench.updates()}
        other = spec.others[0]
        assert (other.named, other.cameras, other.beside, spec.version) == ("people", (), True, main)

        for _ in range(3):
            tensor = random_picture(5, HW)
            seq = bench.send(tensor, main)
            bench.send(tensor, other.version, named="people", beside=True)
            await until(lambda seq=seq: len([one for one in _results(bench) if one.seq == seq]) == 2, timeout_s=60)
        results = _results(bench)
        assert {(one.model, one.beside or "") for one in results} == {(main, ""), (other.version, "people")}
        tracks = {
            lane: {found.track for one in results if one.lane == lane for found in one.detections if found.track}
            for lane in ("dock", "dock/people")
        }
        assert all(tracks.values()), "the same still scene three times: its objects are tracked"
        assert not tracks["dock"] & tracks["dock/people"]
        values = bench.service.metrics.values()
        assert values[f'vigie_frames_inferred_total{{camera="dock",model="{main}"}}'] == 3
        assert values[f'vigie_beside_frames_inferred_total{{camera="dock",model="{other.version}"}}'] == 3
        assert not [name for name in values if name.startswith("vigie_frames_inferred_total") and other.version in name]
