"""`vigie hub`: the local edge hub alone, for any modules: run, lint, environment of a module, faults on command."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.terminal import show_text
from vigie_devkit.commands.hub_messages import add_send, add_watch, send, watch
from vigie_devkit.local.errors import Exit, UsageError
from vigie_devkit.local.hub_option import add_hub_options, claim_lone_hub_state, hub_state
from vigie_devkit.verb import add_verb_parser
from vigie_edgehub.run_options import add_run_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vigie_edgehub.ports import JsonObject

_EXAMPLES = """examples:
  ./vigie hub lint deployment.template.json                 what the real hub would silently accept
  ./vigie hub run --manifest deployment.template.json       until Ctrl-C; no cloud account needed
  eval "$(./vigie hub env camera)" && python my_module.py   any process boots as that module
  ./vigie hub apply changed.json                            a changed manifest, without a restart
  ./vigie hub misbehave --upstream offline                  faults on command; --reset ends them
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "hub",
        help="the local edge hub alone, for any IoT Edge modules",
        description="A local IoT Edge hub for any modules that use the Azure IoT SDK (docs/hub.md).",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(
        dest="verb", metavar="run|env|device|status|apply|send|watch|misbehave|lint", required=True
    )

    start = add_verb_parser(
        verbs, "run", "run the hub until Ctrl-C", "./vigie hub run --manifest deployment.json --state ./hub", _run_hub
    )
    add_run_options(start, state_required=False)

    env = add_verb_parser(
        verbs,
        "env",
        "the environment with which a process boots as a module",
        "./vigie hub env camera --dotenv > .env",
        _show_environment,
    )
    env.add_argument("module", help="module id")
    form = env.add_mutually_exclusive_group()
    form.add_argument("--shell", action="store_const", const="shell", dest="form", help="export lines (default)")
    form.add_argument("--dotenv", action="store_const", const="dotenv", dest="form", help="NAME=value lines, for IDEs")
    form.add_argument("--json", action="store_const", const="json", dest="form", help="one JSON object")
    env.add_argument(
        "--connection-string",
        action="store_true",
        help="EdgeHubConnectionString and CA file instead, for a process that cannot reach the workload socket",
    )
    env.set_defaults(form="shell")
    add_hub_options(env)

    device = add_verb_parser(
        verbs,
        "device",
        "the connection string of a leaf device, registered if it is not",
        "./vigie hub device pump-7",
        _show_device,
    )
    device.add_argument("device", help="device id")
    add_hub_options(device)

    status = add_verb_parser(verbs, "status", "what the running hub does", "./vigie hub status --json", _show_status)
    status.add_argument("--json", action="store_true", help="everything, as JSON")
    add_hub_options(status)

    apply = add_verb_parser(
        verbs, "apply", "apply a changed manifest to the running hub", "./vigie hub apply deployment.json", _apply
    )
    apply.add_argument("manifest", type=Path, metavar="FILE", help="deployment manifest or template")
    add_hub_options(apply)

    example = """./vigie hub send filter temperature '{"celsius": 81}' --property level=high"""
    add_send(add_verb_parser(verbs, "send", "send one message by hand", example, send))
    add_watch(
        add_verb_parser(
            verbs, "watch", "show what modules send, one JSON object per line", "./vigie hub watch filter alerts", watch
        )
    )

    _add_misbehave(verbs)

    lint = add_verb_parser(
        verbs, "lint", "check a manifest's routes", "./vigie hub lint deployment.template.json", _lint
    )
    lint.add_argument("manifest", type=Path, metavar="FILE", help="deployment manifest or template")
    lint.add_argument("--strict", action="store_true", help="warnings count as errors")


