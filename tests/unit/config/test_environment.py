"""The environment of a module."""

from __future__ import annotations

import pytest

from vigie.config import ModuleEnvironment
from vigie.errors import ConfigRefusedError


def test_defaults_are_those_of_a_container() -> None:
    env = ModuleEnvironment.from_environ("camera", {"IOTEDGE_MODULEID": "cam-east", "IOTEDGE_DEVICEID": "box"})
    assert (env.name, env.module_id, env.device_id) == ("camera", "cam-east", "box")
    assert (str(env.state), str(env.frames), str(env.secrets)) == ("/var/lib/vigie", "/dev/shm/vigie", "/run/secrets")
    assert env.http == ("0.0.0.0", 9600)
    assert len(env.boot) == 8


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
