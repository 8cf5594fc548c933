"""The hub's packets, names, twins, routes and tokens; manifests."""

from __future__ import annotations

import contextlib
from pathlib import Path

from fuzz.registry import ROOT, Call, target, template
from support.mutation import Mutations


@target
def mqtt_packets(_: Path) -> tuple[Mutations, Call]:
    from vigie_edgehub.mqtt.codec import MalformedPacket, PacketReader, encode
    from vigie_edgehub.mqtt.packets import Connect, PingReq, PubAck, Publish, Subscribe

    topic = "devices/box/modules/a/messages/events/%24.on=out&%24.ct=application%2Fjson/"
    packets = [
        Connect(client_id="box/a", username="hub/box/a/?api-version=2018-06-30", password=b"SharedAccessSignature x"),
        Publish(topic=topic, payload=b"{}", qos=1, packet_id=7),
        Subscribe(packet_id=3, filters=(("$iothub/twin/res/#", 0),)),
        PubAck(7),
        PingReq(),
    ]  # fmt: skip
    wires = [encode(packet) for packet in packets]

    def call(data: bytes) -> None:
        reader = PacketReader(max_publish_bytes=256, hard_cap_bytes=4096)
        with contextlib.suppress(MalformedPacket):
            for at in range(0, len(data), 97):
                reader.feed(data[at : at + 97])
                list(reader.packets())
                assert reader.buffered_bytes <= at + 97

    return Mutations([*wires, b"".join(wires)]), call


@target
def mqtt_names(_: Path) -> tuple[Mutations, Call]:
    from vigie_edgehub.mqtt.topics import TopicRefused, parse_inbound, subscription_of
    from vigie_edgehub.mqtt.usernames import UsernameRefused, parse_username
    from vigie_edgehub.shell.tokens import TokenRefusedError, check_token

    seeds = [
        b"devices/box/modules/a/messages/events/%24.on=out&%24.ct=application%2Fjson/", b"$iothub/twin/GET/?$rid=1",
        b"$iothub/twin/PATCH/properties/reported/?$rid=2", b"$iothub/methods/res/200/?$rid=3",
        b"hub.local/box/a/?api-version=2018-06-30&DeviceClientType=py-azure-iot-device%2F2.14.0",
        b"SharedAccessSignature sr=hub.local%2Fdevices%2Fbox%2Fmodules%2Fa&sig=AAAA%3D&se=1900000000",
    ]  # fmt: skip

    def call(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        with contextlib.suppress(TopicRefused):
            parse_inbound(text)
        subscription_of(text, "box", "a")
        with contextlib.suppress(UsernameRefused):
            parse_username(text)
        with contextlib.suppress(TokenRefusedError):
            check_token(
                text, hostnames=["hub.local"], device="box", module="a", keys=["c2VjcmV0"], now=1.0, grace_s=0.0
            )
            raise AssertionError("a forged token was believed")

    return Mutations(seeds), call


@target
def hub_twins_and_routes(_: Path) -> tuple[Mutations, Call]:
    from vigie_edgehub.errors import HubConfigRefusedError
    from vigie_edgehub.ports import HubRefusalError
    from vigie_edgehub.routes.config import parse_edgehub_desired
    from vigie_edgehub.state.json_bytes import decode_json, encode_json
    from vigie_edgehub.state.twin_limits import check_patch, check_reported, check_size

    desired = template()["modulesContent"]["$edgeHub"]["properties.desired"]
    condition = (
        "FROM /messages/modules/a/outputs/* WHERE $body.x[0].y > 1.5 AND NOT (t = 'a' OR length(b) < 3) INTO $upstream"
    )
    seeds = [desired, {**desired, "routes": {"a": condition}}, {"fps": 1, "deep": {"a": {"b": [1, "x"]}}, "gone": None}]

    def call(data: bytes) -> None:
        try:
            tree = decode_json(data)
        except (ValueError, RecursionError):
            return
        for check in (lambda: check_patch(tree, what="desired"), lambda: check_reported(tree)):
            with contextlib.suppress(HubRefusalError):
                check()
                encode_json(tree)  # what the hub took it can send on
        if isinstance(tree, dict):
            with contextlib.suppress(HubRefusalError):
                check_size(tree, what="tags")
            with contextlib.suppress(HubConfigRefusedError):
                parse_edgehub_desired(tree)

    return Mutations(seeds), call


@target
def manifests(_: Path) -> tuple[Mutations, Call]:
    from vigie_devkit.manifest.compose import compose_text
    from vigie_devkit.manifest.errors import ManifestError
    from vigie_devkit.manifest.images import module_files
    from vigie_devkit.manifest.json_text import parse_json
    from vigie_devkit.manifest.lint import lint
    from vigie_devkit.manifest.render import RenderTarget as Platform
    from vigie_devkit.manifest.render import render

    files = module_files(ROOT / "modules")
    platform = Platform("amd64", files, {"CONTAINER_REGISTRY_SERVER": "r.example.com"})

    def call(data: bytes) -> None:
        try:
            tree = parse_json(data.decode())
        except ValueError:
            return
        if not isinstance(tree, dict):
            return
        for tool in (lambda: lint(tree), lambda: render(tree, platform), lambda: compose_text(tree, files)):
            with contextlib.suppress(ManifestError):
                tool()

    return Mutations([template()]), call


@target
def http_of_the_hub(_: Path) -> tuple[Mutations, Call]:
    from vigie_edgehub.ports import HubRefusalError, ServiceSettings
    from vigie_edgehub.service.credentials import ConnectionString, check_authorization

    settings = ServiceSettings(
        listen="127.0.0.1",
        port=443,
        policy_name="iothubowner",
        policy_key="c2VjcmV0",
        hostnames=frozenset({"hub.local"}),
    )
    line = ConnectionString(settings.listen, settings.policy_name, settings.policy_key)
    seeds = [str(line).encode(), line.token(1_900_000_000).encode()]

    def call(data: bytes) -> None:
        text = data.decode("latin-1")
        with contextlib.suppress(ValueError):
            ConnectionString.parse(text)
        with contextlib.suppress(HubRefusalError):
            check_authorization(text, "/twins/box", settings, 443, 1.0)

    return Mutations(seeds), call
