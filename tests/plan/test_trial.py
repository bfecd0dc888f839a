from __future__ import annotations

import pytest

from curc_llm.plan.candidates import Choice
from curc_llm.plan.layout import Layout
from curc_llm.plan.presets import NO_PRESET, Preset
from curc_llm.plan.request import PlanRequest
from curc_llm.plan.trial import Trial, round_down, try_launch
from curc_llm.plan.wants import make_wants
from tests.plan.shipped import facts_of, offer_of

FACTS = facts_of("alpine")


def trial(model: str, gpu: str, preset: Preset = NO_PRESET, max_model_len: int | None = None) -> Trial:
    found = FACTS.models[model]
    request = PlanRequest(model=model, max_model_len=max_model_len)
    wants = make_wants(request, found, preset, FACTS.defaults)
    weights = found.weights[0]
    return try_launch(found, offer_of(gpu), 1, 1, Choice(weights, weights.format), Layout(), wants)


def many(requests: float) -> Preset:
    return NO_PRESET.model_copy(update={"min_concurrency": requests})


def test_the_context_is_lowered_until_as_many_requests_fit_as_the_preset_wants() -> None:
    plain = trial("qwen3-8b", "l40")
    assert plain.wish.max_model_len == 32768
    crowded = trial("qwen3-8b", "l40", many(10))
    assert 8192 <= crowded.wish.max_model_len < 32768
    assert crowded.wish.max_model_len % 1024 == 0
    assert crowded.max_concurrency >= 10
    longer = trial("qwen3-8b", "l40", max_model_len=crowded.wish.max_model_len + 1024)
    assert longer.max_concurrency < 10


def test_a_good_context_is_not_given_up_for_more_requests() -> None:
    assert trial("qwen3-8b", "l40", many(1000)).wish.max_model_len == 8192


def test_a_context_that_was_asked_for_is_never_lowered() -> None:
    asked = trial("qwen3-32b", "a100_80gb", max_model_len=40960)
    assert asked.wish.max_model_len == 40960
    assert not asked.fit.fits


def test_a_launch_that_does_not_fit_has_no_room() -> None:
    found = trial("qwen3-32b", "l40")
    assert not found.fit.fits
    assert (found.room, found.is_roomy) == (0.0, False)


def test_a_launch_in_words() -> None:
    found = trial("qwen3-8b", "l40")
    assert (found.title, found.gpus) == ("Qwen3 8B", "1 x l40")


@pytest.mark.parametrize(("tokens", "clean"), [(33_000, 32_768), (32_768, 32_768), (600, 600)])
def test_chosen_contexts_are_clean_numbers(tokens: int, clean: int) -> None:
    assert round_down(tokens) == clean
