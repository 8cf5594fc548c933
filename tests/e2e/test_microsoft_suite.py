"""Microsoft's own e2e suite of the Python device SDK, unmodified, against the hub as gateway.

Run it with ``./vigie test -m e2e tests/e2e``. The suite is fetched (tests/support/microsoft_suite.py); ours is the shim
for its service helper (processes/vigie_shim.py). Its network faults need iptables and the right to use it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from support.hub import manifest
from support.microsoft_suite import suite_folder
from support.service_side import OperatedHub
from support.vendor_env import vendor_python

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]
HERE = Path(__file__).parent
ROUTES = {"all": "FROM /messages/* INTO $upstream", "changes": "FROM /twinChangeNotifications INTO $upstream"}
SUITE_S = 3000


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatedHub]:
    hub = OperatedHub(tmp_path_factory.mktemp("suite-hub"), manifest(ROUTES, modules=["unused"]))
    try:
        hub.start()
        if hub.description["https_port"] != 443:
            pytest.skip("port 443 may not be bound by this user")
        yield hub
    finally:
        hub.close()
        remove_rules(hub)


def may_filter() -> bool:
    """Whether packets may be dropped here, as the suite does for its network faults."""
    try:
        return subprocess.run(["iptables", "-L", "OUTPUT", "-n"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def remove_rules(hub: OperatedHub) -> None:
    """What a test that was killed may have left; the hub's address is its own."""
    if not may_filter():
        return
    address = hub.connection_string.split("=")[1].split(";")[0]
    for port in ("8883", "443"):
        for way in ("DROP", "REJECT"):
            rule = ["iptables", "-D", "OUTPUT", "-p", "tcp", "--dport", port, "--destination", address, "-j", way]
            while subprocess.run(rule, capture_output=True, check=False).returncode == 0:
                pass


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return suite_folder(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def python() -> Path:
    return vendor_python(HERE / "suite.txt", probe="import azure.iot.hub, azure.iot.device, pytest_asyncio")


def counts(report: Path) -> dict[str, int]:
    (found,) = ET.parse(report).getroot().iter("testsuite")
    names = ("tests", "failures", "errors", "skipped")
    return {name: int(found.attrib[name]) for name in names}


@pytest.mark.parametrize("transport", ["mqtt", "mqttws"])
@pytest.mark.parametrize("flavour", ["sync", "aio"])
def test_the_suite_passes(
    hub: OperatedHub,
    suite: Path,
    python: Path,
    tmp_path: Path,
    flavour: str,
    transport: str,
    record_property: Callable[[str, object], None],
) -> None:
    report = tmp_path / "report.xml"
    wanted = "not stress" if may_filter() else "not stress and not dropped_connection and not uses_iptables"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "IOTEDGE_"))}
    environment |= {
        "IOTHUB_CONNECTION_STRING": hub.connection_string,
        "SSL_CERT_FILE": hub.description["ca_file"],
        "REQUESTS_CA_BUNDLE": hub.description["ca_file"],
        "PYTHONPATH": os.pathsep.join([str(HERE / "processes"), str(suite / "dev_utils")]),
    }
    command = [python, "-m", "pytest", "-q", "-p", "vigie_shim", "--transport", transport, "-m", wanted]
    done = subprocess.run(
        [*command, f"--junit-xml={report}", flavour],
        cwd=suite / "tests/e2e/iothub_e2e",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SUITE_S,
        check=False,
    )
    assert report.exists(), done.stdout[-3000:]
    counted = counts(report)
    record_property("suite", counted)
    print(f"Microsoft's e2e suite, {flavour} over {transport}: {counted}")
    assert done.returncode == 0, done.stdout[-6000:]
    assert counted["tests"] - counted["skipped"] > 0
