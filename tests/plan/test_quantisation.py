"""Which GPU can use which format, and how."""

from __future__ import annotations

import pytest

from curc_llm.plan.quantisation import ONLINE_FP8, use_of
from curc_llm.sites.card import Card
from tests.plan.by_hand import A100, B200, CPU, H100, L40, MI100, T4, V100


@pytest.mark.parametrize(
    ("format_", "card", "use"),
    [
        ("bf16", A100, "plain"),
        ("bf16", T4, "plain"),
        ("fp8", H100, "native"),
        ("fp8", L40, "native"),
        ("fp8", A100, "weight-only"),
        (ONLINE_FP8, A100, "weight-only"),
        (ONLINE_FP8, L40, "native"),
        ("awq-int4", H100, "weight-only"),
        ("w4a16", T4, "weight-only"),
        ("int8-w8a8", T4, "native"),
        ("mxfp4", A100, "weight-only"),
        ("mxfp4", H100, "weight-only"),
        ("mxfp4", B200, "native"),
        ("nvfp4", A100, "weight-only"),
        ("nvfp4", B200, "native"),
        ("bf16", CPU, "plain"),
        ("awq-int4", CPU, "weight-only"),
    ],
)
def test_a_gpu_uses_a_format_as_vllm_does(format_: str, card: Card, use: str) -> None:
    assert use_of(format_, card) == (use, "")


@pytest.mark.parametrize(
    ("format_", "card", "told"),
    [
        ("bf16", V100, "vLLM needs compute capability 7.5 or higher; NVIDIA V100 has 7.0."),
        ("mxfp4", T4, "mxfp4 needs compute capability 8.0; NVIDIA T4 has 7.5."),
        (
            "bf16",
            MI100,
            "vLLM doesn't support AMD Instinct MI100: its AMD builds begin with the MI200 series.",
        ),
        ("fp8", CPU, "vLLM has no fp8 for processors; CPU has no GPU."),
        ("exl2", A100, "exl2 is no format that curc-llm knows"),
    ],
)
def test_what_a_gpu_cannot_do_is_told_in_one_sentence(format_: str, card: Card, told: str) -> None:
    use, reason = use_of(format_, card)
    assert use == ""
    assert told in reason
    assert reason.endswith(".")


def test_an_unknown_gpu_gets_no_promise() -> None:
    unknown = A100.model_copy(update={"compute_capability": None})
    assert use_of("bf16", unknown)[0] == ""
