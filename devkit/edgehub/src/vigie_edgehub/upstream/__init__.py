"""The record of `$upstream`: what IoT Hub's built-in endpoint would have received, on this machine's disk."""

from vigie_edgehub.upstream.reader import UpstreamFilter, UpstreamReader
from vigie_edgehub.upstream.record import UpstreamRecord, to_json_line
from vigie_edgehub.upstream.schema import record_file
from vigie_edgehub.upstream.sink import SqliteSink, UpstreamSettings, open_sink

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
