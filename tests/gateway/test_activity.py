"""Reports of use: at once, but not too often."""

from __future__ import annotations

import asyncio

from curc_llm.gateway.activity import ActivityReporter
from curc_llm.gateway.channel import Activity
from tests.gateway.conftest import wait_for


async def test_the_first_change_is_reported_at_once_and_a_burst_as_one() -> None:
    sent: list[Activity] = []
    reporter = ActivityReporter(sent.append)
    reporter.begin()
    assert sent == [Activity(1, 0, 0.0)]
    for _ in range(100):
        reporter.begin()
        reporter.end()
    assert len(sent) == 1
    await wait_for(lambda: len(sent) == 2)
    assert sent[-1] == Activity(1, 100, 0.0)
    reporter.end()
    await wait_for(lambda: len(sent) == 3)
    assert (sent[-1].running, sent[-1].finished) == (0, 101)
    assert 0 <= sent[-1].last_activity_ago_s <= 0.5


async def test_when_nothing_changes_nothing_is_sent() -> None:
    sent: list[Activity] = []
    ActivityReporter(sent.append)
    await asyncio.sleep(0.05)
    assert sent == []
