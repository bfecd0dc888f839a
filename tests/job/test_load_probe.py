"""What engines say of their load, and what is made of what they don't say."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.job.load_probe import (
    GatewayLoad,
    parse_gateway_load,
    parse_waiting,
    read_engine_waiting,
    read_gateway_load,
)
from curc_llm.session.paths import make_runtime_dir
from tests.fakes.fake_engine import run_fake_engine

METRICS = """# TYPE curc_llm_requests_running gauge
curc_llm_requests_running 5.0
vllm:num_requests_running{engine="0",model_name="a"} 2.0
vllm:num_requests_waiting{engine="0",model_name="a"} 3.0
vllm:num_requests_waiting{engine="1",model_name="a"} 1.0
vllm:num_requests_waiting_by_reason{reason="capacity"} 4.0
"""


def test_waiting_requests_of_all_engines_are_counted_once() -> None:
    assert parse_gateway_load(METRICS) == GatewayLoad(running=5, waiting=4)


@pytest.mark.parametrize(
    "text", ["", "vllm:num_requests_waiting nonsense", "vllm:num_requests_waiting NaN", "{"]
)
def test_what_cannot_be_read_counts_as_none(text: str) -> None:
    assert parse_waiting(text) == 0


async def test_an_engine_is_asked_and_a_silent_one_is_no_trouble() -> None:
    socket = make_runtime_dir() / "e.sock"
    assert await read_engine_waiting(socket) == 0
    async with run_fake_engine(socket, slots=1) as engine:
        engine.waiting = 7
        assert await read_engine_waiting(socket) == 7


def test_a_gateway_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    key = tmp_path / "key"
    assert read_gateway_load("http://127.0.0.1:1/v1", key) is None
    key.write_text("curc-x")
    key.chmod(0o600)
    assert read_gateway_load("http://127.0.0.1:1/v1", key) is None
    assert read_gateway_load("nonsense", key) is None
