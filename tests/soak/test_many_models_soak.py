"""Two models, three replicas of each and two adapters under mixed load for half an hour (MANY_MODELS_MIN).

A replica is killed every six minutes.
"""

from __future__ import annotations

import os

from tests.gateway.conftest import StartGateway, start_gateway
from tests.gateway.many_models import check, run_load

__all__ = ["start_gateway"]
MINUTES = float(os.environ.get("MANY_MODELS_MIN", "30"))


async def test_half_an_hour_of_load_and_kills_loses_nothing_that_had_not_begun(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway(heartbeat_s=15)
    check(await run_load(gateway, MINUTES * 60, min(360.0, MINUTES * 12)), MINUTES * 60)
