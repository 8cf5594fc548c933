"""Reported properties."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.mean_hub import until
from vigie.config.desired import merge
from vigie.errors import HubUnavailableError
from vigie.messaging.reported import PATCH_LIMIT_BYTES, Reporter, compose, split

leaves = st.none() | st.integers(0, 3)
patches = st.dictionaries(st.sampled_from("ab"), leaves | st.dictionaries(st.sampled_from("xy"), leaves), max_size=2)


@given(patches, st.dictionaries(st.sampled_from("abc"), leaves))
def test_a_composed_patch_does_what_the_two_do(first: dict[str, Any], then: dict[str, Any]) -> None:
    start = {"a": {"x": 9}, "b": 8}
    assert merge(start, compose(first, then)) == merge(merge(start, first), then)


def test_a_large_report_is_split_by_property() -> None:
    parts = list(split({f"camera{number}": "x" * 10_000 for number in range(7)}))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert list(split({"a": "x" * (PATCH_LIMIT_BYTES + 1), "b": 1})) == [{"b": 1}]


class Hub:
    def __init__(self) -> None:
        self.away = False
        self.got: list[dict[str, Any]] = []

    def report(self, patch: dict[str, Any]) -> None:
        if self.away:
            raise HubUnavailableError("away")
        self.got.append(patch)


@pytest.fixture
def hub() -> Hub:
    return Hub()


async def test_reports_close_together_are_sent_as_one(hub: Hub) -> None:
    reporter = Reporter(hub.report, pace_s=0.0)
    for number in range(50):
        reporter.report({"fps": number, "state": None if number % 2 else "on"})
    task = asyncio.create_task(reporter.run())
    await until(lambda: hub.got)
    assert hub.got == [{"fps": 49, "state": None}]
    task.cancel()


async def test_a_report_the_hub_did_not_take_is_sent_later_with_what_is_newer(hub: Hub) -> None:
    reporter = Reporter(hub.report, pace_s=0.0)
    hub.away = True
    task = asyncio.create_task(reporter.run())
    reporter.report({"a": 1, "b": 1})
    await asyncio.sleep(0)
    reporter.report({"b": 2})
    hub.away = False
    await until(lambda: hub.got and merge({}, compose(hub.got[0], hub.got[-1])) == {"a": 1, "b": 2})
    task.cancel()


async def test_after_a_reconnect_everything_is_reported_again(hub: Hub) -> None:
    reporter = Reporter(hub.report, pace_s=0.0)
    task = asyncio.create_task(reporter.run())
    reporter.report({"a": {"x": 1}})
    await until(lambda: len(hub.got) == 1)
    reporter.report({"b": 1})
    await until(lambda: len(hub.got) == 2)
    reporter.resend()
    await until(lambda: len(hub.got) == 3)
    assert hub.got[2] == {"a": {"x": 1}, "b": 1}
    task.cancel()
