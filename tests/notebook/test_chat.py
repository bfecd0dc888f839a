from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curc_llm.client import Session
from curc_llm.client.connection import connect
from curc_llm.errors import CurcLlmError, ParameterError, SettingsError
from curc_llm.notebook.chat import ChatWidget
from curc_llm.notebook.chat_file import ChatFile, ChatFileError
from tests.fakes.fake_session import FakeSession


@pytest.fixture
def session(fake: FakeSession) -> Iterator[Session]:
    with connect() as found:
        yield found


@pytest.fixture
def chat(session: Session) -> Iterator[ChatWidget]:
    widget = ChatWidget(session)
    yield widget
    widget.close()


def ask(chat: ChatWidget, text: str) -> None:
    chat.ask(text)
    assert chat.wait(10)


def act(chat: ChatWidget, action: str, **data: object) -> dict[str, object]:
    return chat._act(action, data)


def test_a_conversation_goes_on_with_what_was_said(chat: ChatWidget, fake: FakeSession) -> None:
    ask(chat, "One")
    ask(chat, "Two")
    assert [m["content"] for m in fake.requests[-1]["body"]["messages"]] == ["One", "You said: One", "Two"]
    assert chat.messages[-1] == {"role": "assistant", "content": "You said: Two"}


def test_the_page_gets_the_whole_answer_at_the_end(chat: ChatWidget) -> None:
    ask(chat, "[think] Hi")
    reply = chat.state["messages"][-1]
    assert reply["text"] == "You said: [think] Hi"
    assert reply["thought"] == "Let me think."
    assert "tokens" in reply["line"]


def test_a_misspelt_parameter_is_told_when_the_chat_is_made(session: Session) -> None:
    with pytest.raises(ParameterError, match=r"no parameter tmperature\. Did you mean temperature\?"):
        ChatWidget(session, tmperature=1)


def test_system_prompt_and_parameters_go_along(session: Session, fake: FakeSession) -> None:
    chat = ChatWidget(session, system="Be brief.", temperature=0.2, top_k=5)
    assert act(chat, "set", max_tokens="30", seed="7") == {"result": {}}
    ask(chat, "Hi")
    sent = fake.requests[-1]["body"]
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert [sent[n] for n in ("temperature", "max_tokens", "seed", "top_k")] == [0.2, 30, 7, 5]


def test_a_setting_that_cant_be_is_refused_in_words(chat: ChatWidget) -> None:
    trouble = act(chat, "set", temperature="hot")["trouble"]
    assert "Temperature can't be 'hot'" in trouble["message"]  # type: ignore[index]
    assert chat.state["sampling"]["temperature"] == ""
    with pytest.raises(SettingsError):
        ChatWidget(chat._session, temperature=9)


def test_models_to_choose_from_are_those_that_write_text(state_dir: Path) -> None:
    with FakeSession(state_dir, models=("a", "b")) as fake, connect() as session:
        chat = ChatWidget(session)
        deadline = time.monotonic() + 5
        while chat.state["models"] != ["a", "b"] and time.monotonic() < deadline:
            time.sleep(0.02)
        assert chat.state["models"] == ["a", "b"]
        act(chat, "set", model="b")
        ask(chat, "Hi")
        assert fake.requests[-1]["body"]["model"] == "b"


def test_retry_replaces_the_last_answer(chat: ChatWidget, fake: FakeSession) -> None:
    ask(chat, "One")
    chat.retry()
    assert chat.wait(10)
    assert [m["content"] for m in fake.requests[-1]["body"]["messages"]] == ["One"]
    assert [m["role"] for m in chat.messages] == ["user", "assistant"]


def test_stop_keeps_what_came_and_frees_the_chat(chat: ChatWidget, fake: FakeSession) -> None:
    chat.ask("[slow]")
    while "word2" not in chat.list_replies()[0].text:
        time.sleep(0.01)
    assert act(chat, "stop") == {"result": {}}
    assert not chat.is_busy
    assert fake.aborted.wait(1)
    assert chat.state["messages"][-1]["phase"] == "stopped"
    ask(chat, "Next")
    assert "word2" in fake.requests[-1]["body"]["messages"][1]["content"]


