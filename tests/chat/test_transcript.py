from __future__ import annotations

from pathlib import Path
from typing import Any

from curc_llm.chat.transcript import CONTINUE, find_versions, make_row_map, make_transcript
from curc_llm.chats.chat import Chat
from curc_llm.chats.message import Message


def make_chat(*lines: dict[str, Any]) -> Chat:
    chat = Chat("c")
    for at, line in enumerate(lines):
        chat.take({"content": "", "at": float(at), **line})
    return chat


def ask(message_id: str, parent: str | None, **more: Any) -> dict[str, Any]:
    return {"id": message_id, "parent": parent, "role": "user", "content": message_id, **more}


def answer(message_id: str, parent: str, **more: Any) -> dict[str, Any]:
    line = {"id": message_id, "parent": parent, "role": "assistant", "content": message_id, "status": "done"}
    return {**line, **more}


def test_rows_lead_back_to_their_messages() -> None:
    chat = make_chat(ask("q", None), answer("a", "q", reasoning="Hm", completion_tokens=3))
    transcript = make_transcript(chat.path)
    assert transcript.ids == ["q", "a", "a", "a"]  # a question; reasoning, text and figures
    assert transcript.find_message(0) == "q"
    assert transcript.find_message([2, 0]) == "a"


def test_a_row_that_isnt_there_is_no_message() -> None:
    transcript = make_transcript(make_chat(ask("q", None)).path)
    assert [transcript.find_message(index) for index in (7, -1, None, "0", [])] == [None] * 5


def test_only_the_last_answer_when_it_was_cut_can_go_on() -> None:
    lines = [
        ask("q", None),
        answer("a", "q", status="stopped"),
        ask("r", "a"),
        answer("b", "r", status="stopped"),
    ]
    rows = make_transcript(make_chat(*lines).path, with_options=True).rows
    assert [bool(row.get("options")) for row in rows].count(True) == 1
    assert rows[-1]["options"][0]["value"] == CONTINUE
    whole = make_transcript(make_chat(ask("q", None), answer("a", "q")).path, with_options=True).rows
    assert not any(row.get("options") for row in whole)


def test_a_question_without_an_answer_says_how_to_ask_it_again() -> None:
    lines = [ask("q", None), answer("a", "q"), ask("r", "a")]
    path = make_chat(*lines).path
    said = make_transcript(path, with_options=True).rows[-1]
    assert "No answer yet" in said["metadata"]["title"]
    assert "Retry with the arrow below" in said["content"]
    assert len(make_transcript(path).rows) == 3  # not while it is being asked
    assert len(make_transcript(path[:2], with_options=True).rows) == 2


def test_reasoning_says_how_long_it_took_where_that_is_known() -> None:
    def title(**facts: Any) -> str:
        chat = make_chat(ask("q", None), answer("a", "q", reasoning="Hm", **facts))
        return str(make_transcript(chat.path).rows[1]["metadata"]["title"])

    assert "Reasoning (2.5 s)" in title(reasoning_s=2.5)
    assert "(" not in title(reasoning_s="long")


def test_each_answer_names_its_model_where_more_than_one_answered() -> None:
    def titles(*models: str) -> list[str]:
        lines = [ask("q0", None)]
        for number, model in enumerate(models):
            lines.append(answer(f"a{number}", f"q{number}", model=model, completion_tokens=2))
            lines.append(ask(f"q{number + 1}", f"a{number}"))
        rows = make_transcript(make_chat(*lines).path).rows
        return [str(row["metadata"]["title"]) for row in rows if row.get("metadata")]

    assert ["big" in title for title in titles("small", "big")] == [False, True]
    assert ["small" in title for title in titles("small", "big")] == [True, False]
    assert not any("small" in title for title in titles("small", "small"))


def test_what_went_wrong_stands_below_what_came() -> None:
    trouble = {"message": "The GPU is full.", "remedy": "Use a shorter context."}
    chat = make_chat(ask("q", None), answer("a", "q", status="failed", trouble=trouble))
    last = make_transcript(chat.path).rows[-1]
    assert "The GPU is full." in last["metadata"]["title"]
    assert "shorter context" in last["content"]


def test_a_note_stands_above_the_answer() -> None:
    chat = make_chat(ask("q", None), answer("a", "q", note="The model didn't see all."))
    rows = make_transcript(chat.path).rows
    assert "didn't see all" in rows[1]["metadata"]["title"]
    assert rows[2]["content"] == "a"


def test_answers_to_one_question_are_versions_with_their_neighbours() -> None:
    chat = make_chat(ask("q", None), answer("a", "q"), answer("b", "q"), answer("c", "q"))
    chat.take({"show": "b", "at": 9.0})
    version = find_versions(chat, chat.path)["b"]
    assert (version.number, version.count, version.before, version.after) == (2, 3, "a", "c")
    assert make_row_map(chat, chat.path)[1]["version"] == [2, 3, "a", "c"]
    assert "version" not in make_row_map(chat, chat.path)[0]


def test_an_answer_that_went_on_is_one_version_with_its_beginning() -> None:
    chat = make_chat(ask("q", None), answer("a", "q", status="stopped"), answer("b", "q", continues="a"))
    assert find_versions(chat, chat.path) == {}


def test_the_page_learns_of_files_and_ratings(tmp_path: Path) -> None:
    from curc_llm.attachments import read_attachment, to_facts

    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    facts = to_facts(read_attachment(tmp_path / "data.csv"))
    chat = make_chat(ask("q", None, attachments=[facts]), answer("a", "q", rating=-1))
    question, reply = make_row_map(chat, chat.path)
    assert question["attachments"][0][0] == "data.csv"
    assert reply["rating"] == "Dislike"


def test_a_question_is_shown_as_it_was_written() -> None:
    message = Message("q", None, "user", "a <b>bold</b> claim", 0.0)
    assert "<b>" not in make_transcript([message]).rows[0]["content"]


def test_json_by_a_schema_is_shown_as_code_again() -> None:
    chat = make_chat(ask("q", None), answer("a", "q", parameters={"json_schema": {"type": "object"}}))
    assert make_transcript(chat.path).rows[1]["content"].startswith("```json")
