"""What the client has subscribed to, subscribed to again after a reconnect.

The SDK connects with ``clean_session=0``, subscribes once and relies on the hub's memory from then on. A hub that lost
its sessions (edgeHub keeps them in its container unless a volume is named, so a new image loses them) would deliver
nothing any more, to a client that is connected and sends without a fault. A second SUBSCRIBE to the same topic changes
nothing where the hub does remember (MQTT 3.1.1, 3.8.4).
"""

from __future__ import annotations

import threading
import time
from typing import Any

from azure.iot.device import IoTHubModuleClient

from vigie.errors import HubUnavailableError

# Under the deadline of a call of the client (calls.CALL_DEADLINE_S): the thread comes back by itself.
CONFIRMED_WITHIN_S = 3.5


def subscribe_again(client: IoTHubModuleClient, within_s: float = CONFIRMED_WITHIN_S) -> None:
    """Subscribe to every feature that is on; blocks until the hub has confirmed each, ``within_s`` for all together.

    A confirmation that a dropped connection took along comes after the SDK's next attempt half a minute later, or
    never: nobody waits for it, since the next connection subscribes again anyway.

    There is no public way: setting a handler anew subscribes only after an unsubscribe, and what arrives between the
    two is acknowledged and lost.

    Raises: HubUnavailableError: it could not be done in time; a new client subscribes to everything.
    """
    deadline = time.monotonic() + within_s
    pipeline: Any = getattr(client, "_mqtt_pipeline", None)
    features: dict[str, bool] | None = getattr(pipeline, "feature_enabled", None)
    if features is None or not hasattr(pipeline, "enable_feature"):
        raise HubUnavailableError("this client cannot subscribe again")
    for name in [name for name, on in features.items() if on]:
        done = threading.Event()
        errors: list[Exception] = []

        def confirmed(
            error: Exception | None = None, *, done: threading.Event = done, errors: list[Exception] = errors
        ) -> None:
            if error is not None:
                errors.append(error)
            done.set()

        pipeline.enable_feature(name, callback=confirmed)
        if not done.wait(max(0.0, deadline - time.monotonic())):
            raise HubUnavailableError(f"subscription {name}: not confirmed within {within_s:g} s")
        if errors:
            raise HubUnavailableError(f"subscription {name}: {errors[0]!r}")
