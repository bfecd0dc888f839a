"""The magics in a real IPython shell, against a small real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from curc_llm.client import Session, connect
from tests.fakes.fake_session import FakeSession


@pytest.fixture
def shell(state_dir: Path) -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}), colors="nocolor")
    shell.run_cell("%load_ext curc_llm")
    yield shell
    for session in [s for s in shell.user_ns.values() if isinstance(s, Session)]:
        session.close()
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, cell: str) -> Any:
    """Runs a cell that must not fail; its value."""
    result = shell.run_cell(cell)
    assert result.success, result.error_in_exec
    return result.result


def fail(shell: InteractiveShell, cell: str) -> str:
    """Runs a cell that must fail; its error's text."""
    result = shell.run_cell(cell)
    assert not result.success
    return str(result.error_in_exec)


def test_a_cell_is_asked_shown_and_kept(shell: InteractiveShell, fake: FakeSession, capsys) -> None:
    assert run(shell, "%%llm\nWhat is an SU?") is None
    assert capsys.readouterr().out == "You said: What is an SU?\n"
    answer = shell.user_ns["_llm"]
    assert answer == "You said: What is an SU?"
    assert answer.usage.completion_tokens == 6
    assert fake.requests[-1]["body"]["stream"] is True


def test_options_reach_the_model_and_the_result_gets_a_name(
    shell: InteractiveShell, fake: FakeSession
) -> None:
    run(shell, '%%llm -t 0 --max-tokens 9 --system "Be brief." --name short\nHello')
    body = fake.requests[-1]["body"]
    assert (body["temperature"], body["max_tokens"]) == (0, 9)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert shell.user_ns["short"] == "You said: Hello"


def test_variables_are_filled_in_also_into_the_instructions(
    shell: InteractiveShell, fake: FakeSession
) -> None:
    run(shell, "rocks = ['granite', 'basalt']; tone = 'kind'")
    run(shell, '%%llm --system "Be {tone}."\n{rocks[1]} {{x}} {"a": 1}')
    contents = [message["content"] for message in fake.requests[-1]["body"]["messages"]]
    assert contents == ["Be kind.", 'basalt {x} {"a": 1}']


def test_one_line_is_enough(shell: InteractiveShell, fake: FakeSession) -> None:
    run(shell, "%llm --max-tokens 5 What's an SU?")
    assert fake.requests[-1]["body"]["messages"][-1]["content"] == "What's an SU?"


def test_a_question_mark_at_the_end_of_a_line_is_no_call_for_help(
    shell: InteractiveShell, fake: FakeSession
) -> None:
    run(shell, "if True:\n    %llm Is it 'so'?\nx = 1")
    assert shell.user_ns["_llm"] == "You said: Is it 'so'?"
    assert shell.user_ns["x"] == 1
    run(shell, "%%llm\n%llm why?")
    assert shell.user_ns["_llm"] == "You said: %llm why?"


def test_raw_leaves_every_brace(shell: InteractiveShell, fake: FakeSession) -> None:
    run(shell, "%%llm --raw\n{missing} {{x}}")
    assert shell.user_ns["_llm"] == "You said: {missing} {{x}}"


def test_what_a_terminal_would_obey_is_not_printed(
    shell: InteractiveShell, fake: FakeSession, capsys
) -> None:
    run(shell, "%%llm\n[escape]")
    assert "\x1b" not in capsys.readouterr().out


def test_an_answer_that_hit_its_limit_says_so(shell: InteractiveShell, fake: FakeSession, capsys) -> None:
    run(shell, "%%llm\n[length]")
    assert "--max-tokens" in capsys.readouterr().out


def test_errors_are_sentences_without_a_traceback(shell: InteractiveShell, fake: FakeSession, capsys) -> None:
    assert "no variable missing" in fail(shell, "%%llm\n{missing}")
    shown = "".join(capsys.readouterr())
    assert "There is no variable missing." in shown
    assert "write {{ and }}" in shown
    assert "magics.py" not in shown


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("%%llm What is it?\nHello", "stands behind %%llm"),
        ("%%llm\n   ", "There is no question"),
        ("%%llm", "There is no question"),
        ("%%llm --temperature 0\n", "There is no question"),
        ("%llm", "There is no question"),
        ("%%llm --json-schema Nothing\nHello", "no variable Nothing"),
        ("%%llm --json-schema '{\"a\"'\nHello", "can't be read"),
        ("%llm_session local-zzz", "local-zzz"),
        ("%%llm --session nobody\nHello", "nobody"),
    ],
)
def test_what_is_wrong_with_a_cell_is_told(
    shell: InteractiveShell, fake: FakeSession, cell: str, told: str
) -> None:
    assert told in fail(shell, cell)


