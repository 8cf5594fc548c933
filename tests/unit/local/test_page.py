"""The address of the page of a local run."""

from __future__ import annotations

import socket

from vigie_devkit.local.address import choose_page


def test_two_starts_at_the_same_moment_get_two_ports() -> None:
    first, first_claim = choose_page()
    second, second_claim = choose_page()  # nobody listens on the first one yet
    with first_claim, second_claim:
        assert first != second
        assert first.startswith("127.0.0.1:")


def test_a_port_that_somebody_listens_on_is_left_alone() -> None:
    address, claim = choose_page()
    claim.close()
    host, _, port = address.rpartition(":")
    with socket.socket() as listener:
        listener.bind((host, int(port)))
        listener.listen()
        other, claim = choose_page()
        with claim:
            assert other != address


def test_a_claim_goes_with_its_run() -> None:
    address, claim = choose_page()
    claim.close()
    again, claim = choose_page()
    with claim:
        assert again == address
