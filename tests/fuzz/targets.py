"""Every parser that faces bytes of others: valid seeds, and a call that may refuse in its own words only.

A call with a ``close`` holds something that runs (a hub, an endpoint), which must be alive and well at the end.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
import ssl
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from support import models
from support.mutation import Mutations
from support.signing import signer, trust_file
from support.tiny_bundle import tiny_bundle

ROOT = Path(__file__).parents[2]
Call = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """``open``: makes inputs and the call, once per run; imports happen there."""

    name: str
    open: Callable[[Path], tuple[Mutations, Call]]


TARGETS: list[Target] = []


def target(function: Callable[[Path], tuple[Mutations, Call]]) -> Callable[..., Any]:
    TARGETS.append(Target(function.__name__, function))
    return function


@cache
def template() -> Any:
    return json.loads((ROOT / "deployment.template.json").read_text(encoding="utf-8"))


def parsed(data: bytes) -> Any:
    """JSON as the hub and the SDK read it; None for what is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


# -- messages ---------------------------------------------------------------------------------------------------------


@target
def messages(_: Path) -> tuple[Mutations, Call]:
    from vigie.messaging.inputs import InputQueue
    from vigie.messaging.schemas import _SCHEMAS
    from vigie.messaging.session import RawMessage
    from vigie.metrics import Metrics

    class Nobody:
        def processed(self, *_: Any, **__: Any) -> None: ...

    queues = [
        InputQueue("in", kind, schema, capacity=4, acknowledge=Nobody(), metrics=Metrics())
        for kind, schema in _SCHEMAS.items()
    ]
    seeds = [_envelope(kind, str(schema)) for kind, schema in _SCHEMAS.items()]

    def call(data: bytes) -> None:
        for queue in queues:
            queue.put(RawMessage("in", data, {}, 0))
            while (received := queue.get(0.0)) is not None:
                received.done()

    return Mutations(seeds), call


def _envelope(kind: Any, schema: str) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        item[field.encode_name] = _example(field.type)
    return {"schema": schema, "module": "camera", "boot": "0badc0de", "sent": 1, "items": [item]}


def _example(kind: Any) -> Any:
    schema = msgspec.json.schema(kind)
    return _of(schema, schema.get("$defs", {}))


