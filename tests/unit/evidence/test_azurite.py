"""Uploads to a real blob service: Azure's emulator, with a gate before it that fails as accounts and links do."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from support.azurite import Azurite, Gate, sas
from support.evidence_module import AT, Evidence, chosen, target
from vigie.contracts.samples import MANIFEST, Sample
from vigie.sealing import Key, Seals

BLOCK = 65_536


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")).running() as azurite:
        yield azurite


@pytest.fixture
async def evidence(tmp_path: Path, azurite: Azurite) -> AsyncIterator[Evidence]:
    await azurite.drop_container()
    await azurite.make_container()
    evidence = Evidence(tmp_path)
    evidence.secret("BLOB", sas())
    await evidence.start()
    yield evidence
    await evidence.stop()


@pytest.fixture
async def gate(azurite: Azurite) -> AsyncIterator[Gate]:
    async with Gate(azurite).serve() as gate:
        yield gate


def answer(status: int, code: str = "", headers: dict[str, str] | None = None) -> web.Response:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code></Error>' if code else ""
    return web.Response(status=status, text=body, headers=headers or {})


class Failing:
    """The same answer to every request of a kind, until it is taken away."""

    def __init__(self, gate: Gate, make: Callable[[], web.Response], only: str | None = None) -> None:
        self.answers, self.count = make, 0
        self.asked_s: list[float] = []
        self._only = only
        gate.fail = self

    def __call__(self, request: web.Request, _: bytes) -> web.Response | None:
        if self._only is not None and (request.method, request.query.get("comp")) != ("PUT", self._only):
            return None
        self.count += 1
        self.asked_s.append(time.monotonic())
        return self.answers()


async def test_a_picture_is_there_with_its_metadata_and_the_event_tells_where_without_the_token(
    evidence: Evidence, azurite: Azurite
) -> None:
    content = chosen(evidence.inbox, "gate-1")
    await evidence.configure(azure={"site": target(azurite.url, retention_days=30)})
    await evidence.until_empty()
    headers, stored = await azurite.blob("device/gate/2026-11-28/gate-1.jpg")
    assert stored == content
    assert headers["content-type"] == "image/jpeg"
    assert headers["x-ms-meta-eventid"] == "stay-gate-1"
    assert headers["x-ms-meta-retentiondays"] == "30"
    [event] = evidence.events()
    assert event["type"] == "evidence"
    assert event["url"] == f"{azurite.url}/device/gate/2026-11-28/gate-1.jpg"
    assert event["about"] == "event/zone/gate-1/new/gate-1-7"
    assert "sig=" not in json.dumps(evidence.events())
    await evidence.until(
        lambda: evidence.hub.reported("evidence").get("targets") == {"azure_site": {"state": "ok", "reason": ""}}
    )


async def test_a_clip_goes_in_blocks_and_is_compared_with_what_the_account_has(
    evidence: Evidence, azurite: Azurite, gate: Gate
) -> None:
    content = chosen(evidence.inbox, "gate-2", kind="clip", size=5 * BLOCK + 17)
    await evidence.configure(azure={"site": target(gate.url)})
    await evidence.until_empty()
    headers, stored = await azurite.blob("device/gate/2026-11-28/gate-2.mp4")
    assert stored == content
    assert headers["content-type"] == "video/mp4"
    assert (gate.count("block"), gate.count("blocklist"), gate.count("HEAD")) == (6, 1, 1)
    assert evidence.events()[0]["kind"] == "clip"


async def test_a_sealed_clip_is_uploaded_as_it_was_seen_and_goes_on_where_the_link_was_cut(
    tmp_path: Path, azurite: Azurite, gate: Gate
) -> None:
    await azurite.drop_container()
    await azurite.make_container()
    seals = Seals((Key(bytes(range(32))),))
    evidence = Evidence(tmp_path, seals)
    evidence.secret("BLOB", sas())
    await evidence.start()
    try:
        # More than one sealed record, and blocks that end within them.
        content = chosen(evidence.inbox, "gate-9", kind="clip", size=20 * BLOCK + 17, seals=seals)
        gate.cut_after = 18
        await evidence.configure(azure={"site": target(gate.url)})
        await evidence.until_state("azure.site", "waiting", "")
        waiting = b"".join(path.read_bytes() for path in (tmp_path / "state/evidence/spool").iterdir())
        assert content[:64] not in waiting
        assert content[-64:] not in waiting
        gate.cut_after = None
        await evidence.until_empty()
        headers, stored = await azurite.blob("device/gate/2026-11-28/gate-9.mp4")
        assert stored == content
        assert headers["x-ms-meta-sha256"] == hashlib.sha256(content).hexdigest()
        assert gate.count("block") == 21
    finally:
        await evidence.stop()


async def test_an_account_key_signs_what_azure_accepts(evidence: Evidence, azurite: Azurite) -> None:
    evidence.secret("ACCOUNT", azurite.connection_string)
    contents = {
        "gate-3": chosen(evidence.inbox, "gate-3"),
        "gate-4": chosen(evidence.inbox, "gate-4", kind="clip", size=3 * BLOCK),
    }
    wanted = target(azurite.url, connection_string="ACCOUNT")
    del wanted["sas"]
    await evidence.configure(azure={"site": wanted})
    await evidence.until_empty()
    assert (await azurite.blob("device/gate/2026-11-28/gate-3.jpg"))[1] == contents["gate-3"]
    assert (await azurite.blob("device/gate/2026-11-28/gate-4.mp4"))[1] == contents["gate-4"]


@pytest.mark.parametrize("secret", ["connection_string", "sas"])
async def test_the_blob_module_on_the_edge_is_spoken_to_in_its_own_version_over_http_with_either_secret(
    evidence: Evidence, azurite: Azurite, gate: Gate, secret: str
) -> None:
    """Azure Blob Storage on IoT Edge: plain HTTP inside the device, account in the path, x-ms-version 2017-04-17."""
    spoken: set[str] = set()

    def note(request: web.Request, _: bytes) -> None:
        spoken.add(request.headers["x-ms-version"])

    gate.fail = note
    evidence.secret(
        "EDGE", sas() if secret == "sas" else azurite.connection_string.replace(azurite.base, gate_of(gate))
    )
    contents = {
        "gate-5": chosen(evidence.inbox, "gate-5"),
        "gate-6": chosen(evidence.inbox, "gate-6", kind="clip", size=3 * BLOCK),
    }
    wanted = target(gate.url, api_version="2017-04-17", retention_days=30)
    del wanted["sas"]
    await evidence.configure(azure={"edge": wanted | {secret: "EDGE"}})
    await evidence.until_empty()
    for name, content in contents.items():
        headers, stored = await azurite.blob(f"device/gate/2026-11-28/{name}.{'mp4' if name == 'gate-6' else 'jpg'}")
        assert stored == content
        assert headers["x-ms-meta-retentiondays"] == "30"
    assert spoken == {"2017-04-17"}
    assert [one.get("verified", True) for one in evidence.events()] == [True, True]


def gate_of(gate: Gate) -> str:
    return f"http://127.0.0.1:{gate.port}"


async def test_a_link_that_is_cut_goes_on_with_the_block_that_is_missing(
    evidence: Evidence, azurite: Azurite, gate: Gate
) -> None:
    content = chosen(evidence.inbox, "gate-5", kind="clip", size=12 * BLOCK)
    gate.cut_after = 5
    await evidence.configure(azure={"site": target(gate.url)})
    await evidence.until_state("azure.site", "waiting", "")
    gate.cut_after = None
    await evidence.until_empty()
    assert (await azurite.blob("device/gate/2026-11-28/gate-5.mp4"))[1] == content
    assert gate.count("block") == 12
    assert evidence.metric('vigie_evidence_blocks_resumed_total{target="azure.site"}') == 5


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: answer(503, "ServerBusy"), "503 ServerBusy"),
        (lambda: answer(500, "OperationTimedOut"), "500 OperationTimedOut"),
        (lambda: answer(429), "429"),
        (lambda: answer(400, "Md5Mismatch"), "what arrived is not what was sent"),
        (lambda: answer(409, "ContainerBeingDeleted"), "409 ContainerBeingDeleted"),
        (
            lambda: answer(403, "AuthenticationFailed", {"date": "Sat, 28 Nov 2020 10:00:00 GMT"}),
            "ahead of the storage",
        ),
        (lambda: answer(302, headers={"location": "https://example.com/"}), "302"),
    ],
    ids=["busy", "internal", "throttled", "md5", "container being deleted", "clock skew", "redirect"],
)
async def test_what_may_pass_is_tried_again_until_it_is_taken(
    evidence: Evidence, azurite: Azurite, gate: Gate, wrong: Callable[..., Any], reason: str
) -> None:
    content = chosen(evidence.inbox, "gate-6")
    failing = Failing(gate, wrong)
    await evidence.configure(azure={"site": target(gate.url)})
    await evidence.until_state("azure.site", "waiting", reason)
    gate.fail = lambda *_: None
    await evidence.until_empty()
    assert (await azurite.blob("device/gate/2026-11-28/gate-6.jpg"))[1] == content
    assert evidence.metric('vigie_evidence_failed_total{target="azure.site"}') == failing.count


async def test_an_account_that_says_when_is_not_asked_sooner(evidence: Evidence, azurite: Azurite, gate: Gate) -> None:
    chosen(evidence.inbox, "gate-15")
    failing = Failing(gate, lambda: answer(503, "ServerBusy", {"retry-after": "3"}))
    await evidence.configure(azure={"site": target(gate.url)})
    await evidence.until(lambda: failing.count >= 2)
    # By the account's own watch, so a slow machine can only make it longer.
    assert failing.asked_s[1] - failing.asked_s[0] >= 3.0
    gate.fail = lambda *_: None
    await evidence.until_empty()


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (lambda: sas(lasts=timedelta(minutes=-1), begins=timedelta(hours=-2)), "the token expired at"),
        (lambda: sas(begins=timedelta(hours=1), lasts=timedelta(hours=2)), "not valid there"),
        (lambda: sas()[:-10] + "AAAAAAAA%3D", "not valid there"),
        (lambda: sas("r"), "is a SAS that allows 'r'"),
        (lambda: "https://account.blob.core.windows.net/x?sv=1", "is not a SAS"),
    ],
    ids=["expired", "not yet", "wrong signature", "read only", "an address"],
)
async def test_a_token_that_does_not_work_is_named_and_a_new_one_is_in_force_at_once(
    evidence: Evidence, azurite: Azurite, token: Callable[..., Any], reason: str
) -> None:
    evidence.secret("BLOB", token())
    content = chosen(evidence.inbox, "gate-7")
    await evidence.configure(azure={"site": target(azurite.url)})
    waiting = await evidence.until_state("azure.site", "waiting", reason)
    assert token()[-12:] not in waiting["reason"]
    evidence.secret("BLOB", sas())
    await evidence.until_empty()
    assert (await azurite.blob("device/gate/2026-11-28/gate-7.jpg"))[1] == content


async def test_a_token_without_read_uploads_and_says_that_nobody_looked(evidence: Evidence, azurite: Azurite) -> None:
    evidence.secret("BLOB", sas("cw"))
    content = chosen(evidence.inbox, "gate-8", kind="clip", size=2 * BLOCK)
    await evidence.configure(azure={"site": target(azurite.url)})
    await evidence.until_empty()
    assert (await azurite.blob("device/gate/2026-11-28/gate-8.mp4"))[1] == content
    assert evidence.events()[0]["verified"] is False


async def test_a_container_that_is_missing_is_named_and_what_waits_goes_when_it_is_made(
    evidence: Evidence, azurite: Azurite
) -> None:
    await azurite.drop_container()
    chosen(evidence.inbox, "gate-9")
    await evidence.configure(azure={"site": target(azurite.url)})
    await evidence.until_state("azure.site", "waiting", "the container does not exist")
    await azurite.make_container()
    await evidence.until_empty()
    assert await azurite.blobs() == ["device/gate/2026-11-28/gate-9.jpg"]


async def test_blocks_that_the_account_forgot_are_sent_again(evidence: Evidence, azurite: Azurite, gate: Gate) -> None:
    content = chosen(evidence.inbox, "gate-10", kind="clip", size=3 * BLOCK)
    Failing(gate, lambda: answer(400, "InvalidBlockList"), only="blocklist")
    await evidence.configure(azure={"site": target(gate.url)})
    await evidence.until_state("azure.site", "waiting", "blocks that were sent before are gone")
    gate.fail = lambda *_: None
    await evidence.until_empty()
    assert (await azurite.blob("device/gate/2026-11-28/gate-10.mp4"))[1] == content


async def test_another_blob_of_that_name_is_left_as_it_is_and_the_upload_is_given_up(
    evidence: Evidence, azurite: Azurite
) -> None:
    chosen(evidence.inbox, "gate-11")
    await evidence.configure(azure={"site": target(azurite.url)})
    await evidence.until_empty()
    _, first = await azurite.blob("device/gate/2026-11-28/gate-11.jpg")
    (evidence.inbox / "gate-11.json").unlink()
    await evidence.until(lambda: "gate-11" not in evidence.taken())
    chosen(evidence.inbox, "gate-11", size=999)
    await evidence.until(lambda: evidence.metric('vigie_items_dropped_total{camera="gate",reason="refused"}') == 1)
    assert (await azurite.blob("device/gate/2026-11-28/gate-11.jpg"))[1] == first
    assert len(evidence.events()) == 1


async def test_what_was_committed_before_a_kill_is_found_and_not_sent_twice(
    evidence: Evidence, azurite: Azurite, gate: Gate
) -> None:
    content = chosen(evidence.inbox, "gate-12", kind="clip", size=4 * BLOCK)
    await evidence.configure(azure={"site": target(gate.url)})
    await evidence.until_empty()
    blocks = gate.count("block")
    (evidence.folder / "state/evidence/taken.json").unlink()
    await evidence.stop()
    await evidence.start()
    await evidence.configure(azure={"site": target(gate.url)})
    await evidence.until(lambda: len(evidence.events()) == 2)
    await evidence.until_empty()
    assert gate.count("block") == blocks
    first, second = evidence.events()
    assert first == second
    assert (await azurite.blob("device/gate/2026-11-28/gate-12.mp4"))[1] == content


async def test_an_unknown_ca_is_refused_and_the_right_one_accepted(tmp_path: Path) -> None:
    with Azurite(tmp_path / "tls", tls=True).running() as azurite:
        await azurite.make_container()
        evidence = Evidence(tmp_path / "device")
        evidence.secret("BLOB", sas(), "localhost")
        (evidence.folder / "secrets/storage-ca.pem").write_bytes(azurite.ca.read_bytes())
        await evidence.start()
        try:
            content = chosen(evidence.inbox, "gate-13")
            await evidence.configure(azure={"site": target(azurite.url)})
            await evidence.until_state("azure.site", "waiting", "certificate")
            assert await azurite.blobs() == []
            await evidence.configure(azure={"site": target(azurite.url, ca="storage-ca.pem")})
            await evidence.until_empty()
            assert (await azurite.blob("device/gate/2026-11-28/gate-13.jpg"))[1] == content
        finally:
            await evidence.stop()


async def test_a_secret_of_another_host_is_not_sent(evidence: Evidence, gate: Gate) -> None:
    evidence.secret("BLOB", sas(), "account.blob.core.windows.net")
    chosen(evidence.inbox, "gate-14")
    await evidence.configure(azure={"site": target(gate.url)})
    await evidence.until_state("azure.site", "waiting", "is not for the host '127.0.0.1'")
    assert gate.requests == []


async def test_samples_have_a_manifest_beside_them_that_grows_and_names_each_picture(
    evidence: Evidence, azurite: Azurite
) -> None:
    for number in range(3):
        sample(evidence.inbox, f"gate-sample-{number}")
    await evidence.configure(azure={"site": target(azurite.url)})
    folder = "samples/device/2026-11-28"
    await until_manifest(evidence, azurite, 3)
    sample(evidence.inbox, "gate-sample-3")
    lines = await until_manifest(evidence, azurite, 4)
    for line in lines:
        _, stored = await azurite.blob(f"{folder}/{line.picture}")
        assert hashlib.sha256(stored).hexdigest() == line.sha256
    assert evidence.events() == []


def sample(folder: Path, name: str) -> None:
    content = random.Random(name).randbytes(30_000)
    of = Sample(
        picture=f"{name}.jpg", sha256=hashlib.sha256(content).hexdigest(), camera="gate", trace=f"gate-{name}",
        captured_at=AT, frame_hw=(360, 640), model="parts/1", reasons=("random",),
    )  # fmt: skip
    chosen(folder, name, kind="sample", about=None, sample=of)


async def until_manifest(evidence: Evidence, azurite: Azurite, count: int) -> list[Sample]:
    async with asyncio.timeout(60):
        while True:
            await evidence.until_empty()
            if f"samples/device/2026-11-28/{MANIFEST}" in await azurite.blobs():
                _, body = await azurite.blob(f"samples/device/2026-11-28/{MANIFEST}")
                lines = [msgspec.json.decode(line, type=Sample) for line in body.splitlines()]
                if len(lines) == count:
                    return lines
            await asyncio.sleep(0.05)


async def test_send_test_file_answers_with_the_address(evidence: Evidence, azurite: Azurite) -> None:
    await evidence.configure(azure={"site": target(azurite.url)})
    status, reply = await evidence.method("send_test_file", {"target": "azure.site"})
    assert status == 200, reply
    assert reply["url"].startswith(f"{azurite.url}/test/device/")
    status, reply = await evidence.method("send_test_file", {"target": "azure.other"})
    assert (status, "there are: azure.site" in reply["error"]) == (404, True)
