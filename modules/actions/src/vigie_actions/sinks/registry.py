"""Which kinds of sinks there are: the twin's mapping of each, and how one is made of an entry.

A kind to come (Modbus, OPC UA, GPIO) is a struct and a mapping in ``config``, a file here, and a line in ``make``.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_actions.config import ActionsConfig, Mqtt, Webhook
from vigie_actions.sinks.sink import Sink, Surroundings

Settings = Webhook | Mqtt


def entries(config: ActionsConfig) -> Iterator[tuple[str, Settings]]:
    """Every sink: ``webhooks.siren``, as its path in the twin, and its settings."""
    for name, webhook in config.webhooks.items():
        yield f"webhooks.{name}", webhook
    for name, mqtt in config.mqtt.items():
        yield f"mqtt.{name}", mqtt


def make(settings: Settings, around: Surroundings) -> Sink:
    """Connects nothing yet. Raises: ConfigRefusedError with the path below the sink's own."""
    if isinstance(settings, Webhook):
        from vigie_actions.sinks.webhook import WebhookSink

        return WebhookSink(settings, around)
    from vigie_actions.sinks.mqtt import MqttSink

    return MqttSink(settings, around)
