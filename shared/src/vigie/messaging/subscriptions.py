"""What the client has subscribed to, subscribed to again after a reconnect.

The SDK connects with ``clean_session=0``, subscribes once and relies on the hub's memory from then on. A hub that lost
its sessions (edgeHub keeps them in its container unless a volume is named, so a new image loses them) would deliver
nothing any more, to a client that is connected and sends without a fault. A second SUBSCRIBE to the same topic changes
nothing where the hub does remember (MQTT 3.1.1, 3.8.4).
"""

from __future__ import annotations

import threading
from typing import Any

from azure.iot.device import IoTHubModuleClient

from vigie.errors import HubUnavailableError


def subscribe_again(client: IoTHubModuleClient) -> None:
    """Subscribe to every feature that is on; blocks until the hub has confirmed each.

    There is no public way: setting a handler anew subscribes only after an unsubscribe, and what arrives between the
    two is acknowledged and lost.

    Raises: HubUnavailableError: it could not be done; a new client subscribes to everything.
    """
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
        done.wait()
        if errors:
            raise HubUnavailableError(f"subscription {name}: {errors[0]!r}")
