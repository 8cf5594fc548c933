from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie_edgehub.mqtt.usernames import UsernameRefused, parse_username

OLD_TAIL = "api-version=2017-06-30/DeviceClientType=Microsoft.Azure.Devices.Client/1.5.1-preview-003"


@pytest.mark.parametrize(
    ("username", "device", "module", "client_type", "model_id"),
    [
        ("hub/dev/?api-version=1", "dev", None, "", None),
        ("hub/dev/api-version=1", "dev", None, "", None),
        ("hub/dev/mod/?api-version=1", "dev", "mod", "", None),
        ("hub/dev/mod/api-version=1", "dev", "mod", "", None),
        ("hub/dev/mod/api-version=1&", "dev", "mod", "", None),
        ("hub/dev/mod/?api-version=1&DeviceClientType=py%2F2.14", "dev", "mod", "py/2.14", None),
        ("hub/dev/?api-version=1&DeviceClientType=py&model-id=dtmi%3Ax%3B1", "dev", None, "py", "dtmi:x;1"),
        ("hub/dev/mod/?DeviceClientType=py&api-version=1&model-id=m", "dev", "mod", "py", "m"),
        ("hub/dev/mod/?api-version=1&Other=py", "dev", "mod", "", None),
        ("hub/dev/mod/?api-version=1&model-id=", "dev", "mod", "", None),
        ("hub/dev/mod/?api-version=1&api-version=2&DeviceClientType=a&DeviceClientType=b", "dev", "mod", "a", None),
        ("hub/ dev / mod /?api-version=1", "dev", "mod", "", None),
        ("hub/dev?1/mod?2/?api-version=1", "dev?1", "mod?2", "", None),
        (f"hub/dev/mod/{OLD_TAIL}", "dev", "mod", "Microsoft.Azure.Devices.Client/1.5.1-preview-003", None),
    ],
)
def test_a_user_name_of_the_dialect_is_read(
    username: str, device: str, module: str | None, client_type: str, model_id: str | None
) -> None:
    name = parse_username(username)
    assert (name.hub, name.device, name.module) == ("hub", device, module)
    assert (name.client_type, name.model_id) == (client_type, model_id)
    assert name.client_id == (f"{device}/{module}" if module else device)


@pytest.mark.parametrize(
    "username",
    [
        "",
        "hub",
        "hub/dev",
        "hub/dev/mod",
        "hub/dev/word",
        "hub/dev/mod/word",
        "hub/dev/api-version",
        "hub/dev/mod/api-version",
        "hub/dev/mod/?api-version",
        "hub/dev/mod/?api-version=",
        "hub/dev/mod/?api-version=%20",
        "hub/dev/mod/?version=1&DeviceClientType=py",
        "hub/dev/mod/DeviceClientType=py",
        "hub/dev/mod/DeviceClientType=py&other",
        "hub/dev/mod/api-version=1/more",
        "hub/dev/mod/more/?api-version=1",
        "hub/dev/mod?api-version=1?DeviceClientType=py",
        "hub?api-version=1&DeviceClientType=py",
        "hub//?api-version=1",
        "hub/?api-version=1",
        f"hub/dev/mod/{OLD_TAIL}/more",
        "hub/dev/mod/api-version=2017-06-30/DeviceClientType=Microsoft.Azure.Devices.Client",
    ],
)
def test_any_other_user_name_is_refused(username: str) -> None:
    with pytest.raises(UsernameRefused) as refusal:
        parse_username(username)
    assert refusal.value.reason


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(username: str) -> None:
    with contextlib.suppress(UsernameRefused):
        parse_username(username)
