"""Who may operate the hub: shared access signatures of the policy iothubowner."""

import pytest

from vigie_edgehub.ports import ServiceSettings
from vigie_edgehub.service.credentials import ConnectionString, UnauthorizedError, check_authorization

KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
OTHER_KEY = "b3RoZXItb3RoZXItb3RoZXI="
NOW = 1_700_000_000
SETTINGS = ServiceSettings(
    listen="127.0.0.1",
    port=0,
    policy_name="iothubowner",
    policy_key=KEY,
    hostnames=frozenset({"local.azure-devices.net"}),
)


def check(header: str | None, *, path: str = "/devices/d/modules/m", now: int = NOW) -> None:
    check_authorization(header, path, SETTINGS, 8443, now)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8443",
        "127.0.0.1",
        "local.azure-devices.net",
        "local.azure-devices.net:8443",
        "LOCAL.azure-devices.net",
        "127.0.0.1/devices/d",
        "https://127.0.0.1/devices/d/modules/m",
    ],
)
def test_a_token_for_one_of_the_hubs_names_is_believed(host: str) -> None:
    check(ConnectionString(host, "iothubowner", KEY).token(NOW + 60))


def test_the_token_of_the_azure_package_is_believed() -> None:
    sastoken = pytest.importorskip("azure.iot.hub.sastoken", reason="azure-iot-hub has no wheel for this machine")
    check(str(sastoken.SasToken("127.0.0.1:8443", KEY, "iothubowner")), now=0)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "no shared access signature"),
        ("", "no shared access signature"),
        ("Bearer abc", "no shared access signature"),
        ("SharedAccessSignature", "has no se, sig, skn, sr"),
        ("SharedAccessSignature sr=127.0.0.1&sig=x&se=99999999999", "has no skn"),
        ("SharedAccessSignature sr=127.0.0.1&sig=x&se=soon&skn=iothubowner", "not a number"),
        (ConnectionString("127.0.0.1", "iothubowner", KEY).token(NOW - 5), "expired 5 s ago"),
        (ConnectionString("127.0.0.1", "registryRead", KEY).token(NOW + 60), "policy 'registryRead'"),
        (ConnectionString("example.com", "iothubowner", KEY).token(NOW + 60), "is for 'example.com'"),
        (
            ConnectionString("127.0.0.1/devices/other", "iothubowner", KEY).token(NOW + 60),
            "not for '/devices/d/modules/m'",
        ),
        (ConnectionString("127.0.0.1/dev", "iothubowner", KEY).token(NOW + 60), "not for '/devices/d/modules/m'"),
        (ConnectionString("127.0.0.1/devices/d/modules/m/methods", "iothubowner", KEY).token(NOW + 60), "not for"),
        (
            "SharedAccessSignature sr=127.0.0.1&sig=\udcff&se=99999999999&skn=iothubowner",
            "characters that a shared",
        ),
        (ConnectionString("127.0.0.1:9", "iothubowner", KEY).token(NOW + 60), "is for '127.0.0.1:9'"),
        (ConnectionString("127.0.0.1", "iothubowner", OTHER_KEY).token(NOW + 60), "does not match"),
        (ConnectionString("127.0.0.1", "iothubowner", KEY).token(NOW + 60).replace("&se=", "&se=1"), "does not match"),
    ],
)
def test_any_other_header_is_refused_with_its_reason(header: str | None, reason: str) -> None:
    with pytest.raises(UnauthorizedError, match=reason):
        check(header)


def test_a_connection_string_is_read_as_it_is_written_and_hides_its_key() -> None:
    made = ConnectionString("127.0.0.1:8443", "iothubowner", KEY)
    assert ConnectionString.parse(f"{made}\n") == made
    assert KEY not in repr(made)


def test_a_connection_string_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="no SharedAccessKeyName"):
        ConnectionString.parse("HostName=a;SharedAccessKey=b")
