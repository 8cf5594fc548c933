"""One end of the hub benchmark, a process of its own: ``python -m vigie_devkit.bench.hub_client ROLE PLAN``.

The two ends share a counter in a file: how many messages the receiver got. The sender never has more than
``window`` under way, so that no queue grows and what is measured is delivery, not storing.
"""

from __future__ import annotations

import mmap
import os
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

_COUNT = struct.Struct("<Q")
_STAMP = struct.Struct("<Q")  # nanoseconds of the monotonic clock, which all processes share


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. ``rate`` 0 sends as fast as the window allows. ``client``: the SDK, or bare paho beneath it."""

    client: str
    counter: str
    results: str
    size: int
    messages: int
    warm_up: int
    window: int
    rate: float = 0.0
    environment: dict[str, str] = {}
    host: str = ""
    port: int = 8883
    ca_file: str = ""
    client_id: str = ""
    username: str | None = None
    password: str | None = None
    publish_topic: str = ""
    subscribe_topic: str = ""


class Counter:
    """A number in a shared file; one writer."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _COUNT.size)

    def get(self) -> int:
        return int(_COUNT.unpack_from(self._map)[0])

    def set(self, value: int) -> None:
        _COUNT.pack_into(self._map, 0, value)


def make_counter(path: Path) -> Counter:
    path.write_bytes(_COUNT.pack(0))
    return Counter(path)


def send(plan: LoadPlan) -> None:
    publish, close = _sdk_sender(plan) if plan.client == "sdk" else _paho_sender(plan)
    received = Counter(Path(plan.counter))
    filler = os.urandom(max(0, plan.size - _STAMP.size))
    total = plan.warm_up + plan.messages
    period_s = 1 / plan.rate if plan.rate else 0.0
    due = time.perf_counter()
    for number in range(total):
        if period_s:
            due += period_s
            if (wait_s := due - time.perf_counter()) > 0:
                time.sleep(wait_s)
        give_up = time.monotonic() + 30
        while number - received.get() >= plan.window:
            if time.monotonic() > give_up:
                raise SystemExit(f"message {number} is not delivered after 30 s")
            time.sleep(0.0002)
        publish(_STAMP.pack(time.monotonic_ns()) + filler)
    close()


def receive(plan: LoadPlan) -> None:
    received = Counter(Path(plan.counter))
    latencies_ns: list[int] = []
    times: list[float] = []
    done = threading.Event()
    lock = threading.Lock()
    total = plan.warm_up + plan.messages

    def got(body: bytes) -> None:
        now = time.monotonic_ns()
        with lock:  # the SDK calls from four threads
            latencies_ns.append(now - _STAMP.unpack_from(body)[0])
            times.append(time.perf_counter())
            received.set(len(times))
            if len(times) >= total:
                done.set()

    close = _sdk_receiver(plan, got) if plan.client == "sdk" else _paho_receiver(plan, got)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    done.wait()
    counted = sorted(latencies_ns[plan.warm_up :])
    span_s = times[-1] - times[plan.warm_up]
    result = {
        "delivered_per_s": (len(counted) - 1) / span_s,
        "p50_ms": counted[len(counted) // 2] / 1e6,
        "p99_ms": counted[int(len(counted) * 0.99)] / 1e6,
    }
    Path(plan.results).write_bytes(msgspec.json.encode(result))
    close()


def _sdk_client(plan: LoadPlan) -> Any:
    from azure.iot.device import IoTHubModuleClient

    os.environ.update(plan.environment)
    return IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=1)


def _sdk_sender(plan: LoadPlan) -> tuple[Callable[[bytes], None], Callable[[], None]]:
    from azure.iot.device import Message

    client = _sdk_client(plan)
    client.connect()

    def publish(body: bytes) -> None:
        client.send_message_to_output(Message(body), "out")  # type: ignore[no-untyped-call]  # the SDK has no types

    return publish, client.shutdown


def _sdk_receiver(plan: LoadPlan, got: Callable[[bytes], None]) -> Callable[[], None]:
    client = _sdk_client(plan)
    client.on_message_received = lambda message: got(message.data)
    client.connect()
    return client.shutdown  # type: ignore[no-any-return]  # the SDK has no types


def _paho(plan: LoadPlan) -> Any:
    import paho.mqtt.client as mqtt

    client = mqtt.Client(plan.client_id, clean_session=False, protocol=mqtt.MQTTv311)
    if plan.username is not None:
        client.username_pw_set(plan.username, plan.password)
    client.tls_set_context(ssl.create_default_context(cafile=plan.ca_file))
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect(plan.host, plan.port, keepalive=60)
    client.loop_start()
    if not connected.wait(20):
        raise SystemExit("no CONNACK")
    return client


def _paho_sender(plan: LoadPlan) -> tuple[Callable[[bytes], None], Callable[[], None]]:
    client = _paho(plan)

    def publish(body: bytes) -> None:
        client.publish(plan.publish_topic, body, qos=1).wait_for_publish(30)

    return publish, client.disconnect


def _paho_receiver(plan: LoadPlan, got: Callable[[bytes], None]) -> Callable[[], None]:
    client = _paho(plan)
    granted = threading.Event()
    client.on_subscribe = lambda *_: granted.set()
    client.on_message = lambda _client, _data, message: got(message.payload)
    client.subscribe(plan.subscribe_topic, qos=1)
    if not granted.wait(20):
        raise SystemExit("no SUBACK")
    return client.disconnect  # type: ignore[no-any-return]  # paho 1.6 has no types


if __name__ == "__main__":
    role, plan_file = sys.argv[1:]
    {"send": send, "receive": receive}[role](msgspec.json.decode(Path(plan_file).read_bytes(), type=LoadPlan))
