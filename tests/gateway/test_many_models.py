"""Many models, replicas and adapters under load while replicas die: for a quarter of a minute."""

from __future__ import annotations

import pytest

from tests.gateway.conftest import StartGateway
from tests.gateway.many_models import check, run_load


@pytest.mark.slow
async def test_no_answer_is_wrong_and_none_is_lost_that_had_not_begun(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(heartbeat_s=2)
    tally = await run_load(gateway, seconds=15, kill_every_s=3)
    check(tally, 15)
    lines = gateway.log("access")
    assert {line["priority"] for line in lines} == {"interactive", "batch"}
    assert {line["replica"].partition("@")[0] for line in lines} == {"chat", "code"}
    assert sum(line["retries"] for line in lines) >= 1
