from __future__ import annotations

import pytest

from curc_llm.chat.context import ContextUse, Counted, find_reserve, make_digest, measure, render_use
from curc_llm.chat.gauge import IMAGE_TOKENS, Gauge, estimate_text, read_content
from curc_llm.chat.meter_html import OVER, render_meter

LONG = [
    {"role": "system", "content": "Be brief. " * 40},
    {"role": "user", "content": "What is a Weibull distribution? " * 40},
]


def say(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def test_what_the_engine_counted_is_exact_and_the_rest_an_estimate() -> None:
    counted = Counted(LONG, prompt_tokens=400, answer_tokens=60)
    use = measure([*LONG, say("assistant", "a" * 240), say("user", "b" * 400)], counted=counted)
    assert use.counted_tokens == 460
    assert 80 < use.estimated_tokens < 130
    assert measure(LONG, counted=counted).estimated_tokens == 0


def test_an_answer_with_reasoning_is_estimated() -> None:
    counted = Counted(LONG, prompt_tokens=400, answer_tokens=None)
    use = measure([*LONG, say("assistant", "a" * 400)], counted=counted)
    assert (use.counted_tokens, use.estimated_tokens > 50) == (400, True)


def test_an_edited_conversation_is_estimated_by_what_this_chat_taught() -> None:
    edited = [LONG[0], say("user", "Else? " * 200)]
    plain = measure(edited).estimated_tokens
    taught = measure(edited, counted=Counted(LONG, prompt_tokens=2 * Gauge().count(LONG)))
    assert taught.counted_tokens == 0
    assert taught.estimated_tokens == pytest.approx(2 * plain, rel=0.01)


def test_short_prompts_teach_nothing() -> None:
    hello = [say("user", "Hi")]
    assert Gauge().learn(hello, 90) == Gauge()
    assert Gauge().learn(LONG, None) == Gauge()
    assert Gauge().learn(LONG, 10**6).ratio == 4.0


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("The quick brown fox jumps over the lazy dog.", 9, 12),
        ("研究数据分析", 6, 6),
        ("Данные", 2, 3),
        ("", 0, 0),
    ],
)
def test_texts_are_estimated_by_their_script(text: str, low: float, high: float) -> None:
    assert low <= estimate_text(text) <= high


def test_pictures_count_and_attachments_too() -> None:
    parts = [{"type": "text", "text": "See:"}, {"type": "image_url", "image_url": {"url": "data:x"}}, "odd"]
    message = {"role": "user", "content": parts}
    assert measure([message]).used_tokens == 5 + 2 * IMAGE_TOKENS
    assert read_content(message) == "See:\n[picture]\n[picture]"
    assert measure([message], attachment_tokens=100).used_tokens == 105 + 2 * IMAGE_TOKENS
    assert measure([], counted=Counted(LONG, 400), attachment_tokens=7).estimated_tokens == 7


@pytest.mark.parametrize(
    ("used", "level", "is_over"),
    [
        (0, "calm", False),
        (749, "calm", False),
        (750, "near", False),
        (950, "full", False),
        (1001, "full", True),
    ],
)
def test_levels_are_those_of_the_room_beside_the_answer(used: int, level: str, is_over: bool) -> None:
    use = ContextUse(used, 0, 1250, 250)
    assert (use.level, use.is_over) == (level, is_over)


def test_the_answer_keeps_its_room() -> None:
    assert find_reserve(None, None) == 1024
    assert measure(LONG, max_model_len=8192, max_tokens=3000).room_tokens == 5192
    assert measure(LONG, max_model_len=100, max_tokens=3000).is_over


def test_without_a_known_context_there_is_no_level() -> None:
    use = measure(LONG)
    assert (use.room_tokens, use.level, use.is_over) == (None, "calm", False)
    assert "of" not in render_use(use)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (ContextUse(3210, 0, 8192), "3,210 of 8,192 tokens"),
        (ContextUse(0, 10, 8192), "about 10 of 8,192 tokens"),
        (ContextUse(0, 0), "0 tokens"),
    ],
)
def test_the_words_say_what_is_estimated(use: ContextUse, words: str) -> None:
    assert render_use(use) == words


def test_the_meter_is_read_out() -> None:
    html = render_meter(ContextUse(2800, 400, 8192, 1024))
    assert 'role="meter"' in html
    assert 'aria-valuenow="3200" ' in html
    assert 'aria-valuetext="about 3,200 of 8,192 tokens."' in html
    assert "width:39.1%" in html
    assert "width:12.5%" not in html
    assert 'curc-meter-answer" style="width:12.5%"' in render_meter(ContextUse(6000, 400, 8192, 1024))
    assert "curc-meter-hint" not in html


def test_the_meter_warns_in_words() -> None:
    assert "getting full" in render_meter(ContextUse(800, 0, 1000))
    assert "curc-meter-full" in render_meter(ContextUse(960, 0, 1000))
    over = render_meter(ContextUse(3000, 0, 1000, 200))
    assert OVER in over
    assert 'aria-valuenow="1000"' in over
    assert "width:0.0%" in over


def test_the_meter_draws_nothing_that_isnt_known() -> None:
    html = render_meter(ContextUse(10, 0))
    assert "meter-bar" not in html
    assert "10 tokens" in html


def test_digests_tell_conversations_apart() -> None:
    assert make_digest(LONG) == make_digest([dict(message) for message in LONG])
    assert make_digest(LONG) != make_digest(LONG[:1]) != make_digest([say("user", "Be brief. " * 40)])