def test_help_is_shown_without_a_question(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    for cell in ("%%llm --help", "%%llm --help\n", "%llm --help"):
        run(shell, cell)
        assert "--json-schema SCHEMA" in capsys.readouterr().out


def test_no_session_is_told(shell: InteractiveShell) -> None:
    assert "curc-llm" in fail(shell, "%%llm\nHello")


def test_the_variable_session_is_asked_first_and_the_magic_chooses_another(
    shell: InteractiveShell, fake: FakeSession, state_dir: Path
) -> None:
    with FakeSession(state_dir, "local-other1") as other:
        shell.user_ns["session"] = connect("local-fake01")
        run(shell, "%%llm\nOne")
        assert [r["body"]["messages"][0]["content"] for r in fake.requests if r["body"]] == ["One"]
        chosen = run(shell, "%llm_session local-other1")
        run(shell, "%%llm\nTwo")
        assert chosen.session_id == "local-other1"
        assert run(shell, "%llm_session") is chosen
        run(shell, "%%llm --session session\nThree")
        assert other.requests[-1]["body"]["messages"][0]["content"] == "Two"
        assert fake.requests[-1]["body"]["messages"][0]["content"] == "Three"
        chosen.close()


def test_after_its_session_ended_the_next_question_finds_the_next_session(
    shell: InteractiveShell, fake: FakeSession, state_dir: Path
) -> None:
    run(shell, "%%llm\nOne")
    fake.end()
    assert "You stopped it." in fail(shell, "%%llm\nTwo")
    with FakeSession(state_dir, "local-other1") as other:
        run(shell, "%%llm\nThree")
        assert other.requests[-1]["body"]["messages"][0]["content"] == "Three"


@pytest.mark.slow
def test_an_interrupt_ends_the_generation_and_keeps_what_was_written(
    shell: InteractiveShell, fake: FakeSession, capsys
) -> None:
    import _thread

    def interrupt_soon() -> None:
        while not any(r["body"] for r in fake.requests):
            time.sleep(0.01)
        time.sleep(0.5)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt_soon)
    thread.start()
    assert fail(shell, "%%llm\n[slow]").startswith("You stopped the answer.")
    thread.join()
    assert fake.aborted.wait(2)
    assert shell.user_ns["_llm"].startswith("You said: [slow] word1")
    assert "KeyboardInterrupt" not in "".join(capsys.readouterr())


def test_what_was_written_before_an_answer_broke_off_is_kept(
    shell: InteractiveShell, fake: FakeSession
) -> None:
    assert "broke off" in fail(shell, "%%llm\n[cut] short")
    assert shell.user_ns["_llm"].startswith("You said:")


@pytest.mark.slow
def test_explain_sends_the_last_traceback_and_nothing_else(
    shell: InteractiveShell, fake: FakeSession
) -> None:
    shell.run_cell("secret = 'not to be told'\nheights = {'Longs Peak': 4346}\nheights['Longs peak']")
    run(shell, "%llm_explain --max-tokens 30")
    body = fake.requests[-1]["body"]
    asked = body["messages"][1]["content"]
    assert "KeyError: 'Longs peak'" in asked
    assert "heights['Longs peak']" in asked
    assert "interactiveshell.py" not in asked
    assert "not to be told" not in asked
    assert body["max_tokens"] == 30
    assert "error in Python" in body["messages"][0]["content"]


def test_explain_takes_a_question_of_ones_own(shell: InteractiveShell, fake: FakeSession) -> None:
    shell.run_cell("1 / 0")
    run(shell, "%llm_explain Why zero?")
    assert fake.requests[-1]["body"]["messages"][1]["content"].startswith("Why zero?")


def test_explain_of_our_own_error_needs_no_model(shell: InteractiveShell, fake: FakeSession, capsys) -> None:
    shell.run_cell("%%llm\n{missing}")
    capsys.readouterr()
    run(shell, "%llm_explain")
    assert "There is no variable missing." in capsys.readouterr().out
    assert not any(r["body"] for r in fake.requests)


def test_explain_without_an_error_is_told(
    shell: InteractiveShell, fake: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("sys.last_value", raising=False)
    assert "no error to explain" in fail(shell, "%llm_explain")


def test_loading_it_again_changes_nothing(shell: InteractiveShell, fake: FakeSession) -> None:
    run(shell, "%reload_ext curc_llm")
    run(shell, "%%llm\nHello")
    assert shell.user_ns["_llm"] == "You said: Hello"
