from __future__ import annotations

import pytest

from curc_llm.attachments.sizes import render_size, render_tokens
from curc_llm.attachments.tokens import estimate_image_tokens, estimate_tokens


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (2048, "2 KiB"),
        (10 * 2**30, "10 GiB"),
        (2**41, "2 TiB"),
    ],
)
def test_sizes_are_short(num_bytes: int, text: str) -> None:
    assert render_size(num_bytes) == text


@pytest.mark.parametrize(
    ("num", "text"), [(0, "about 0 tokens"), (99, "about 99 tokens"), (123_456, "about 120,000 tokens")]
)
def test_tokens_are_said_to_be_estimates(num: int, text: str) -> None:
    assert render_tokens(num) == text


def test_estimates_are_of_the_right_size() -> None:
    english = "The quick brown fox jumps over the lazy dog near the river bank. " * 100
    assert 1300 <= estimate_tokens(english) <= 1600
    assert 8 <= estimate_tokens("私は学生です。東京に") <= 14
    assert estimate_tokens("") == 0
    assert estimate_tokens("\n") == 1


def test_a_long_text_is_estimated_by_its_beginning() -> None:
    assert estimate_tokens("word " * 1_000_000) == pytest.approx(1_000_000, rel=0.01)


def test_an_image_costs_a_token_for_each_square_of_28_pixels() -> None:
    assert estimate_image_tokens(28, 28) == 1
    assert estimate_image_tokens(1536, 1536) == 55 * 55
