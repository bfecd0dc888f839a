from __future__ import annotations

from curc_llm.chat.engine_figures import EngineFigures, EngineFiguresWatch, parse_figures
from curc_llm.chat.gateway_client import GatewayClient
from tests.fakes.fake_gateway import FakeGateway

METRICS = """# HELP vllm:num_requests_waiting x
vllm:num_requests_waiting{engine="0",model_name="a"} 3.0
vllm:num_requests_waiting{engine="1",model_name="a"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="a"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="a"} 7.5e-01
vllm:num_requests_running{engine="0"} 9.0
"""


def test_waiting_requests_add_up_and_the_fullest_cache_counts() -> None:
    assert parse_figures(METRICS) == EngineFigures(waiting=4, kv_cache_usage=0.75)


def test_metrics_without_them_tell_nothing() -> None:
    assert parse_figures("") == EngineFigures()
    assert parse_figures("vllm:num_requests_waiting NaN\n") == EngineFigures()


async def test_many_pages_ask_the_gateway_once(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.metrics = METRICS
    watch = EngineFiguresWatch(client)
    first = await watch.look("owner")
    gateway.metrics = ""
    assert await watch.look("owner") == first == EngineFigures(4, 0.75)


async def test_a_gateway_that_is_away_leaves_the_figures_out(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.is_down = True
    assert await EngineFiguresWatch(client).look("owner") == EngineFigures()
