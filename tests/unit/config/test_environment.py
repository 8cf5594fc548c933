"""The environment of a module."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie.config import ModuleEnvironment
from vigie.config.environment import check_boot_variables
from vigie.errors import ConfigRefusedError


def test_defaults_are_those_of_a_container() -> None:
    env = ModuleEnvironment.from_environ("camera", {"IOTEDGE_MODULEID": "cam-east", "IOTEDGE_DEVICEID": "box"})
    assert (env.name, env.module_id, env.device_id) == ("camera", "cam-east", "box")
    assert (str(env.state), str(env.frames), str(env.secrets)) == ("/var/lib/vigie", "/dev/shm/vigie", "/run/secrets")
    assert env.http == ("0.0.0.0", 9600)
    assert len(env.boot) == 8


def test_measurements_are_where_the_variable_says_else_with_the_state() -> None:
    assert ModuleEnvironment.from_environ("inference", {"VIGIE_RUNTIMES": "/var/cache/r"}).runtimes == Path(
        "/var/cache/r"
    )
    assert ModuleEnvironment.from_environ("inference", {}).runtimes is None


def test_the_connection_string_names_the_module_too() -> None:
    text = "HostName=h;GatewayHostName=g;DeviceId=box;ModuleId=cam;SharedAccessKey=QUJD="
    env = ModuleEnvironment.from_environ("camera", {"EdgeHubConnectionString": text})
    assert (env.module_id, env.device_id) == ("cam", "box")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("VIGIE_HTTP", "9600"),
        ("VIGIE_HTTP", "h:99999"),
        ("VIGIE_LOG", "xml"),
        ("VIGIE_LOG_LEVEL", "loud"),
        ("IOTEDGE_MODULEID", "../x"),
    ],
)
def test_a_bad_variable_is_refused_by_its_name(variable: str, value: str) -> None:
    with pytest.raises(ConfigRefusedError) as refused:
        ModuleEnvironment.from_environ("camera", {variable: value})
    assert refused.value.path == variable


EDGE = {
    f"IOTEDGE_{name}": "x"
    for name in (
        "IOTHUBHOSTNAME",
        "DEVICEID",
        "MODULEID",
        "GATEWAYHOSTNAME",
        "MODULEGENERATIONID",
        "WORKLOADURI",
        "APIVERSION",
    )
}
TEXT = "HostName=h;GatewayHostName=g;DeviceId=d;ModuleId=m;SharedAccessKey=k"


@pytest.mark.parametrize(
    ("environ", "at_fault"),
    [
        ({}, "IOTEDGE_IOTHUBHOSTNAME"),
        ({name: "x" for name in EDGE if name != "IOTEDGE_WORKLOADURI"}, "IOTEDGE_WORKLOADURI"),
        ({"EdgeHubConnectionString": TEXT}, "IOTEDGE_IOTHUBHOSTNAME"),
        ({"EdgeHubConnectionString": "HostName=h", "EdgeModuleCACertificateFile": __file__}, "EdgeHubConnectionString"),
        ({"EdgeHubConnectionString": TEXT, "EdgeModuleCACertificateFile": "/no/such"}, "EdgeModuleCACertificateFile"),
    ],
    ids=["nothing", "one missing", "half", "incomplete", "no file"],
)
def test_a_process_not_started_as_a_module_is_told_what_is_missing(environ: dict[str, str], at_fault: str) -> None:
    with pytest.raises(ConfigRefusedError) as refused:
        check_boot_variables(environ)
    assert refused.value.path == at_fault


def test_both_ways_to_boot_are_taken() -> None:
    check_boot_variables(EDGE)
    check_boot_variables({"EdgeHubConnectionString": TEXT, "EdgeModuleCACertificateFile": __file__})
