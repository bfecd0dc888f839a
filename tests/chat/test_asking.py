from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from curc_llm.attachments import read_attachment
from curc_llm.chat.asking import prepare
from curc_llm.chat.choice import Choice
from curc_llm.chat.controls import Controls
from curc_llm.chat.desk import Desk
from curc_llm.chat.fit import WhenFull
from curc_llm.chat.model_facts import ModelFacts
from curc_llm.chats.store import ChatStore
from curc_llm.errors import CurcLlmError, SettingsError


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(ChatStore(tmp_path / "chats"), "owner", "owner page")


def test_a_question_is_asked_with_what_was_said_and_the_system_prompt(desk: Desk) -> None:
    desk.keep(desk.draft("Hi"), {})
    desk.writer.append_answer("Hello")
    asked = prepare(desk, Choice("m", "Be brief."), desk.draft("And?"))
    said = [message["content"] for message in asked.request.messages]
    assert said == ["Be brief.", "Hi", "Hello", "And?"]
    assert [row["content"] for row in asked.rows if row["role"] == "user"] == ["Hi", "And?"]
    assert asked.request.user == "owner"


@pytest.mark.parametrize(("sees", "is_sent"), [(True, True), (None, True), (False, False)])
def test_a_picture_is_refused_where_the_model_is_known_to_see_none(
    desk: Desk, tmp_path: Path, sees: bool | None, is_sent: bool
) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    desk.attached = [read_attachment(tmp_path / "a.png")]
    choice = Choice("m", facts=ModelFacts(takes_images=sees))
    if is_sent:
        assert "image_url" in str(prepare(desk, choice, desk.draft("Look")).request.messages)
    else:
        with pytest.raises(CurcLlmError, match=r"a\.png"):
            prepare(desk, choice, desk.draft("Look"))
    assert len(desk.attached) == 1  # nothing is lost


def test_what_is_surely_too_long_is_refused_before_it_is_kept(desk: Desk) -> None:
    with pytest.raises(SettingsError, match="takes about"):
        prepare(desk, Choice("m", max_model_len=320), desk.draft("x" * 2000))
    assert desk.path == []


def test_near_the_limit_the_engine_decides(desk: Desk) -> None:
    assert prepare(desk, Choice("m", max_model_len=320), desk.draft("x" * 1000)).request.messages


def test_what_can_be_left_out_isnt_refused(desk: Desk) -> None:
    desk.keep(desk.draft("x" * 2000), {})
    desk.writer.append_answer("Hello")
    choice = Choice("m", controls=Controls(when_full=WhenFull.TRIM), max_model_len=320)
    assert prepare(desk, choice, desk.draft("And?")).request.messages
