from __future__ import annotations

from typing import Any

from curc_llm.chat.answer import Answer
from curc_llm.chat.gateway_client import GatewayError
from curc_llm.chat.markup import render_markdown
from curc_llm.chat.messages import (
    cut_history,
    make_answer_messages,
    make_aside,
    make_notice,
    make_request_messages,
    make_user_message,
    parse_text,
)


def part(text: str) -> list[dict[str, str]]:
    """A content as Gradio sends it back."""
    return [{"type": "text", "text": text}]


def test_a_request_holds_the_talk_and_no_asides() -> None:
    answer = Answer(text="4", reasoning="2+2", completion_tokens=1)
    history = [make_user_message("2+2?"), *make_answer_messages(answer, True), make_user_message("Sure?")]
    for entry in history:
        entry["content"] = part(entry["content"])
    assert make_request_messages(history, " Be brief. ") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "Sure?"},
    ]


def test_a_message_without_an_answer_joins_the_next_one() -> None:
    history = [make_user_message("a"), make_notice(GatewayError("It broke.")), make_user_message("b")]
    assert make_request_messages(history) == [{"role": "user", "content": "a\n\nb"}]


def test_an_empty_system_prompt_and_empty_answers_are_left_out() -> None:
    history = [make_user_message("a"), {"role": "assistant", "content": ""}]
    assert make_request_messages(history, "  ") == [{"role": "user", "content": "a"}]


def test_the_model_gets_its_own_text_back_and_not_the_pages() -> None:
    text = "Use `a<b>` and <i>this</i> with ![x](y)."
    history = [{"role": "assistant", "content": part(render_markdown(text))}]
    assert make_request_messages(history) == [{"role": "assistant", "content": text}]


def test_attachments_are_left_out_of_the_text() -> None:
    content: list[dict[str, Any]] = [{"type": "file", "file": {"path": "x"}}, *part("look")]
    assert parse_text({"role": "user", "content": content}) == "look"
    assert parse_text({"role": "user", "content": {"type": "text", "text": "one"}}) == "one"
    assert parse_text({"role": "user", "content": None}) == ""


def test_a_growing_answer_shows_reasoning_open_and_no_figures() -> None:
    messages = make_answer_messages(Answer(reasoning="Hmm", deltas=1), done=False)
    assert [m["metadata"]["status"] for m in messages] == ["pending"]
    messages = make_answer_messages(Answer(reasoning="Hmm", text="Yes", deltas=2), done=False)
    assert messages[0]["metadata"]["status"] == "done"
    assert messages[1]["content"] == "Yes"
    assert len(messages) == 2


def test_reasoning_says_how_long_it_took() -> None:
    answer = Answer(reasoning="Hmm", text="Yes", first_at=1.0, reasoned_until=3.5, last_at=4.0, deltas=2)
    assert "Reasoning (2.5 s)" in make_answer_messages(answer, done=True)[0]["metadata"]["title"]


def test_a_failed_answer_keeps_its_text_and_says_what_to_do() -> None:
    answer = Answer(text="Half", deltas=1, problem=GatewayError("The engine stopped.", "Retry."))
    *_, figures, notice = make_answer_messages(answer, done=True)
    assert "1 token" in figures["metadata"]["title"]
    assert "The engine stopped." in notice["metadata"]["title"]
    assert "status" not in notice["metadata"]
    assert "Retry." in notice["content"]


def test_an_error_message_is_shown_as_text() -> None:
    title = make_notice(GatewayError("Bad <img src=x onerror=alert(1)>"))["metadata"]["title"]
    assert "<img" not in title


def test_an_empty_answer_has_no_figures() -> None:
    assert len(make_answer_messages(Answer(stopped=True), done=True)) == 1


def test_cutting_gives_what_came_before_and_the_plain_text() -> None:
    history = [make_user_message("a"), make_aside("x", "y"), make_user_message("vector<int>")]
    before, text = cut_history(history, 2)
    assert before == history[:2]
    assert text == "vector<int>"