def _of(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _of(known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" in schema:
        return _of(schema["anyOf"][0], known)
    if "enum" in schema or "const" in schema:
        return schema["enum"][0] if "enum" in schema else schema["const"]
    match schema.get("type"):
        case "object":
            return {name: _of(one, known) for name, one in schema.get("properties", {}).items()}
        case "array":
            inner = (
                schema.get("prefixItems") or [schema["items"]] * 2
                if "items" in schema
                else schema.get("prefixItems", [])
            )
            return [_of(one, known) for one in inner if isinstance(one, dict)]
        case "integer":
            return 1
        case "number":
            return 0.5
        case "boolean":
            return True
        case "string":
            return "2026-01-01T00:00:00.000000+00:00" if "date" in str(schema) else "dock"
    return None


@target
def inline_pictures(_: Path) -> tuple[Mutations, Call]:
    import numpy as np

    from vigie.contracts.pixels import InlineJpeg
    from vigie.errors import VigieError
    from vigie.frames.inline import decode_inline, encode_inline, jpeg_size_hw

    seeds = [encode_inline(np.full((h, w, 3), 90, np.uint8)).jpeg for h, w in ((16, 16), (40, 64))]

    def call(data: bytes) -> None:
        size = jpeg_size_hw(data) or (16, 16)
        with contextlib.suppress(VigieError):
            decode_inline(InlineJpeg(data, (*size, 3), size))

    return Mutations(seeds), call


@target
def ring_headers(_: Path) -> tuple[Mutations, Call]:
    from vigie.errors import RingRefusedError
    from vigie.frames.layout import RingGeometry, RingHeader, pack_header, parse_header

    seeds = [pack_header(RingHeader(RingGeometry(slots, 4096), 7)) + bytes(64) for slots in (1, 6)]

    def call(data: bytes) -> None:
        with contextlib.suppress(RingRefusedError):
            header = parse_header(data, 1 << 20)
            assert header.geometry.total_bytes <= 1 << 20

    return Mutations(seeds), call


# -- twins and methods ------------------------------------------------------------------------------------------------


@target
def module_twins(_: Path) -> tuple[Mutations, Call]:
    from vigie.config.desired import Acknowledgements, Desired, VersionGapError, apply_patch, changes
    from vigie.config.parts import Parts
    from vigie.errors import ConfigRefusedError
    from vigie_devkit.manifest.module_schemas import config_type

    kinds = [config_type(name) for name in ("camera", "preprocess", "inference", "sync", "viewer")]
    source = "rtsp://op:${DOCK}@10.0.0.5:554/stream?channel=1"
    seeds = [
        {
            "$version": 2,
            "cameras": {"dock": {"source": source, "fps": 5}, "b": {"source": "synthetic://conveyor?seed=1"}},
        },
        {"$version": 2, "model": {"name": "best"}, "score": 0.5, "classes": ["a"], "runtime": {"objective": "energy"}},
        *({"$version": 2, **_example(kind)} for kind in kinds if kind is not None),
    ]

    def call(data: bytes) -> None:
        patch = parsed(data)
        if not isinstance(patch, dict):
            return
        for kind in kinds:
            held = Desired(1, {})
            with contextlib.suppress(VersionGapError):
                held = apply_patch(held, patch)
            with contextlib.suppress(ConfigRefusedError):
                parts = Parts(kind, held.properties, None)
                msgspec.json.encode(Acknowledgements().accepted(held, parts.config, parts.refused))
                changes(None, parts.config)

    return Mutations(seeds), call


@target
def audit_entries(_: Path) -> tuple[Mutations, Call]:
    from vigie.audit.chain import Head, read_line, verify, write_line
    from vigie.audit.record import method_entry, twin_entry

    entry = twin_entry(3, 2, [("$.fps", 1, 2)], [("$.x", {"a": 1}, "unknown")])
    line, head = write_line(entry, Head(), at="2026-01-01", module="m", boot="b")
    seeds = [line, line + write_line(entry, head, at="2026-01-01", module="m", boot="b")[0]]

    def call(data: bytes) -> None:
        verify([("a", data)], Head())
        written, _ = write_line(
            method_entry("x", data.decode("latin-1"), 400, {"error": parsed(data)}),
            Head(),
            at="t",
            module="m",
            boot="b",
        )
        read_line(written[:-1])

    return Mutations(seeds), call


@target
def camera_sources(_: Path) -> tuple[Mutations, Call]:
    from vigie.errors import VigieError
    from vigie.log import redact
    from vigie_camera.sources.registry import caution, plan_source

    seeds = [
        b"rtsp://op:${DOCK}@10.0.0.5:554/stream?channel=1&subtype=0", b"rtsps://[fd00::1]/x", b"/videos/a.mp4",
        b"synthetic://conveyor?seed=1&fps=30&size=640x480&difficulty=normal", b"file:///videos/a.mp4",
    ]  # fmt: skip

    def call(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        redact(text)
        with contextlib.suppress(VigieError):
            plan = plan_source(text)
            caution(plan)

    return Mutations(seeds), call


# -- model files ------------------------------------------------------------------------------------------------------


@target
def model_cards(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import ModelError
    from vigie.models.card import read_card, write_card
    from vigie.vision.decoders import make_decoder

    cards = [tiny_bundle(folder / "tiny").folder / "card.yaml", *(ROOT / "shared/models").glob("*/card.yaml")]

    def call(data: bytes) -> None:
        with contextlib.suppress(ModelError):
            card = read_card(data, where="card.yaml")
            read_card(write_card(card), where="again")
            make_decoder(card)

    return Mutations([card.read_bytes() for card in cards]), call


@target
def signatures_and_trust(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import ModelError
    from vigie.models import load_bundle
    from vigie.models.signed import SIGNATURE_FILE
    from vigie.models.trust import TrustFile, judge, read_trust

    acme = signer()
    bundle = tiny_bundle(folder / "tiny").folder
    acme.sign(bundle)
    valid = (bundle / SIGNATURE_FILE).read_bytes()
    trusted = TrustFile(require_signature=True, keys=(acme.trusted(),))
    file = trust_file(folder / "trust.json", acme.trusted())
    good = json.loads(valid)
    seeds = [valid, file.read_bytes()]
    loaded = load_bundle(bundle)

    def call(data: bytes) -> None:
        (bundle / SIGNATURE_FILE).write_bytes(data)
        with contextlib.suppress(ModelError):
            judge(loaded, trusted)
            same = json.loads(data)
            assert (same["signature"], same["key"]) == (good["signature"], good["key"]), "a forged signature was taken"
        file.write_bytes(data)
        with contextlib.suppress(ModelError):
            read_trust(file)

    return Mutations(seeds), call


@target
def archives(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import VigieError
    from vigie.models.archive import unpack_bundle
    from vigie_devkit.models.shelf import export_bundle
    from vigie_devkit.models.unpack import unpacked

    bundle = tiny_bundle(folder / "tiny").folder
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.onnx", b"x" * 300)
        archive.writestr("labels.txt", "a\nb\n")
    seeds = [export_bundle(bundle, folder / "b.zip").read_bytes(), packed.getvalue()]
    file = folder / "fuzzed.zip"

    def call(data: bytes) -> None:
        file.write_bytes(data)
        with tempfile.TemporaryDirectory(dir=folder) as target_folder:
            inside = Path(target_folder) / "in"
            inside.mkdir()
            with contextlib.suppress(VigieError):
                unpack_bundle(file, inside, name="fuzzed")
            assert [path.name for path in Path(target_folder).iterdir()] == ["in"], "something lies outside"
        with contextlib.suppress(VigieError), unpacked(file):
            pass

    return Mutations(seeds), call


@target
def reference_frames(folder: Path) -> tuple[Mutations, Call]:
    import hashlib

    import numpy as np

    from vigie.errors import VigieError
    from vigie.models import load_bundle
    from vigie.models.card import Reference, write_card
    from vigie.models.reference import ReferencePair, read_reference, write_reference

    bundle = tiny_bundle(folder / "tiny")
    file = bundle.folder / "reference.npz"
    pair = ReferencePair(np.zeros((4, 6, 3), np.uint8), [np.zeros((1, 3), np.float32)])
    write_reference(file, [pair])

    def call(data: bytes) -> None:
        file.write_bytes(data)
        facts = Reference(file=file.name, sha256=hashlib.sha256(data).hexdigest(), variant=bundle.variants[0])
        (bundle.folder / "card.yaml").write_bytes(write_card(msgspec.structs.replace(bundle.card, reference=facts)))
        with contextlib.suppress(VigieError):
            read_reference(load_bundle(bundle.folder))

    return Mutations([file.read_bytes()]), call


@target
def onnx_files(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import VigieError
    from vigie.models.graph_files import MalformedGraphError, graph_files
    from vigie_devkit.models.prepare import prepare
    from vigie_devkit.models.recognise import recognise

    seeds = [
        models.yolox((32, 32)).SerializeToString(),
        models.yolov8((32, 32), metadata=models.ultralytics_metadata()).SerializeToString(),
    ]
    file = folder / "fuzzed.onnx"

    def call(data: bytes) -> None:
        with contextlib.suppress(MalformedGraphError):
            graph_files(data)
        file.write_bytes(data)
        with contextlib.suppress(VigieError):
            recognise(prepare(file).signature)

    return Mutations(seeds), call


@target
def text_files_of_people(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import VigieError
    from vigie_devkit.manifest.dotenv import read_dotenv
    from vigie_devkit.manifest.errors import ManifestError
    from vigie_devkit.models.catalogue import read_catalogue
    from vigie_devkit.models.given import read_given
    from vigie_devkit.models.labels import read_labels

    catalogue = {"url": "https://x.org/a.zip", "sha256": "0" * 64, "size_bytes": 9, "licence": "MIT"}
    feed = {"channels": "bgr", "align": "stretch", "mean": [0, 0, 0], "std": [1, 1, 1]}
    given = {"decoder": "yolox", "params": {"decoded": True}, "outputs": ["o"], "labels": ["cat"], "feed": feed}
    seeds = [
        b"person\ncar\n",
        b"names:\n  0: person\n  1: car\n",
        b"A=1\nexport B='x'\n",
        yaml.safe_dump({"schema": "vigie.catalogue/1", "models": {"a": catalogue}}).encode(),
        yaml.safe_dump(given).encode(),
    ]
    files = [folder / "x.txt", folder / "x.yaml"]

    def call(data: bytes) -> None:
        for file in files:
            file.write_bytes(data)
            for read in (read_labels, read_dotenv, read_catalogue, read_given):
                with contextlib.suppress(VigieError, ManifestError):
                    read(file)

    return Mutations(seeds), call


# -- the hub ----------------------------------------------------------------------------------------------------------


@target
def mqtt_packets(_: Path) -> tuple[Mutations, Call]:
    from vigie_devkit.hub.mqtt.codec import MalformedPacket, PacketReader, encode
    from vigie_devkit.hub.mqtt.packets import Connect, PingReq, PubAck, Publish, Subscribe

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
    from vigie_devkit.hub.mqtt.topics import TopicRefused, parse_inbound, subscription_of
    from vigie_devkit.hub.mqtt.usernames import UsernameRefused, parse_username
    from vigie_devkit.hub.shell.tokens import TokenRefusedError, check_token

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
    from vigie.errors import HubConfigRefusedError
    from vigie_devkit.hub.ports import HubRefusalError
    from vigie_devkit.hub.routes.config import parse_edgehub_desired
    from vigie_devkit.hub.state.json_bytes import decode_json, encode_json
    from vigie_devkit.hub.state.twin_limits import check_patch, check_reported, check_size

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
    from vigie_devkit.manifest.lint import lint
    from vigie_devkit.manifest.render import Target as Platform
    from vigie_devkit.manifest.render import render

    files = module_files(ROOT / "modules")
    platform = Platform("amd64", files, {"CONTAINER_REGISTRY_SERVER": "r.example.com"})

    def call(data: bytes) -> None:
        tree = parsed(data)
        if not isinstance(tree, dict):
            return
        for tool in (lambda: lint(tree), lambda: render(tree, platform), lambda: compose_text(tree, files)):
            with contextlib.suppress(ManifestError):
                tool()

    return Mutations([template()]), call


@target
def http_of_the_hub(_: Path) -> tuple[Mutations, Call]:
    from vigie_devkit.hub.ports import HubRefusalError, ServiceSettings
    from vigie_devkit.hub.service.credentials import ConnectionString, check_authorization

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


class Requests:
    """Bytes to a running server: it answers something other than 500, or hangs up; and it lives."""

    def __init__(self, connect: Callable[[], socket.socket], close: Callable[[], None]) -> None:
        self._connect, self.close = connect, close

    def __call__(self, data: bytes) -> None:
        answer = b""
        with self._connect() as link, contextlib.suppress(TimeoutError, ConnectionError, ssl.SSLError):
            link.settimeout(10.0)
            link.sendall(data + b"\r\n\r\n")
            link.settimeout(0.05)  # half a request is waited for by the server, not by us
            while len(answer) < 64 and (chunk := link.recv(4096)):
                answer += chunk
        assert b" 500 " not in answer[:16], answer[:300]


@target
def requests_to_a_module(folder: Path) -> tuple[Mutations, Call]:
    import asyncio
    import threading

    from vigie.endpoints import serve_endpoints
    from vigie.health import Health
    from vigie.metrics import Metrics

    loop, ports, done = asyncio.new_event_loop(), [], threading.Event()

    async def serve() -> None:
        async with serve_endpoints(("127.0.0.1", 0), Metrics(), Health(), folder) as endpoint:
            ports.append(endpoint.port)
            while not done.is_set():
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    while not ports:
        assert thread.is_alive()

    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", ports[0]), 10.0)

    def close() -> None:
        with connect() as link:
            link.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert b" 200 " in link.recv(200)
        done.set()
        thread.join(10.0)
        loop.close()

    seeds = [
        f"GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close".encode() for path in ("metrics", "healthz", "readyz")
    ]
    chunked = b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0"
    return Mutations([*seeds, chunked]), Requests(connect, close)


@target
def requests_to_the_hub(folder: Path) -> tuple[Mutations, Call]:
    from support.service_side import OperatedHub, manifest
    from vigie_devkit.hub.service.credentials import ConnectionString

    hub = OperatedHub(folder / "hub", manifest("a")).start()
    described = hub.description
    host, _, port = described["service_url"].removeprefix("https://").partition(":")
    tls = ssl.create_default_context(cafile=described["ca_file"])
    line = ConnectionString.parse(hub.connection_string)
    device = described["device_id"]
    version = "api-version=2021-04-12"
    head = f" HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: {line.token(2_000_000_000)}\r\n"

    def request(verb: str, path: str, body: Any = None) -> bytes:
        text = b"" if body is None else json.dumps(body).encode()
        return f"{verb} {path}?{version}{head}Content-Length: {len(text)}\r\n\r\n".encode() + text

    seeds = [
        request("GET", f"/twins/{device}/modules/a"),
        request("PATCH", f"/twins/{device}/modules/a", {"properties": {"desired": {"fps": 3, "deep": {"x": [1]}}}}),
        request(
            "POST",
            f"/twins/{device}/modules/a/methods",
            {"methodName": "x", "payload": {}, "responseTimeoutInSeconds": 5},
        ),
        request("POST", "/devices/query", {"query": "SELECT * FROM devices WHERE tags.x = 1"}),
        request("GET", "/statistics/devices"),
    ]

    def connect() -> socket.socket:
        return tls.wrap_socket(socket.create_connection((host, int(port)), 10.0), server_hostname=host)

    def close() -> None:
        try:
            status, _, _ = hub.raw(
                "GET", f"/twins/{device}?{version}", headers={"Authorization": line.token(2_000_000_000)}
            )
            assert status == 200
            assert hub.stop() == 0
            assert "Traceback" not in hub.log()
        finally:
            hub.close()

    return Mutations(seeds), Requests(connect, close)
