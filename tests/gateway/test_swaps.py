"""What is said of a model while another one takes its place."""

from __future__ import annotations

import time
from typing import Any

import pytest

from curc_llm.gateway.swaps import make_swap_fault


def make_record(phase: str, **engine: Any) -> dict[str, Any]:
    swap = {"from_model": "old", "to_model": "new", "phase": phase}
    return {"engines": [{"served_model_name": "new", "swap": swap, **engine}]}


@pytest.mark.parametrize(("began_s_ago", "wait_s"), [(20.0, 19), (38.0, 2), (300.0, 2)])
def test_once_it_starts_the_time_that_it_took_before_says_when_to_ask_again(
    began_s_ago: float, wait_s: int
) -> None:
    record = make_record("starting", expected_ready_s=40.0, started_at=time.time() - began_s_ago)
    fault = make_swap_fault(record, "old")
    assert fault is not None
    assert fault.retry_after_s in {wait_s, wait_s + 1}
    assert fault.message.endswith(f"Ask for 'new'. Try again in {fault.retry_after_s} s.")


def test_before_that_nobody_knows() -> None:
    fault = make_swap_fault(make_record("stopping", expected_ready_s=40.0, started_at=1.0), "new")
    assert fault is not None
    assert (fault.code, fault.retry_after_s) == ("model_swapping", 10)


def test_an_adapter_goes_and_comes_back_with_its_model() -> None:
    told = {"from_model": "old", "to_model": "new", "adapters": ["pirate"]}
    going = {"engines": [{"served_model_name": "new", "swap": {**told, "phase": "starting"}}]}
    fault = make_swap_fault(going, "pirate")
    assert fault is not None
    assert fault.message.startswith(
        "The adapter 'pirate' goes with its model 'old', which is exchanged for 'new'"
    )
    back = {"engines": [{"served_model_name": "old", "swap": {**told, "phase": "going back"}}]}
    fault = make_swap_fault(back, "pirate")
    assert fault is not None
    assert "'old', which is started again" in fault.message
    assert make_swap_fault(back, "another") is None
