from __future__ import annotations

import asyncio

from curc_llm.chat.session_watch import SessionWatch
from tests.fakes.fake_gateway import FakeGateway, make_engine, make_record


async def test_many_pages_cost_one_question(gateway: FakeGateway, watch: SessionWatch) -> None:
    snapshots = await asyncio.gather(*(watch.look("owner") for _ in range(20)))
    assert {s.models[0] for s in snapshots} == {"curc-guide"}
    assert len(gateway.users) == 1


async def test_a_fresh_look_asks_again(gateway: FakeGateway, watch: SessionWatch) -> None:
    await watch.look("owner")
    gateway.record = make_record(engines=[make_engine(served_model_name="b")])
    assert (await watch.look("owner")).models == ["curc-guide"]
    assert (await watch.look("owner", max_age_s=0)).models == ["b"]


async def test_the_last_record_is_kept_while_the_gateway_is_away(
    gateway: FakeGateway, watch: SessionWatch
) -> None:
    await watch.look("owner")
    gateway.is_down = True
    snapshot = await watch.look("owner", max_age_s=0)
    assert snapshot.lost_s > 0
    assert snapshot.models == ["curc-guide"]
    gateway.is_down = False
    assert (await watch.look("owner", max_age_s=0)).lost_s == 0


async def test_a_record_that_cant_be_read_counts_as_no_answer(
    gateway: FakeGateway, watch: SessionWatch
) -> None:
    gateway.record = {"session_id": 3}
    assert (await watch.look("owner")).lost_s > 0
