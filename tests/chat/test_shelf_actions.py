from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curc_llm.chat import guest_room
from curc_llm.chat.commands import Command
from curc_llm.chat.desk import Desk
from curc_llm.chat.desks import Desks
from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.rate_actions import RateActions
from curc_llm.chat.session_eyes import SessionEyes
from curc_llm.chat.session_watch import SessionWatch
from curc_llm.chat.shelf_actions import ShelfActions
from curc_llm.chat.telling import listen
from curc_llm.chat.turns import Turns

REQUEST: Any = SimpleNamespace(headers={"x-curc-llm-user": "owner"}, session_hash="page")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desks(tmp_path).find(REQUEST)


@pytest.fixture
def shelf(tmp_path: Path) -> ShelfActions:
    client = GatewayClient(tmp_path / "none.sock")
    turns = Turns(client, SessionEyes(client, SessionWatch(client)))
    return ShelfActions(turns, Desks(tmp_path), RateActions().commands)


def save(desk: Desk, *questions: str) -> None:
    for question in questions:
        desk.begin()
        desk.keep(desk.draft(question), {})
        desk.writer.append_answer("Yes.")


async def click(shelf: ShelfActions, name: str, value: str = "", text: str = "") -> Any:
    command = {"do": name, "value": value, "text": text}
    return await shelf.run(REQUEST, json.dumps(command))


async def test_what_was_searched_for_stays_when_an_answer_ends(shelf: ShelfActions, desk: Desk) -> None:
    save(desk, "Of whales", "Of ships")
    await shelf.search(REQUEST, "whales")
    after = (await shelf.refresh(REQUEST))["chats"]
    assert "Of whales" in after
    assert "Of ships" not in after
    await shelf.search(REQUEST, " ")
    assert "Of ships" in (await shelf.refresh(REQUEST))["chats"]


async def test_the_chats_that_were_asked_for_stay_when_an_answer_ends(
    shelf: ShelfActions, desk: Desk
) -> None:
    save(desk, *(f"Chat {number}" for number in range(62)))
    assert "Show more" in (await shelf.refresh(REQUEST))["chats"]
    assert "Chat 0" in (await click(shelf, "more"))["chats"]
    assert "Chat 0" in (await shelf.refresh(REQUEST))["chats"]


async def test_a_chat_that_is_opened_before_the_page_has_looked_shows_how_full_its_context_is(
    tmp_path: Path, desk: Desk, client: GatewayClient, watch: SessionWatch
) -> None:
    """As after the chat process was started anew."""
    save(desk, "Of whales")
    turns = Turns(client, SessionEyes(client, watch))
    shelf = ShelfActions(turns, Desks(tmp_path), RateActions().commands)
    opened = await click(shelf, "open", desk.chat_id)
    assert 'aria-label="Context used"' in opened["meter"]


async def test_the_whole_conversation_is_copied_without_its_figures(shelf: ShelfActions, desk: Desk) -> None:
    save(desk, "First?")
    desk.keep(desk.draft("Second?"), {})
    desk.writer.append_answer("No.", model="llama", completion_tokens=3)
    acts = (await click(shelf, "copy", desk.chat_id))["acts"]
    said = "## You\\n\\nFirst?\\n\\n## Model\\n\\nYes.\\n\\n## You\\n\\nSecond?\\n\\n## llama\\n\\nNo."
    assert said in acts
    assert "token" not in acts


def test_a_rating_is_kept_and_taken_back(desk: Desk) -> None:
    save(desk, "First?")
    rate = RateActions().commands["rate"]
    answer = desk.path[-1].message_id
    rate(desk, Command("rate", f"{desk.chat_id} {answer}", "Dislike"))
    assert desk.store.open(desk.chat_id).path[-1].facts["rating"] == -1
    rate(desk, Command("rate", f"{desk.chat_id} {answer}"))
    assert not desk.store.open(desk.chat_id).path[-1].facts.get("rating")
    assert rate(desk, Command("rate", f"{desk.chat_id} gone", "Like")) == {}


def test_a_rating_reaches_the_chat_after_the_process_was_started_anew(desk: Desk, tmp_path: Path) -> None:
    save(desk, "First?")
    chat_id, answer = desk.chat_id, desk.path[-1].message_id
    fresh = Desks(tmp_path).find(REQUEST)
    RateActions().commands["rate"](fresh, Command("rate", f"{chat_id} {answer}", "Like"))
    assert fresh.store.open(chat_id).path[-1].facts["rating"] == 1


async def test_a_guest_whose_room_is_full_imports_nothing(
    shelf: ShelfActions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = SimpleNamespace(is_full=True, used_bytes=2**30, max_bytes=2**29)
    monkeypatch.setattr(guest_room, "measure_room", lambda *_: room)
    (tmp_path / "chat.json").write_text("{}")
    guest: Any = SimpleNamespace(headers={"x-curc-llm-user": "lab-mate"}, session_hash="page")
    with listen() as told:
        assert await shelf.take_in(guest, str(tmp_path / "chat.json")) == {}
    assert [one.title for one in told] == ["Not imported"]
    assert "a guest may have" in told[0].text
    assert not (tmp_path / "chat.json").exists()


async def test_a_click_that_comes_twice_is_done_once(shelf: ShelfActions, desk: Desk) -> None:
    save(desk, "Of whales")
    command = json.dumps({"do": "copy", "value": desk.chat_id, "n": 5})
    assert (await shelf.run(REQUEST, command))["acts"]
    assert await shelf.run(REQUEST, command) == {}
