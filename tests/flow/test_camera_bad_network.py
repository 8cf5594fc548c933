"""A camera behind a network that is slow, or loses packets: told while frames still come, and over when it is good."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.bad_network import bad_network
from support.camera_module import CameraModule, camera_module, until
from support.rtsp import rtsp_server
from vigie.contracts.events import CameraDegraded, CameraUp

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def told(module: CameraModule) -> list[tuple[str, str | None]]:
    return [
        (str(type(event).__struct_config__.tag), event.cause)
        for event in module.listener.events
        if isinstance(event, CameraDegraded | CameraUp)
    ]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_camera_behind_a_bad_network_is_degraded_and_then_well_again(tmp_path: Path, transport: str) -> None:
    with rtsp_server("pattern:ball") as server, bad_network(server.port) as network:
        async with camera_module(tmp_path) as module:
            address = f"rtsp://127.0.0.1:{network.port}/live"
            module.set(door={"source": address, "rtsp_transport": transport, "expect": {"fps": 15}})
            await until(lambda: len(module.consumer.items) > 30, "frames", 60)
            await until(lambda: told(module) == [("camera-up", None)], "the first word", 60)
            if transport == "tcp":
                network.bytes_per_s = 8_000
            else:
                network.loss = 0.5
            await until(lambda: ("camera-degraded", "rate") in told(module), "told", 90)
            seen = len(module.consumer.items)
            await until(lambda: len(module.consumer.items) > seen, "frames all the same", 60)
            assert transport == "tcp" or network.lost > 10
            network.bytes_per_s, network.loss = None, 0.0
            await until(lambda: told(module)[-1] == ("camera-up", "rate"), "well again", 90)
