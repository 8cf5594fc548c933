"""``python -m vigie_edgehub run``: the local edge hub in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

import msgspec

from vigie.log import configure_logging
from vigie.private_files import keep_files_private
from vigie_edgehub.errors import HubStartError
from vigie_edgehub.hub import HubOptions, run_hub
from vigie_edgehub.run_options import add_run_options
from vigie_edgehub.state.settings import HubSettings

EXIT_CANNOT_START = 3


def main(arguments: list[str] | None = None) -> int:
    return serve(_parser().parse_args(arguments))


def serve(options: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT. Returns: the exit code, 3 when the hub cannot start."""
    keep_files_private()
    configure_logging("hub", style=os.environ.get("VIGIE_LOG", "auto"), level=options.log_level)
    try:
        asyncio.run(_run(_hub_options(options)))
    except HubStartError as error:
        sys.stderr.write(f"hub: {error}\n")
        return EXIT_CANNOT_START
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vigie_edgehub", description="Local edge hub for Azure IoT Edge modules.")
    run = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "run",
        help="serve until SIGTERM",
        epilog="example: python -m vigie_edgehub run --manifest deployment.json --state .hub",
    )
    add_run_options(run, state_required=True)
    return parser


def _hub_options(options: argparse.Namespace) -> HubOptions:
    """Raises: HubStartError: a --set that is none."""
    pairs = dict(pair.split("=", 1) if "=" in pair else (pair, "") for pair in options.settings)
    upstream = {name.removeprefix("upstream."): pairs.pop(name) for name in [*pairs] if name.startswith("upstream.")}
    try:
        settings = msgspec.convert(pairs, HubSettings, strict=False)
    except msgspec.ValidationError as error:
        raise HubStartError(f"--set: {error}; settings are {', '.join(HubSettings.__struct_fields__)}") from error
    return HubOptions(
        manifest=options.manifest,
        state=options.state.absolute(),
        listen=options.listen,
        service_port=options.service_port,
        gateway_hostname=options.gateway_hostname,
        workload=options.workload,
        device_id=options.device_id,
        iothub_hostname=options.iothub_hostname,
        settings=settings,
        upstream=dict(upstream),
    )


async def _run(options: HubOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_hub(options, stop)


if __name__ == "__main__":
    raise SystemExit(main())
