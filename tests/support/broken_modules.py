"""Mistakes in a manifest's modules: schema, placeholders, images, createOptions, routes."""

from __future__ import annotations

import copy

from support.manifest_draft import Draft


def schema_missing_type(d: Draft) -> None:
    del d.modules["camera"]["type"]


def schema_hub_version(d: Draft) -> None:
    d.hub["schemaVersion"] = "1.1"


def schema_rendered_object(d: Draft) -> None:
    d.rendered()
    d.settings("sync")["extra"] = 1


def placeholder_left(d: Draft) -> None:
    d.rendered()
    d.modules["sync"]["env"]["SITE"] = {"value": "${SITE}"}


def placeholder_module(d: Draft) -> None:
    d.settings("sync")["image"] = "${MODULES.sink}"


def placeholder_platform(d: Draft) -> None:
    d.settings("sync")["image"] = "${MODULES.sync.mips}"


def placeholder_bare(d: Draft) -> None:
    d.modules["sync"]["env"]["SITE"] = {"value": "$SITE"}


def same_name(d: Draft) -> None:
    d.modules["Sync"] = copy.deepcopy(d.modules["sync"])


def agent_version(d: Draft) -> None:
    d.agent["schemaVersion"] = "1.0"


def env_reserved(d: Draft) -> None:
    d.modules["sync"]["env"]["IOTEDGE_MODULEID"] = {"value": "camera"}


def no_container(d: Draft) -> None:
    d.parts["stranger"] = {"properties.desired": {}}


def image_latest(d: Draft) -> None:
    d.settings("sync")["image"] = "r.example.com/other:latest"


def image_no_registry(d: Draft) -> None:
    d.settings("sync")["image"] = "other:1.0"


def credential(d: Draft) -> None:
    d.agent["runtime"]["settings"]["registryCredentials"] = {
        "r": {"address": "r.example.com", "username": "u", "password": "s3cret"}
    }


def options_no_json(d: Draft) -> None:
    d.settings("sync")["createOptions"] = "{"


def options_gap(d: Draft) -> None:
    d.rendered()
    d.settings("sync")["createOptions03"] = d.settings("sync").pop("createOptions01")


def options_piece(d: Draft) -> None:
    d.rendered()
    settings = d.settings("sync")
    settings["createOptions"] += settings.pop("createOptions01")


def options_long(d: Draft) -> None:
    d.options("sync")["Env"] = [f"N{n}={'x' * 100}" for n in range(50)]


def options_top_level(d: Draft) -> None:
    d.options("sync")["Memory"] = 1 << 28


def options_unknown(d: Draft) -> None:
    d.host("sync")["ReadOnlyRoot"] = True


def options_inside(d: Draft) -> None:
    d.host("sync")["Env"] = ["A=b"]


def options_case(d: Draft) -> None:
    d.host("sync")["runtime"] = "nvidia"


def user_removed(d: Draft) -> None:
    del d.options("sync")["User"]


def model_of_a_laptop(d: Draft) -> None:
    d.desired("inference")["model"] = {"path": "/home/me/vigie/shared/models/conveyor-parts"}


def model_not_mounted(d: Draft) -> None:
    d.desired("inference")["model"] = {"path": "/bundles/cups"}


def image_not_built(d: Draft) -> None:
    d.settings("inference")["image"] = "r.example.com/vigie-inference:0.1.0-arm64v8-openvino"


def route_unfilled(d: Draft) -> None:
    d.route("extra", "$EDGEHUB_ROUTE")


def gpu(d: Draft) -> None:
    d.host("inference")["DeviceRequests"] = [{"Count": -1, "Capabilities": ["gpu"]}]


def gpu_none(d: Draft) -> None:
    d.host("inference")["DeviceRequests"] = [{"Count": -1}]


def memory_text(d: Draft) -> None:
    d.host("sync")["Memory"] = "192m"


def memory_tiny(d: Draft) -> None:
    d.host("sync")["Memory"] = 192


def memory_absent(d: Draft) -> None:
    del d.host("sync")["Memory"]


def group_name(d: Draft) -> None:
    d.host("inference")["GroupAdd"] = ["render"]


def privileged(d: Draft) -> None:
    d.host("inference")["Privileged"] = True


def restart_policy(d: Draft) -> None:
    d.host("sync")["RestartPolicy"] = {"Name": "no"}


def bind_relative(d: Draft) -> None:
    d.host("sync")["Binds"] = ["./data:/data"]


def port_taken(d: Draft) -> None:
    d.host("camera")["PortBindings"] = {"9600/tcp": [{"HostPort": "9600"}]}
    d.host("sync")["PortBindings"] = {"9600/tcp": [{"HostPort": "9600"}]}


def port_of_the_hub(d: Draft) -> None:
    d.host("sync")["PortBindings"] = {"9600/tcp": [{"HostPort": "443"}]}


def port_without_protocol(d: Draft) -> None:
    d.host("sync")["PortBindings"] = {"9600": [{"HostIp": "127.0.0.1", "HostPort": "9600"}]}


def port_out_of_range(d: Draft) -> None:
    d.host("sync")["PortBindings"] = {"96000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9600"}]}


def port_as_a_word(d: Draft) -> None:
    d.host("sync")["PortBindings"] = {"9600/tcp": [{"HostIp": "127.0.0.1", "HostPort": "metrics"}]}


def port_of_a_name(d: Draft) -> None:
    d.host("sync")["PortBindings"] = {"9600/tcp": [{"HostIp": "localhost", "HostPort": "9600"}]}


def page_on_every_address(d: Draft) -> None:
    del d.host("viewer")["PortBindings"]["8710/tcp"][0]["HostIp"]


def pids_few(d: Draft) -> None:
    d.host("camera")["PidsLimit"] = 4


def pids_text(d: Draft) -> None:
    d.host("sync")["PidsLimit"] = "256"


def pids_absent(d: Draft) -> None:
    del d.host("sync")["PidsLimit"]


def version_before(d: Draft) -> None:
    d.settings("sync")["image"] = "r.example.com/vigie-sync:0.0.9-amd64"


def version_long_before(d: Draft) -> None:
    d.rendered()
    d.settings("sync")["image"] = "r.example.com/vigie-sync:2.0.0-amd64"


def route_syntax(d: Draft) -> None:
    d.route("detections", "FORM /messages/* INTO $upstream")


def route_where_behind(d: Draft) -> None:
    d.route("telemetry", "FROM /messages/modules/sync/outputs/telemetry INTO $upstream WHERE $body.x > 1")


def route_unknown_target(d: Draft) -> None:
    d.route("extra", 'FROM /messages/modules/sync/outputs/telemetry INTO BrokeredEndpoint("/modules/snyc/inputs/x")')


def route_dead_output(d: Draft) -> None:
    del d.hub["routes"]["inputspec"]


def route_unknown_input(d: Draft) -> None:
    d.route(
        "frames",
        'FROM /messages/modules/camera/outputs/frames INTO BrokeredEndpoint("/modules/preprocess/inputs/frame")',
    )


def receiver_not_named(d: Draft) -> None:
    del d.modules["sync"]["env"]["VIGIE_EVENT_RECEIVERS"]


def receiver_not_reached(d: Draft) -> None:
    del d.hub["routes"]["events"]


def route_stale(d: Draft) -> None:
    d.hub["routes"]["frames"]["timeToLiveSecs"] = 3600


def route_ttl_zero(d: Draft) -> None:
    d.hub["storeAndForwardConfiguration"]["timeToLiveSecs"] = 0
