"""Lines of the audit log on their way to the cloud: each, in order, and what was acknowledged not again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.mean_hub import until
from vigie.audit.chain import BEGIN, ChainLine, Head, read_line
from vigie.audit.journal import Journal, log_files, read_head
from vigie.audit.record import AuditEntry, Change
from vigie.audit.upstream import SENT_FILE, AuditUpstream, fitting, lines_after
from vigie.config.environment import ModuleEnvironment
from vigie.errors import HubUnavailableError


class Output:
    """Takes messages as the hub does; ``away``: it acknowledges none."""

    def __init__(self, limit: int = 100_000) -> None:
        self.limit, self.away = limit, False
        self.taken: list[tuple[dict, dict, str]] = []

    def limit_bytes(self, _properties: object, _message_id: str) -> int:
        return self.limit

    def send(self, body: bytes, properties: dict, message_id: str, _deadline_s: float) -> None:
        assert len(body) <= self.limit
        if self.away:
            raise HubUnavailableError("away")
        self.taken.append((json.loads(body), properties, message_id))

    @property
    def numbers(self) -> list[int]:
        return [item["n"] for body, _, _ in self.taken for item in body["items"]]


class Module:
    def __init__(self, folder: Path) -> None:
        self.env = ModuleEnvironment("sync", "sync", "box", folder, folder / "frames", ("127.0.0.1", 0), folder)
        self.journal = self.opened()
        self.output = Output()

    def opened(self, **settings: int) -> Journal:
        return Journal(self.env.state / "audit", module="sync", boot="0badcafe", **settings)

    def write(self, count: int, pad: int = 0) -> None:
        for number in range(count):
            changed = (Change("$.fps", "x" * pad, str(number)),)
            assert self.journal.append(AuditEntry(kind="twin", version=number, result="accepted", changed=changed))

    def send(self) -> None:
        """What a start of the module's thread does until nothing is left."""
        AuditUpstream(self.env, self.output)._send_what_is_new(threading.Event())


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Module]:
    module = Module(tmp_path)
    yield module
    module.journal.close()


def test_every_line_goes_once_and_as_it_stands(module: Module) -> None:
    module.write(120)
    module.send()
    assert module.output.numbers == list(range(1, 121))
    assert len(module.output.taken) == 3
    body, properties, message_id = module.output.taken[0]
    assert (body["schema"], body["module"], body["sent"]) == ("vigie.audit/1", "sync", 50)
    assert properties == {
        "specversion": "1.0",
        "id": message_id,
        "source": "/box/sync",
        "type": "vigie.audit.1",
    }
    # The chain can be followed in the cloud: each item is the line, byte by byte.
    text = (module.env.state / "audit" / "audit-000001.jsonl").read_bytes().splitlines()[0]
    assert read_line(json.dumps(body["items"][0], separators=(",", ":"), ensure_ascii=False).encode()) == read_line(
        text
    )
    module.send()
    module.write(1)
    module.send()
    assert module.output.numbers == list(range(1, 122))


def test_what_the_hub_did_not_take_goes_later_in_order_under_the_same_id_and_also_after_a_restart(
    module: Module,
) -> None:
    module.write(3)
    module.output.away = True
    with pytest.raises(HubUnavailableError):
        module.send()
    module.write(2)
    module.output.away = False
    module.send()
    assert module.output.numbers == [1, 2, 3, 4, 5]
    ids = [message_id for _, _, message_id in module.output.taken]
    assert ids[-1] == f"sync-audit-5-{module.journal.head.sum[:16]}"
    # The file that says how far it got is gone: everything goes again, under the ids that it had.
    (module.env.state / "audit" / SENT_FILE).unlink()
    module.send()
    assert module.output.numbers[5:] == [1, 2, 3, 4, 5]
    assert module.output.taken[-1][2] == ids[-1]


def test_lines_go_on_over_files_and_what_was_rotated_out_before_shows_as_a_gap(module: Module) -> None:
    module.journal.close()
    module.journal = module.opened(file_bytes_max=2_000, files_max=3)
    module.write(4)
    module.send()
    first = len(module.output.numbers)
    module.write(60)
    assert len(log_files(module.env.state / "audit")) == 3
    module.send()
    numbers = module.output.numbers
    assert numbers == sorted(set(numbers))
    assert numbers[first] > first + 1
    assert numbers[-1] == module.journal.head.n


def test_a_log_that_was_written_anew_goes_as_a_whole(module: Module, tmp_path: Path) -> None:
    module.write(5)
    module.send()
    module.journal.close()
    folder = module.env.state / "audit"
    for name in (*log_files(folder), "head.json"):
        (folder / name).unlink()
    module.journal = module.opened()
    module.write(7)
    module.send()
    assert module.output.numbers == [1, 2, 3, 4, 5, *range(1, 8)]


def test_a_line_that_fits_no_message_is_told_of_and_stops_nothing(module: Module) -> None:
    module.output.limit = 2_000
    module.write(1)
    module.write(1, pad=4_000)
    module.write(1)
    module.send()
    items = [item for body, _, _ in module.output.taken for item in body["items"]]
    assert [item["n"] for item in items] == [1, 2, 3]
    assert items[1]["too_large"] > 4_000
    assert (items[1]["prev"], items[2]["prev"]) == (items[0]["sum"], items[1]["sum"])


def test_a_changed_line_is_left_to_whoever_verifies_and_the_others_go(module: Module) -> None:
    module.write(3)
    file = module.env.state / "audit" / "audit-000001.jsonl"
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([lines[0], lines[1].replace(b"accepted", b"refused!"), *lines[2:]]))
    module.send()
    assert module.output.numbers == [1, 3]


async def test_the_thread_sends_what_comes_and_stops_when_it_is_told(module: Module) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=AuditUpstream(module.env, module.output).run, args=(stop,))
    thread.start()
    try:
        module.write(2)
        await until(lambda: module.output.numbers == [1, 2])
        assert read_head(module.env.state / "audit", SENT_FILE) == module.journal.head
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_nothing_is_sent_of_a_module_without_a_log(module: Module) -> None:
    module.send()
    assert module.output.taken == []


def line(n: int, name: str = "a", prev: str = BEGIN) -> tuple[ChainLine, bytes]:
    sum_ = f"{n:062x}{name * 2}"
    return ChainLine(n=n, at="", module="m", boot="b", entry=AuditEntry(kind="start"), prev=prev, sum=sum_), b"x" * 10


@pytest.mark.parametrize(("limit", "numbers"), [(25, [1, 2]), (10, [1]), (1000, [1, 2, 3])])
def test_as_many_lines_as_fit_share_a_message(limit: int, numbers: list[int]) -> None:
    size: Callable[[list[bytes]], int] = lambda items: sum(map(len, items))  # noqa: E731
    items, last = fitting([line(1), line(2), line(3)], size, limit)
    assert (len(items), last.n) == (len(numbers), numbers[-1])


def test_no_file_and_no_line_is_nothing_new() -> None:
    assert lines_after([], Head(3, "a" * 64)) == []
    assert lines_after([b"", b"half a li"], Head()) == []