def test_only_one_question_at_a_time(chat: ChatWidget) -> None:
    chat.ask("[slow]")
    assert "still coming" in act(chat, "send", text="Two")["trouble"]["message"]  # type: ignore[index]
    chat.stop()


@pytest.mark.parametrize("text", ["", "  \n", None, 7, ["a"]])
def test_an_empty_message_is_refused(chat: ChatWidget, text: object) -> None:
    with pytest.raises(CurcLlmError, match="empty"):
        chat.ask(text)


def test_a_failure_stands_in_the_conversation_and_can_be_retried(chat: ChatWidget, fake: FakeSession) -> None:
    fake.refusals.append((429, "rate_limit_exceeded", "Too many requests."))
    ask(chat, "Hi")
    assert chat.state["messages"][-1]["trouble"]["message"].startswith("Too many requests.")
    assert [m["role"] for m in chat.messages] == ["user"]
    chat.retry()
    chat.wait(10)
    assert chat.messages[-1]["content"] == "You said: Hi"


def test_a_new_chat_forgets_the_old_one_even_in_the_middle(chat: ChatWidget) -> None:
    chat.ask("[slow]")
    act(chat, "clear")
    assert chat.messages == []
    assert chat.state["messages"] == []
    assert not chat.is_busy


def test_a_chat_as_a_table(chat: ChatWidget) -> None:
    ask(chat, "Hi")
    frame = chat.to_frame()
    assert list(frame.role) == ["user", "assistant"]
    assert list(frame.reasoning) == ["", ""]
    assert frame.content[1] == "You said: Hi"
    assert frame.model[1] == "curc-guide"
    assert frame.status[1] == "done"
    assert str(frame["at"].dtype).startswith("datetime64")


def test_saving_keeps_the_chat_from_its_beginning_and_from_then_on(
    chat: ChatWidget, state_dir: Path, session: Session
) -> None:
    ask(chat, "One")
    path = chat.save()
    assert path.parent == state_dir / "chats"
    ask(chat, "Two")
    chat.retry()
    chat.wait(10)
    act(chat, "set", system="Be kind.")
    again = ChatWidget(session, file=path)
    assert again.messages == chat.messages
    assert again.messages[0]["content"] == "Be kind."
    ask(again, "Three")
    found, _ = ChatFile(path).read()
    assert [entry.text for entry in found.entries][-2:] == ["Three", "You said: Three"]


def test_a_chat_is_not_written_over_another_file(chat: ChatWidget, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ChatFileError, match="there already"):
        chat.save(tmp_path / "mine.txt")


def test_a_disk_that_fills_up_later_doesnt_end_the_chat(chat: ChatWidget, tmp_path: Path) -> None:
    ask(chat, "One")
    path = chat.save(tmp_path / "a.jsonl")
    path.unlink()
    path.symlink_to("/dev/full")
    ask(chat, "Two")
    assert chat.messages[-1]["content"] == "You said: Two"
    assert "can't be kept" in chat.state["note"]
    assert chat.path is None


def test_no_key_is_in_what_the_notebook_saves(chat: ChatWidget, fake: FakeSession) -> None:
    ask(chat, "Hi")
    saved = json.dumps(chat.get_state(), default=str) + repr(chat) + json.dumps(chat._repr_mimebundle_())
    assert fake.key not in saved


def test_where_widgets_cant_be_shown_the_conversation_is_text(chat: ChatWidget) -> None:
    data, _ = chat._repr_mimebundle_()
    assert "run this cell" in data["text/plain"]
    ask(chat, "[escape] Hi")
    data, _ = chat._repr_mimebundle_()
    assert "You: [escape] Hi" in data["text/plain"]
    assert "\x1b" not in data["text/plain"]


def test_a_session_that_loads_shows_how_far_it_is(chat: ChatWidget, fake: FakeSession) -> None:
    fake.load()
    chat.ask("Hi")
    deadline = time.monotonic() + 5
    while not chat.live and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "loading 40 %" in chat.live["parts"][0]["line"]
    chat.stop()


def test_a_session_that_is_over_is_told_in_place(chat: ChatWidget, fake: FakeSession) -> None:
    fake.end()
    ask(chat, "Hi")
    assert "has ended" in chat.state["messages"][-1]["trouble"]["message"]
