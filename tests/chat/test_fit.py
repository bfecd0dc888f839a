from __future__ import annotations

from typing import Any

import pytest

from curc_llm.chat.controls import WhenFull
from curc_llm.chat.fit import Fitted, fit, fit_counted, refuse_again
from curc_llm.chat.gauge import Gauge
from curc_llm.chat.summary import make_summary

SYSTEM = {"role": "system", "content": "Be brief."}


def make_talk(exchanges: int, chars: int = 400) -> list[dict[str, Any]]:
    """A conversation that ends with a question; each message takes chars / 4 + 4 tokens."""
    talk = [SYSTEM]
    for number in range(exchanges):
        talk.append({"role": "user", "content": f"{number:04}" + "q" * (chars - 4)})
        talk.append({"role": "assistant", "content": "a" * chars})
    return [*talk, {"role": "user", "content": "?" * chars}]


def count(messages: list[dict[str, Any]]) -> int:
    return Gauge().count(messages)


@pytest.mark.parametrize("policy", list(WhenFull))
def test_what_fits_is_sent_as_it_is_without_a_word(policy: WhenFull) -> None:
    talk = make_talk(3)
    assert fit(talk, count(talk), policy) == Fitted(talk)


def test_what_doesnt_fit_is_refused_unless_a_person_chose_otherwise() -> None:
    fitted = fit(make_talk(10), 1000)
    assert fitted.is_refused
    assert "Not sent: all of it takes about 2,190 tokens" in fitted.sentence
    assert "room for 1,000 beside its answer" in fitted.sentence
    assert "When the context is full" in fitted.remedy


@pytest.mark.parametrize("room", [150, 500, 1000, 1500, 2100])
def test_the_oldest_exchanges_are_left_out_whole(room: int) -> None:
    talk = make_talk(10)
    fitted = fit(talk, room, WhenFull.TRIM)
    assert count(fitted.messages) <= room
    assert [m["role"] for m in fitted.messages[:2]] == ["system", "user"]
    assert fitted.messages[-1] == talk[-1]
    assert fitted.messages[1:] == talk[1 + fitted.num_left_out :]
    assert fitted.num_left_out % 2 == 0
    assert f"oldest {fitted.num_left_out} messages" in fitted.sentence


def test_from_turn_to_turn_the_prompt_mostly_begins_with_the_same_words() -> None:
    left_out = [fit(make_talk(n), 4000, WhenFull.TRIM).num_left_out for n in range(20, 40)]
    assert left_out == sorted(left_out)
    assert len(set(left_out)) <= 10


@pytest.mark.parametrize("policy", list(WhenFull))
def test_a_question_that_alone_is_too_long_is_refused_whatever_was_chosen(policy: WhenFull) -> None:
    fitted = fit([SYSTEM, {"role": "user", "content": "x" * 40_000}], 1000, policy)
    assert fitted.is_refused
    assert "the question alone" in fitted.sentence
    assert "attachment" in fitted.remedy
    assert fit(make_talk(3), 0, policy).is_refused


def test_an_answer_that_is_continued_stays_with_its_question() -> None:
    talk = [*make_talk(4), {"role": "assistant", "content": "Half an"}]
    fitted = fit(talk, 300, WhenFull.TRIM)
    assert [m["role"] for m in fitted.messages] == ["system", "user", "assistant"]


def test_a_conversation_without_system_prompt_or_beginning_with_an_answer_is_cut_too() -> None:
    fitted = fit(make_talk(4)[2:], 300, WhenFull.TRIM)
    assert fitted.messages[0]["role"] == "user"
    assert fitted.num_left_out == 7 - len(fitted.messages) + 1


def test_a_better_count_than_the_estimate_is_believed() -> None:
    talk = make_talk(3)
    assert not fit(talk, 1000, used_tokens=900).is_refused
    assert fit(talk, 1000, used_tokens=1001).is_refused


