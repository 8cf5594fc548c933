from __future__ import annotations

from vigie_edgehub.state.waiting_room import WaitingRoom


def test_the_oldest_of_a_peer_goes_and_other_peers_stay() -> None:
    room = WaitingRoom(per_peer=2, in_all=10)
    assert room.enter("other", "10.0.0.2") == []
    assert room.enter(1, "10.0.0.1") == room.enter(2, "10.0.0.1") == []
    assert room.enter(3, "10.0.0.1") == [1]
    assert room.enter(4, "10.0.0.1") == [2]
    assert len(room) == 3


def test_many_peers_share_one_bound() -> None:
    room = WaitingRoom(per_peer=2, in_all=3)
    gone = [room.enter(guest, f"10.0.0.{guest}") for guest in range(5)]
    assert gone == [[], [], [], [0], [1]]


def test_who_said_who_it_is_takes_no_place() -> None:
    room = WaitingRoom(per_peer=1, in_all=1)
    for guest in range(100):
        assert room.enter(guest, "10.0.0.1") == []
        room.leave(guest)
        room.leave(guest)
    assert len(room) == 0
