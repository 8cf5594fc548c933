"""The options with which a hub is started, by ``python -m vigie_edgehub run`` and by ``vigie hub run``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add_run_options(parser: argparse.ArgumentParser, *, state_required: bool) -> None:
    """Importing this is cheap: the dev kit shows the help before anything is installed."""
    parser.add_argument("--manifest", required=True, type=Path, metavar="FILE", help="deployment manifest or template")
    somewhere = "" if state_required else " (default: one stated place)"
    parser.add_argument(
        "--state", required=state_required, type=Path, metavar="DIR", help=f"where it keeps everything{somewhere}"
    )
    parser.add_argument("--listen", metavar="ADDRESS", help="loopback address (default: a free one of 127.0.0.0/8)")
    parser.add_argument(
        "--service-port",
        type=int,
        default=0,
        metavar="N",
        help="port of the service REST (default: the last run's, else a free one)",
    )
    parser.add_argument(
        "--gateway-hostname", metavar="NAME", help="name that modules use for this hub (default: the address)"
    )
    parser.add_argument(
        "--workload",
        type=Path,
        metavar="DIR",
        help="workload sockets as DIR/MODULE/workload.sock, a folder per container",
    )
    parser.add_argument(
        "--device-id", default="vigie-device", metavar="ID", help="the edge device's id (default: vigie-device)"
    )
    parser.add_argument(
        "--iothub-hostname",
        default="local.azure-devices.net",
        metavar="NAME",
        help="name in the modules' SAS tokens",
    )
    parser.add_argument(
        "--log-level",
        default=os.environ.get("VIGIE_LOG_LEVEL", "info"),
        choices=("debug", "info", "warning", "error"),
        help="default: info",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="change a time-out or bound, e.g. ack_timeout_s=2 or upstream.max_bytes=50000000 (docs/hub.md)",
    )
