"""What the unmodified SDK alone costs: one process that sends, one that receives, our hub between, nothing else.

The flow has three such hops. On a machine other than the one the bars were set on, this is what to compare with.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from vigie_devkit.bench.hub import client, local_hub
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
        figures = {
            "size": _SIZE_BYTES,
            "messages": int(rate * (_WARM_UP_S + seconds + 5)),
            "warm_up": 1,
            "window": 2,
            "rate": rate,
        }
        receiver = stack.enter_context(client(folder, server, "receive", **figures))
        if not receiver.stdout or receiver.stdout.readline() != b"ready\n":
            raise ProductError("the bare receiver did not start")
        sender = stack.enter_context(client(folder, server, "send", **figures))
        pids = (sender.pid, receiver.pid, server.pid)
        time.sleep(_WARM_UP_S)
        before, begun = [read_process(pid).total_s for pid in pids], time.monotonic()
        time.sleep(seconds)
        messages = rate * (time.monotonic() - begun)
        after = [read_process(pid).total_s for pid in pids]
    return Hop(*((late - early) / messages * 1e3 for early, late in zip(before, after, strict=True)))