def test_a_summary_is_asked_for_once_and_then_used() -> None:
    talk = make_talk(10)
    asked = fit(talk, 1200, WhenFull.SUMMARISE)
    assert not asked.is_refused
    assert not asked.messages
    assert "summarised first" in asked.sentence
    assert talk[1 + asked.num_to_summarise]["role"] == "user"
    summary = make_summary(talk, asked.num_to_summarise, "They spoke of q.", "m")
    fitted = fit(talk, 1200, WhenFull.SUMMARISE, summary=summary)
    assert fitted.num_summarised == asked.num_to_summarise
    assert "as a summary" in fitted.sentence
    assert "They spoke of q." in fitted.messages[1]["content"]
    assert count(fitted.messages) <= 1200
    later = [*talk, {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]
    assert fit(later, 1200, WhenFull.SUMMARISE, summary=summary).num_summarised == summary.num_messages


def test_a_summary_that_no_longer_suffices_is_made_anew() -> None:
    talk = make_talk(30)
    summary = make_summary(talk, 4, "Short.", "m")
    assert fit(talk, 1200, WhenFull.SUMMARISE, summary=summary).num_to_summarise > 4


def test_a_summary_of_another_branch_isnt_used() -> None:
    talk = make_talk(10)
    summary = make_summary(talk, 14, "Short.", "m")
    talk[1] = {"role": "user", "content": "edited"}
    assert fit(talk, 1200, WhenFull.SUMMARISE, summary=summary).num_to_summarise


def test_it_doesnt_summarise_for_ever() -> None:
    talk = [*make_talk(2)[:-1], {"role": "user", "content": "x" * 4000}]
    room = 1100
    num = fit(talk, room, WhenFull.SUMMARISE).num_to_summarise
    summary = make_summary(talk, num, "long " * 900, "m")
    fitted = fit(talk, room, WhenFull.SUMMARISE, summary=summary)
    assert fitted.is_refused
    assert "even with a summary" in fitted.sentence


def test_a_summary_that_failed_is_told() -> None:
    asked = fit(make_talk(10), 1200, WhenFull.SUMMARISE)
    refused = refuse_again(asked, "The engine died.")
    assert refused.is_refused
    assert "The engine died." in refused.sentence


class Engine:
    """Counts tokens as an engine does whose tokens are shorter than estimated."""

    def __init__(self, ratio: float | None) -> None:
        self.ratio = ratio
        self.asked = 0

    async def count(self, messages: list[dict[str, Any]]) -> int | None:
        self.asked += 1
        return None if self.ratio is None else round(self.ratio * Gauge().count(messages))


async def test_far_from_the_limit_the_engine_isnt_asked() -> None:
    engine, talk = Engine(2.0), make_talk(3)
    fitted = await fit_counted(talk, 10_000, WhenFull.REFUSE, engine.count)
    assert (fitted, engine.asked) == (Fitted(talk), 0)


@pytest.mark.parametrize("ratio", [0.7, 1.0, 1.6])
async def test_near_it_the_engines_count_decides(ratio: float) -> None:
    engine, talk = Engine(ratio), make_talk(10)
    fitted = await fit_counted(talk, 2000, WhenFull.TRIM, engine.count)
    assert await engine.count(fitted.messages) <= 2000
    assert bool(fitted.num_left_out) == (ratio * count(talk) > 2000)


async def test_without_an_answer_of_the_engine_the_estimate_must_do() -> None:
    engine, talk = Engine(None), make_talk(10)
    fitted = await fit_counted(talk, 1000, WhenFull.TRIM, engine.count, used_tokens=1900)
    assert 0 < fitted.num_left_out < len(talk)


async def test_pictures_of_another_size_than_estimated_are_found_out() -> None:
    async def count_pictures(messages: list[dict[str, Any]]) -> int:
        return sum(900 if "q" in m["content"] else 10 for m in messages)

    talk = make_talk(10)
    fitted = await fit_counted(talk, 2000, WhenFull.TRIM, count_pictures, used_tokens=5000)
    assert await count_pictures(fitted.messages) <= 2000
