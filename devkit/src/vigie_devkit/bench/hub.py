"""What the hub delivers, how late, at what cost: ``python -m vigie_devkit.bench.hub [--json] [--quick] [--memory]``.

Bars: >= 1,500 delivered/s at 1 KB with p99 < 100 ms, p99 <= 3 ms at 200/s, <= 300 us of hub
CPU a message, memory flat over 200,000. Delivered is counted at the receiver, behind a window: sending alone
says nothing. mosquitto, where it is installed (Debian: ``apt-get install mosquitto``), runs between the same
bare paho clients in the same round; the SDK cannot use it, because it routes no output to an input.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec

from vigie_devkit.bench.hub_client import LoadPlan, make_counter
from vigie_devkit.local.cpu import read_process
from vigie_devkit.local.footprint import resident_bytes
from vigie_edgehub.environment import module_environment
from vigie_edgehub.shell.certificates import Certificates
from vigie_edgehub.shell.tokens import sign

_ROUTE = 'FROM /messages/modules/a/outputs/out INTO BrokeredEndpoint("/modules/b/inputs/in")'
_MOSQUITTO_HOST = "127.117.1.1"
RESULTS = "results.json"


class HubFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One row. ``cpu_us`` and ``rss_mb`` are the server's: CPU a message, memory after the round."""

    name: str
    size: int
    rate: float
    messages: int
    delivered_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    rss_mb: float


class Server:
    """A process under load, and how clients reach it."""

    def __init__(self, pid: int, plans: dict[str, LoadPlan]) -> None:
        self.pid = pid
        self.plans = plans  # "send" and "receive", without the figures of a round


