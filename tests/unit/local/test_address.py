from __future__ import annotations

import ipaddress
import socket

import pytest

from vigie_devkit.local import address
from vigie_devkit.local.errors import HubFailedError


def test_each_run_has_a_loopback_address_of_its_own_and_keeps_it() -> None:
    first, again, other = (next(address.candidates(key)) for key in ("a", "a", "b"))
    assert first == again != other
    assert ipaddress.ip_address(first) in ipaddress.ip_network("127.64.0.0/10")


def test_a_busy_address_is_passed_over() -> None:
    wanted = next(address.candidates("run"))
    with socket.socket() as other:
        other.bind((wanted, 0))
        other.listen()
        assert address.choose_address("run", other.getsockname()[1]) == list(address.candidates("run"))[1]


def test_a_listener_on_every_address_is_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(HubFailedError, match=f"port {port} is busy on every loopback address tried") as caught:
            address.choose_address("run", port)
    assert caught.value.exit_code == 3
