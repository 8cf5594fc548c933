"""The inference module takes the bundles that its device trusts, whatever a twin says; the former model serves on."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import models
from support.inference import inference, picture
from support.signing import signer, trust_file
from vigie_devkit.models.importer import import_model

HW = (64, 96)
ACME = signer("acme-release")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    made = {
        name: import_model(
            models.save(models.yolox(hw), folder, f"{name}.onnx"), folder / name, name=name, labels=list(models.NAMES)
        )
        for name, hw in (("signed", HW), ("unsigned", (96, 96)), ("stranger", (96, 64)))
    }
    ACME.sign(made["signed"])
    signer("stranger").sign(made["stranger"])
    return made


async def test_an_unsigned_or_strangers_bundle_is_refused_with_the_reason_while_the_signed_one_serves(
    tmp_path: Path, bundles: dict[str, Path]
) -> None:
    trust = trust_file(tmp_path / "trust.json", ACME.trusted())
    async with inference(tmp_path, model_trust=trust) as bench:
        spec = await bench.serve(bundles["signed"], runtime={"measure": "off"})
        state = bench.reported()["model_state"]["signature"]
        assert (state["state"], state["name"], state["key"]) == ("trusted", "acme-release", ACME.trusted().id)
        for name, reason in (("unsigned", "is not signed"), ("stranger", "which this device does not trust")):
            answer = await bench.desire(model={"path": str(bundles[name])}, runtime={"measure": "off"})
            assert answer["model"]["ac"] == 400
            assert reason in answer["model"]["ad"]
            assert (await bench.answered(picture(1, HW), spec.version)).model == spec.version
        assert bench.reported()["model_state"]["signature"] == state
        # No desired property turns it off.
        for hostile in ({"require_signature": False}, {"model_trust": "/tmp/mine.json"}):
            answer = await bench.desire(model={"path": str(bundles["unsigned"])}, **hostile)
            assert answer["model"]["ac"] == 400
            assert answer[next(iter(hostile))]["ac"] == 400
            assert bench.reported()["model_state"]["signature"] == state


async def test_a_key_that_is_revoked_on_the_device_opens_no_bundle_after_a_restart(
    tmp_path: Path, bundles: dict[str, Path]
) -> None:
    trust = trust_file(tmp_path / "trust.json", ACME.trusted())
    async with inference(tmp_path, model_trust=trust) as bench:
        await bench.serve(bundles["signed"], runtime={"measure": "off"})
    trust_file(trust, ACME.trusted(revoked=True))
    async with inference(tmp_path, model_trust=trust) as bench:
        answer = await bench.desire(model={"path": str(bundles["signed"])}, runtime={"measure": "off"})
        assert answer["model"]["ac"] == 400
        assert "revoked" in answer["model"]["ad"]


async def test_where_the_environment_requires_signatures_a_missing_file_of_keys_opens_nothing(
    tmp_path: Path, bundles: dict[str, Path]
) -> None:
    async with inference(tmp_path, model_trust=tmp_path / "absent.json") as bench:
        answer = await bench.desire(model={"path": str(bundles["signed"])}, runtime={"measure": "off"})
        assert answer["model"]["ac"] == 400
        assert "absent.json" in answer["model"]["ad"]


async def test_without_trusted_keys_a_bundle_serves_and_is_reported_for_what_it_is(
    tmp_path: Path, bundles: dict[str, Path]
) -> None:
    async with inference(tmp_path) as bench:
        await bench.serve(bundles["stranger"], runtime={"measure": "off"})
        assert bench.reported()["model_state"]["signature"]["state"] == "unknown_key"
        await bench.serve(bundles["unsigned"], runtime={"measure": "off"})
        assert bench.reported()["model_state"]["signature"]["state"] == "unsigned"
