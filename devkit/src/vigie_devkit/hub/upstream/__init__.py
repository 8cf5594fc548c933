"""The record of `$upstream`: what IoT Hub's built-in endpoint would have received, on this machine's disk."""

from vigie_devkit.hub.upstream.reader import UpstreamFilter, UpstreamReader
from vigie_devkit.hub.upstream.record import UpstreamRecord, to_json_line
from vigie_devkit.hub.upstream.schema import record_file
from vigie_devkit.hub.upstream.sink import SqliteSink, UpstreamSettings, open_sink

__all__ = [
    "SqliteSink",
    "UpstreamFilter",
    "UpstreamReader",
    "UpstreamRecord",
    "UpstreamSettings",
    "open_sink",
    "record_file",
    "to_json_line",
]