def measure(
    folder: Path, server: Server, name: str, *, size: int, messages: int, rate: float, window: int
) -> HubFigures:
    """Run one round between two fresh client processes."""
    make_counter(folder / "counter")
    results = folder / RESULTS
    results.unlink(missing_ok=True)
    warm_up = max(50, messages // 20)
    figures = {"size": size, "messages": messages, "warm_up": warm_up, "window": window, "rate": rate}
    with client(folder, server, "receive", **figures) as receiver:
        if not receiver.stdout or receiver.stdout.readline() != b"ready\n":
            raise SystemExit(f"{name}: the receiver did not start")
        before_s = read_process(server.pid, children=False).total_s
        with client(folder, server, "send", **figures) as sender:
            if sender.wait(600) or receiver.wait(60):
                raise SystemExit(f"{name}: a client failed")
        used_s = read_process(server.pid, children=False).total_s - before_s
    result = json.loads(results.read_bytes())
    return HubFigures(
        name=name,
        size=size,
        rate=rate,
        messages=messages,
        cpu_us=used_s / (messages + warm_up) * 1e6,
        rss_mb=(resident_bytes(server.pid) or 0) / (1 << 20),
        **result,
    )


@contextlib.contextmanager
def client(folder: Path, server: Server, role: str, **figures: float) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sends or receives by the server's plan for ``role`` with the ``figures`` of a round."""
    files = {"counter": str(folder / "counter"), "results": str(folder / RESULTS)}
    plan = folder / f"{role}.json"
    plan.write_bytes(msgspec.json.encode(msgspec.structs.replace(server.plans[role], **files, **figures)))
    command = [sys.executable, "-m", "vigie_devkit.bench.hub_client", role, str(plan)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE if role == "receive" else None)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def local_hub(folder: Path) -> Iterator[tuple[Server, Server]]:
    """Ours, reached by the SDK and by bare paho."""
    manifest = folder / "deployment.json"
    agent = {"schemaVersion": "1.1", "modules": {"a": {}, "b": {}}}
    edge_hub = {
        "schemaVersion": "1.1",
        "routes": {"out": _ROUTE},
        "storeAndForwardConfiguration": {"timeToLiveSecs": 7200},
    }
    content = {"$edgeAgent": {"properties.desired": agent}, "$edgeHub": {"properties.desired": edge_hub}}
    manifest.write_text(json.dumps({"modulesContent": content}))
    state = folder / "hub"
    command = [sys.executable, "-m", "vigie_edgehub", "run", "--manifest", str(manifest), "--state", str(state)]
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen([*command, "--log-level", "warning"], stdout=log, stderr=log)
    try:
        _wait_for(state / "hub.json", process)
        yield _sdk_server(process.pid, state), _paho_server(process.pid, state)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _sdk_server(pid: int, state: Path) -> Server:
    plans = {
        role: _plan("sdk", environment=module_environment(state / "hub.json", module))
        for role, module in (("send", "a"), ("receive", "b"))
    }
    return Server(pid, plans)


def _paho_server(pid: int, state: Path) -> Server:
    hub = json.loads((state / "hub.json").read_bytes())
    keys = json.loads((state / "keys.json").read_bytes())["modules"]
    name, device = hub["iothub_hostname"], hub["device_id"]
    plans = {}
    for role, module in (("send", "a"), ("receive", "b")):
        resource = quote(f"{name}/devices/{device}/modules/{module}", safe="")
        expires_at = int(time.time()) + 86_400
        signature = quote(sign(keys[module]["primary"], f"{resource}\n{expires_at}".encode()), safe="")
        plans[role] = _plan(
            "paho",
            host=hub["listen"],
            ca_file=hub["ca_file"],
            client_id=f"{device}/{module}",
            username=f"{name}/{device}/{module}/?api-version=2019-10-01",
            password=f"SharedAccessSignature sr={resource}&sig={signature}&se={expires_at}",
            publish_topic=f"devices/{device}/modules/a/messages/events/%24.on=out",
            subscribe_topic=f"devices/{device}/modules/b/inputs/#",
        )
    return Server(pid, plans)


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[Server | None]:
    """The C broker behind the same TLS, storing nothing on disk. Yields: None where it is not installed."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        yield None
        return
    certificates = Certificates(folder / "mosquitto-ca")
    certificates.prepare([_MOSQUITTO_HOST])
    for file in (folder / "mosquitto-ca").iterdir():
        file.chmod(0o644)  # mosquitto gives up root before it reads them
    (folder / "mosquitto-ca").chmod(0o755)
    folder.chmod(0o755)
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener 8883 {_MOSQUITTO_HOST}\nallow_anonymous true\nset_tcp_nodelay true\n"
        f"cafile {certificates.ca_file}\ncertfile {folder}/mosquitto-ca/server.pem\n"
        f"keyfile {folder}/mosquitto-ca/server.key\npersistence false\nmax_inflight_messages 20\n"
    )
    with (folder / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
    try:
        _wait_for_port(_MOSQUITTO_HOST, 8883, process)
        plans = {
            role: _plan(
                "paho",
                host=_MOSQUITTO_HOST,
                ca_file=str(certificates.ca_file),
                client_id=role,
                publish_topic="in/x",
                subscribe_topic="in/#",
            )
            for role in ("send", "receive")
        }
        yield Server(process.pid, plans)
    finally:
        process.terminate()
        process.wait(20)


def run(*, quick: bool, memory_only: bool) -> list[HubFigures]:
    """Every row, or only what shows memory; servers alternate so that a busy machine slows both."""
    scale = 10 if quick else 1
    rounds = [
        ("flat out", 1024, 20_000, 0.0, 48),
        ("1,500/s", 1024, 15_000, 1500.0, 100_000),
        ("200/s", 1024, 2_000, 200.0, 100_000),
        ("flat out", 102_400, 4_000, 0.0, 16),
    ]
    rows = []
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as name:
        folder = Path(name)
        with local_hub(folder) as (sdk, paho), mosquitto(folder) as other:
            servers = [("hub, SDK", sdk), ("hub, paho", paho)] + ([("mosquitto, paho", other)] if other else [])
            for title, size, messages, rate, window in [] if memory_only else rounds:
                for label, server in servers:
                    rows.append(
                        measure(
                            folder,
                            server,
                            f"{label}, {title}",
                            size=size,
                            messages=max(200, messages // scale),
                            rate=rate,
                            window=window,
                        )
                    )
            for half in ("first", "second"):
                count = 100_000 // scale
                memory = f"hub, paho, memory, {half} {count:,}"
                rows.append(measure(folder, paho, memory, size=1024, messages=count, rate=0, window=48))
    return rows


def _plan(client: str, **fields: object) -> LoadPlan:
    blank = {"counter": "", "results": "", "size": 0, "messages": 0, "warm_up": 0, "window": 0}
    return msgspec.convert({"client": client} | blank | fields, LoadPlan)


def _wait_for(file: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while not file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the hub did not start, see {file.parent.parent / 'hub.log'}")
        time.sleep(0.05)


def _wait_for_port(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    import socket

    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("mosquitto did not start")
        time.sleep(0.05)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Delivered messages, latency, CPU and memory of the local edge hub.")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    parser.add_argument("--memory", action="store_true", help="only what shows the hub's memory")
    options = parser.parse_args(arguments)
    rows = run(quick=options.quick, memory_only=options.memory)
    if options.json:
        print(msgspec.json.encode(rows).decode())
        return 0
    print(f"{'':34}{'bytes':>8}{'deliv./s':>10}{'p50 ms':>8}{'p99 ms':>8}{'CPU us':>8}{'RSS MB':>8}")
    for row in rows:
        figures = (
            f"{row.delivered_per_s:>10.0f}{row.p50_ms:>8.2f}{row.p99_ms:>8.2f}{row.cpu_us:>8.0f}{row.rss_mb:>8.1f}"
        )
        print(f"{row.name:34}{row.size:>8}{figures}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