def _add_misbehave(verbs: Any) -> None:
    parser = add_verb_parser(
        verbs,
        "misbehave",
        "faults on command",
        "./vigie hub misbehave --delivery-delay 10 --jitter 0.5 --seed 7",
        _misbehave,
    )
    parser.add_argument("--upstream", choices=("online", "offline"), help="whether $upstream can be reached")
    parser.add_argument("--ack-delay", type=float, metavar="MS", help="hold acknowledgements to senders back")
    parser.add_argument(
        "--delivery-delay", type=float, metavar="MS", help="per message and receiving input, one at a time"
    )
    parser.add_argument("--jitter", type=float, metavar="SHARE", help="vary both delays by this share (0..1)")
    parser.add_argument(
        "--drop-probability", type=float, metavar="P", help="close the sender's connection after a message (0..1)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed and traffic meet the same faults")
    parser.add_argument("--drop", nargs="*", metavar="MODULE", help="close connections now (no name: all)")
    parser.add_argument("--abrupt", action="store_true", help="close without draining, as a crash would; needs --drop")
    parser.add_argument("--restart", action="store_true", help="drain all, close the MQTT port for a moment")
    parser.add_argument("--reset", action="store_true", help="end every misbehaviour first")
    add_hub_options(parser)


def _run_hub(args: argparse.Namespace) -> int:
    from vigie.private_files import keep_files_private
    from vigie_devkit.local.frame_folders import remove_dead_frames
    from vigie_devkit.local.paths import frames_root
    from vigie_edgehub.__main__ import serve

    keep_files_private()
    for what in remove_dead_frames(frames_root()):
        sys.stderr.write(f"vigie: cleaned up after a run that was killed: {what}\n")
    args.state = (args.state or claim_lone_hub_state()).expanduser()
    return serve(args)


def _show_environment(args: argparse.Namespace) -> int:
    environment = _connection_environment(args) if args.connection_string else _workload_environment(args)
    if args.form == "json":
        print(json.dumps(environment, indent=2))
        return Exit.OK
    for name, value in environment.items():
        print(f"export {name}={shlex.quote(value)}" if args.form == "shell" else f"{name}={value}")
    return Exit.OK


def _workload_environment(args: argparse.Namespace) -> Mapping[str, str]:
    from vigie_edgehub.environment import module_environment
    from vigie_edgehub.service.description import FILE_NAME, read_description

    state = hub_state(args)
    known = read_description(state).modules
    if args.module not in known:
        raise UsageError(f"the hub in {state} knows no module '{args.module}'; it knows {', '.join(sorted(known))}")
    return module_environment(state / FILE_NAME, args.module)


def _connection_environment(args: argparse.Namespace) -> Mapping[str, str]:
    from vigie_edgehub.service.client import ServiceClient

    client = ServiceClient.open(hub_state(args))
    key = client.module(args.module)["authentication"]["symmetricKey"]["primaryKey"]
    hub = client.hub
    return {
        "EdgeHubConnectionString": f"HostName={hub.iothub_hostname};GatewayHostName={hub.gateway_hostname};"
        f"DeviceId={hub.device_id};ModuleId={args.module};SharedAccessKey={key}",
        "EdgeModuleCACertificateFile": hub.ca_file,
    }


def _show_device(args: argparse.Namespace) -> int:
    from vigie_edgehub.service.client import ServiceClient

    client = ServiceClient.open(hub_state(args))
    key = client.add_device(args.device)["authentication"]["symmetricKey"]["primaryKey"]
    hub = client.hub
    print(
        f"HostName={hub.iothub_hostname};DeviceId={args.device};SharedAccessKey={key};"
        f"GatewayHostName={hub.gateway_hostname}"
    )
    sys.stderr.write(f"vigie: the device trusts the hub by {hub.ca_file}\n")
    return Exit.OK


