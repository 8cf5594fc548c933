"""What the unmodified SDK alone costs: one process that sends, one that receives, our hub between, nothing else.

The flow has three such hops. On a machine other than the one the bars were set on, this is what to compare with.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from vigie_devkit.bench.hub import local_hub
from vigie_devkit.bench.hub_client import make_counter
from vigie_devkit.local.cpu import read_process
from vigie_devkit.local.product import ProductError

HOPS = 3
_SIZE_BYTES = 400  # about one reference
_WARM_UP_S = 3.0


class Hop(msgspec.Struct, frozen=True):
    """CPU a message in ms, by process."""

    send_ms: float
    receive_ms: float
    hub_ms: float

    @property
    def total_ms(self) -> float:
        return self.send_ms + self.receive_ms + self.hub_ms


def measure_hop(rate: float, seconds: float) -> Hop:
    """Send ``rate`` messages a second and count for ``seconds``.

    Raises: ProductError: a client did not start. ProcessLookupError: one ended early.
    """
    with tempfile.TemporaryDirectory(prefix="vigie-floor-") as made, ExitStack() as stack:
        folder = Path(made)
        server, _ = stack.enter_context(local_hub(folder))
        make_counter(folder / "counter")
        clients = {}
        for role in ("receive", "send"):
            plan = msgspec.structs.replace(
                server.plans[role],
                counter=str(folder / "counter"),
                results=str(folder / "results.json"),
                size=_SIZE_BYTES,
                messages=int(rate * (_WARM_UP_S + seconds + 5)),
                warm_up=1,
                window=2,
                rate=rate,
            )
            file = folder / f"{role}.json"
            file.write_bytes(msgspec.json.encode(plan))
            command = [sys.executable, "-m", "vigie_devkit.bench.hub_client", role, str(file)]
            clients[role] = subprocess.Popen(command, stdout=subprocess.PIPE if role == "receive" else None)
            stack.callback(_end, clients[role])
            if (out := clients[role].stdout) is not None and out.readline() != b"ready\n":
                raise ProductError("the bare receiver did not start")
        pids = (clients["send"].pid, clients["receive"].pid, server.pid)
        time.sleep(_WARM_UP_S)
        before, begun = [read_process(pid).total_s for pid in pids], time.monotonic()
        time.sleep(seconds)
        messages = rate * (time.monotonic() - begun)
        after = [read_process(pid).total_s for pid in pids]
    return Hop(*((late - early) / messages * 1e3 for early, late in zip(before, after, strict=True)))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
