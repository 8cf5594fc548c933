"""The address of the page of a local run."""

from __future__ import annotations

import socket

from vigie_devkit.local.address import choose_page


def somewhere() -> int:
    """A port that is free now, away from those that runs of other people choose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return min(probe.getsockname()[1], 65_000)


def test_two_starts_at_the_same_moment_get_two_ports() -> None:
    first = somewhere()
    one, one_claim = choose_page(first)
    two, two_claim = choose_page(first)  # nobody listens on the first one yet
    with one_claim, two_claim:
        assert one != two
        assert one.startswith("127.0.0.1:")


def test_a_port_that_somebody_listens_on_is_left_alone() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        address, claim = choose_page(taken)
        with claim:
            assert address != f"127.0.0.1:{taken}"


def test_a_claim_goes_with_its_run() -> None:
    first = somewhere()
    address, claim = choose_page(first)
    claim.close()
    again, claim = choose_page(first)
    with claim:
        assert again == address