def _show_status(args: argparse.Namespace) -> int:
    from vigie_edgehub.service.client import ServiceClient

    state = hub_state(args)
    client = ServiceClient.open(state)
    status = client.status()
    if args.json:
        print(json.dumps(status, indent=2, ensure_ascii=False))
        return Exit.OK
    print(f"hub {status['device_id']} (process {client.hub.pid}), state in {state}")
    print(f"service {client.hub.service_url}, connection string in {client.hub.service_connection_string_file}")
    for name, module in status["modules"].items():
        print(f"  {'connected   ' if module['connected'] else 'disconnected'}  {name}")
    for name, device in status["devices"].items():
        print(f"  {'connected   ' if device['connected'] else 'disconnected'}  leaf device {name}")
    upstream = status["upstream"]
    print(f"upstream: {upstream.get('messages', 0)} messages kept, {upstream.get('bytes', 0) / 1e6:.1f} MB")
    for endpoint, queue in status["hub"]["endpoints"].items():
        if queue["waiting"]:
            print(f"waiting: {queue['waiting']} for {endpoint}")
    counted = {name: n for name, n in status["hub"]["counters"].items() if name.startswith("dropped_") and n}
    if counted:
        print("dropped: " + ", ".join(f"{n} {name.removeprefix('dropped_')}" for name, n in counted.items()))
    if faults := _faults_in_force(status["misbehaviour"]):
        print(f"misbehaves: {faults}")
    return Exit.OK


def _faults_in_force(settings: JsonObject) -> str:
    import msgspec

    from vigie_edgehub.ports import Misbehaviour

    usual = msgspec.to_builtins(Misbehaviour())
    return ", ".join(f"{name}={value}" for name, value in settings.items() if value != usual.get(name))


def _apply(args: argparse.Namespace) -> int:
    from vigie.errors import HubAnswerError
    from vigie_devkit.commands.twin import read_json_object
    from vigie_edgehub.service.client import ServiceClient

    content = read_json_object(str(args.manifest))
    try:
        ServiceClient.open(hub_state(args)).apply_configuration(content)
    except HubAnswerError as error:
        sys.stderr.write(f"vigie: {args.manifest} was not applied, the old manifest stays in force: {error}\n")
        return 1
    print(f"{args.manifest} applied")
    _tell_shared_outputs(content)
    return Exit.OK


def _tell_shared_outputs(content: dict[str, Any]) -> None:
    """Modules that run were told at their start who listens; a consumer added since would get leases, not messages."""
    from vigie_devkit.manifest.content import modules_content
    from vigie_devkit.manifest.doorbells import shared_outputs
    from vigie_edgehub.routes.config import parse_edgehub_desired

    desired = modules_content(content)["$edgeHub"]["properties.desired"]
    for module, output, others in shared_outputs(parse_edgehub_desired(desired).routes):
        print(
            f"{output} of {module} also goes to {', '.join(others)}; if {module} runs already, turn its doorbell off: "
            f'./vigie twin set {module} \'{{"doorbells": {{"on": false}}}}\''
        )


def _misbehave(args: argparse.Namespace) -> int:
    from vigie_edgehub.service.client import ServiceClient

    settings = {
        "upstream_online": None if args.upstream is None else args.upstream == "online",
        "ack_delay_ms": args.ack_delay,
        "delivery_delay_ms": args.delivery_delay,
        "jitter": args.jitter,
        "drop_probability": args.drop_probability,
        "seed": args.seed,
    }
    changes: dict[str, float | bool] = {name: value for name, value in settings.items() if value is not None}
    client = ServiceClient.open(hub_state(args))
    if args.reset:
        client.behave()
    if changes:
        client.misbehave(**changes)
    if args.drop is not None:
        print(f"connections closed: {client.drop_connections(args.drop or None, abrupt=args.abrupt)}")
    if args.restart:
        client.restart_listener()
        print("the MQTT port is closed for a moment")
    import msgspec

    print(f"misbehaves: {_faults_in_force(msgspec.to_builtins(client.misbehaviour())) or 'not at all'}")
    return Exit.OK


def _lint(args: argparse.Namespace) -> int:
    from vigie_devkit.commands.twin import read_json_object
    from vigie_edgehub.lint import lint_manifest

    findings = lint_manifest(read_json_object(str(args.manifest)))
    for finding in findings:
        show_text(f"{finding.severity}: {finding}")
    if not findings:
        print(f"{args.manifest}: no findings")
    bad = {"error", "warning"} if args.strict else {"error"}
    return 1 if any(finding.severity in bad for finding in findings) else Exit.OK
