from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession
from tests.fakes.terminal import ALT_ENTER, CTRL_C, CTRL_D, ENTER, UP, Terminal

CHAT = ("-m", "curc_llm.cli.main", "chat")


def test_in_a_pipe_each_line_is_a_question_and_answers_stand_alone(run: Run, fake: FakeSession) -> None:
    result = run("chat", typed="one\n\ntwo \\\nlines\n//slash")
    assert result.exit_code == 0
    assert result.stdout == "You said: one\nYou said: two \nlines\nYou said: /slash\n"
    assert "/help lists commands" in result.stderr
    conversation = fake.requests[-1]["body"]["messages"]
    assert [m["role"] for m in conversation] == ["user", "assistant"] * 2 + ["user"]


def test_commands_work_in_a_pipe_too(run: Run, fake: FakeSession) -> None:
    typed = "/set temperature 0.2\n/system Be brief.\nHi\n/retry\n/clear\nagain\n/exit\nnever asked\n"
    result = run("chat", typed=typed)
    assert result.stdout == "You said: Hi\nYou said: Hi\nYou said: again\n"
    bodies = [r["body"] for r in fake.requests if r["body"]]
    assert [len(b["messages"]) for b in bodies] == [2, 2, 2]
    assert bodies[0]["temperature"] == 0.2
    assert bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_an_error_does_not_end_the_chat_but_a_script_notices(run: Run, fake: FakeSession) -> None:
    fake.refusals = [(429, "rate_limit_exceeded", "Slow down.")]
    result = run("chat", typed="one\n/retry\n")
    assert result.stdout == "You said: one\n"
    assert "Error: Slow down." in result.stderr
    assert result.exit_code == 1


def test_the_end_of_the_session_ends_the_chat_with_its_reason(run: Run, fake: FakeSession) -> None:
    fake.refusals = [(503, "session_ending", "The session ends.")]
    result = run("chat", typed="one\ntwo\n")
    assert result.exit_code == 1
    assert "Error: The session ends." in result.stderr
    assert len(fake.requests) == 1


def test_answers_can_be_json(run: Run, fake: FakeSession) -> None:
    lines = run("chat", "--json", typed="one\ntwo\n").stdout.splitlines()
    assert [json.loads(line)["answer"] for line in lines] == ["You said: one", "You said: two"]


def test_a_cut_off_answer_is_told(run: Run, fake: FakeSession) -> None:
    assert "cut off at the limit" in run("chat", typed="[length]\n").stderr


@pytest.mark.slow
def test_a_person_asks_and_leaves(fake: FakeSession) -> None:
    with Terminal(*CHAT) as terminal:
        terminal.wait_for("›")
        terminal.type("Hello there" + ENTER)
        terminal.wait_for("You said: Hello there")
        terminal.wait_for("›")
        terminal.type("/help" + ENTER)
        terminal.wait_for("/save FILE")
        terminal.wait_for("›")
        terminal.type(CTRL_D)
        assert terminal.wait_for_end() == 0


@pytest.mark.slow
def test_ctrl_c_stops_the_answer_and_not_the_program(fake: FakeSession) -> None:
    with Terminal(*CHAT) as terminal:
        terminal.wait_for("›")
        terminal.type("[slow]" + ENTER)
        terminal.wait_for("word3")
        terminal.type(CTRL_C)
        terminal.wait_for("(stopped)")
        assert fake.aborted.wait(5)
        terminal.wait_for("›")
        terminal.type("half a line" + CTRL_C)
        terminal.wait_for("/exit leaves")
        terminal.wait_for("›")
        terminal.type("next" + ENTER)
        terminal.wait_for("You said: next")
        terminal.wait_for("›")
        terminal.type("/exit" + ENTER)
        assert terminal.wait_for_end() == 0
    kept = [m["content"] for m in fake.requests[-1]["body"]["messages"]]
    assert kept[0] == "[slow]"
    assert kept[1].startswith("You said: [slow] word1")
    assert kept[2] == "next"


@pytest.mark.slow
def test_questions_can_have_several_lines_and_are_remembered_privately(
    fake: FakeSession, state_dir: Path
) -> None:
    with Terminal(*CHAT) as terminal:
        terminal.wait_for("›")
        terminal.type("one" + ALT_ENTER + "two\\" + ENTER + "three" + ENTER)
        terminal.wait_for("You said: one")
        terminal.wait_for("›")
        terminal.type(UP + UP + UP + ENTER)
        terminal.wait_for("You said: one")
        terminal.wait_for("›")
        terminal.type(CTRL_D)
        terminal.wait_for_end()
    asked = [r["body"]["messages"][-1]["content"] for r in fake.requests if r["body"]]
    assert asked == ["one\ntwo\nthree"] * 2
    history = state_dir / "chat_history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "+three" in history.read_text()


@pytest.mark.slow
def test_markdown_is_rendered_and_control_characters_are_not_obeyed(fake: FakeSession) -> None:
    with Terminal(*CHAT) as terminal:
        terminal.wait_for("›")
        terminal.type("[code]" + ENTER)
        terminal.wait_for(" • two")
        terminal.wait_for("print(1)")
        terminal.wait_for("›")
        terminal.type("[escape]" + ENTER)
        terminal.wait_for("text")
        terminal.wait_for("›")
        assert "\x1b]0;owned" not in terminal.raw
        assert "\x1b[2J" not in terminal.raw
        terminal.type(CTRL_D)
        terminal.wait_for_end()


@pytest.mark.slow
def test_reasoning_is_shown_while_it_comes(fake: FakeSession) -> None:
    with Terminal(*CHAT) as terminal:
        terminal.wait_for("›")
        terminal.type("[think] [slow]" + ENTER)
        terminal.wait_for("word2")
        terminal.type(CTRL_C)
        terminal.wait_for("(stopped)")
        terminal.wait_for("›")
        terminal.type(CTRL_D)
        assert terminal.wait_for_end() == 0


@pytest.mark.slow
def test_a_long_answer_is_written_once_and_whole(fake: FakeSession) -> None:
    question = "".join(f"paragraph {number}\\\r\\\r" for number in range(30)) + "end"
    with Terminal(*CHAT) as terminal:
        terminal.wait_for("›")
        terminal.type(question + ENTER)
        terminal.wait_for("You said: paragraph 0")
        shown = terminal.wait_for("end\n".rstrip())
        terminal.wait_for("›")
        terminal.type(CTRL_D)
        terminal.wait_for_end()
    assert "paragraph 29" in shown


@pytest.mark.slow
def test_waiting_for_the_model_shows_progress_and_ctrl_c_leaves(fake: FakeSession) -> None:
    fake.load()
    with Terminal(*CHAT) as terminal:
        terminal.wait_for("curc-guide: loading 40 %")
        terminal.type(CTRL_C)
        assert terminal.wait_for_end() == 130
    assert "Traceback" not in terminal.text


@pytest.mark.slow
def test_a_history_that_can_not_be_kept_is_no_trouble(fake: FakeSession, state_dir: Path) -> None:
    (state_dir / "chat_history").mkdir()
    with Terminal(*CHAT) as terminal:
        terminal.wait_for("›")
        terminal.type("Hi" + ENTER)
        terminal.wait_for("You said: Hi")
        terminal.wait_for("›")
        terminal.type(CTRL_D)
        assert terminal.wait_for_end() == 0
