from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.cli.chat_commands import COMMANDS, CommandError, Context, is_command, run_command
from curc_llm.cli.conversation import Conversation


@pytest.fixture
def context() -> Context:
    return Context(Conversation("one"), ["one", "two"])


def _exchange(context: Context, question: str, answer: str) -> None:
    context.talk.ask(question)
    context.talk.keep(answer)


def test_the_help_names_every_command(context: Context) -> None:
    text = run_command("/help", context).text
    for name in COMMANDS:
        assert f"/{name}" in text


def test_a_mistyped_command_is_told_with_the_nearest(context: Context) -> None:
    with pytest.raises(CommandError, match="Did you mean /system"):
        run_command("/sytem x", context)
    with pytest.raises(CommandError, match="/help lists all"):
        run_command("/zzz", context)


def test_two_slashes_begin_a_question() -> None:
    assert is_command("/help")
    assert not is_command("//etc/hosts is what?")
    assert not is_command("what?")


def test_the_system_prompt_is_set_shown_and_removed(context: Context) -> None:
    assert run_command("/system Be brief.", context).text == "System prompt: Be brief."
    assert context.talk.ask("Hi")[0] == {"role": "system", "content": "Be brief."}
    assert run_command("/system", context).text == "System prompt: Be brief."
    assert run_command("/system -", context).text == "There is no system prompt."


def test_retrying_asks_the_last_question_without_its_answer(context: Context) -> None:
    with pytest.raises(CommandError, match="Nothing was asked"):
        run_command("/retry", context)
    _exchange(context, "a", "b")
    _exchange(context, "c", "d")
    assert run_command("/retry", context).question == "c"
    assert [m["content"] for m in context.talk.messages] == ["a", "b"]


def test_retrying_a_question_that_failed_keeps_earlier_answers(context: Context) -> None:
    _exchange(context, "a", "b")
    context.talk.ask("c")
    assert run_command("/retry", context).question == "c"
    assert [m["content"] for m in context.talk.messages] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [("/set temperature 0.2", "temperature", 0.2), ("/set max_tokens 10", "max_tokens", 10)],
)
def test_parameters_are_set_and_unset(context: Context, line: str, name: str, value: float) -> None:
    run_command(line, context)
    assert context.talk.params == {name: value}
    assert f"{name} {value}" in run_command("/set", context).text
    run_command(f"/set {name} -", context)
    assert context.talk.params == {}


@pytest.mark.parametrize(
    "line",
    [
        "/set temperature 9",
        "/set temperature nan",
        "/set max_tokens 0.5",
        "/set max_tokens many",
        "/set api_key x",
        "/set top_p -1",
    ],
)
def test_values_that_can_not_be_are_refused(context: Context, line: str) -> None:
    with pytest.raises(CommandError):
        run_command(line, context)
    assert context.talk.params == {}


def test_a_model_is_chosen_of_those_there_are(context: Context) -> None:
    assert run_command("/model two", context).text == "Model: two (of one, two)"
    with pytest.raises(CommandError, match="Models here: one, two"):
        run_command("/model three", context)


def test_a_saved_chat_is_private_and_can_be_loaded(context: Context, tmp_path: Path) -> None:
    context.talk.system = "Be brief."
    _exchange(context, 'q "x"\n', "ä")
    path = tmp_path / "chat.json"
    assert str(path) in run_command(f"/save {path}", context).text
    assert path.stat().st_mode & 0o777 == 0o600
    other = Context(Conversation("one"), ["one"])
    assert "1 questions" in run_command(f"/load {path}", other).text
    assert other.talk.messages == context.talk.messages
    assert other.talk.system == "Be brief."
    assert run_command("/retry", other).question == 'q "x"\n'


def test_a_chat_saved_as_markdown_reads_well(context: Context, tmp_path: Path) -> None:
    context.talk.system = "Be brief."
    _exchange(context, "q", "a")
    run_command(f"/save {tmp_path}/chat.md", context)
    assert (tmp_path / "chat.md").read_text() == (
        "# Chat with one\n\n**System:** Be brief.\n\n## You\n\nq\n\n## one\n\na\n"
    )


def test_saving_never_replaces_a_file_and_says_when_it_can_not(context: Context, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    for line, words in (
        (f"/save {tmp_path}/there", "exists"),
        (f"/save {tmp_path}/no/such/folder", "can't be written"),
        ("/save", "Which file"),
    ):
        with pytest.raises(Exception, match=words):
            run_command(line, context)
    assert (tmp_path / "there").read_text() == "mine"


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "{}",
        '{"messages": [{"role": "user", "content": "x"}]}',
        '{"messages": [1]}',
        '{"messages": "ab"}',
    ],
)
def test_what_is_no_saved_chat_is_refused_and_changes_nothing(
    context: Context, tmp_path: Path, text: str
) -> None:
    _exchange(context, "a", "b")
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(Exception, match="no saved chat"):
        run_command(f"/load {tmp_path}/x.json", context)
    with pytest.raises(Exception, match="can't be read"):
        run_command(f"/load {tmp_path}/none.json", context)
    assert len(context.talk.messages) == 2


def test_leaving_has_two_names(context: Context) -> None:
    assert run_command("/exit", context).leave
    assert run_command("/quit", context).leave
