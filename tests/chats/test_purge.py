from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from curc_llm.chats import ChatStore, ChatWriter
from curc_llm.chats.purge import DAY_S, GIB, Limits, keep_house, plan_purge, purge, tidy
from tests.chats.test_store import ids, put

NOW = 1_800_000_000.0


def age(store: ChatStore, chat_id: str, days: float, size: int = 100, **settings: object) -> None:
    put(store, chat_id, NOW - days * DAY_S, "x" * size, **settings)
    touch(store, chat_id, days)


def touch(store: ChatStore, chat_id: str, days: float) -> None:
    os.utime(store.find_file(chat_id), (NOW - days * DAY_S,) * 2)


def plan(store: ChatStore, **limits: float) -> list[str]:
    return [victim.summary.chat_id for victim in plan_purge(store, Limits(**limits), NOW).victims]


def test_without_a_time_all_is_kept(store: ChatStore) -> None:
    age(store, "ancient", 3000)
    assert plan(store) == []
    assert "Nothing is to be removed." in plan_purge(store, Limits(), NOW).render(is_done=False)


def test_what_is_older_than_the_limit_goes_and_pinned_chats_stay(store: ChatStore) -> None:
    age(store, "old", 40)
    age(store, "older", 50)
    age(store, "pinned", 60, pinned=True)
    age(store, "new", 20)
    assert plan(store, keep_days=30) == ["older", "old"]


def test_the_oldest_go_until_all_fit(store: ChatStore) -> None:
    for number in range(5):
        age(store, f"c{number}", 10 + number, 10_000)
    age(store, "pinned", 100, 10_000, pinned=True)
    assert plan(store, max_gib=35_000 / GIB) == ["c4", "c3", "c2"]


def test_deleted_chats_go_first_when_room_is_short_and_at_last_after_their_time(store: ChatStore) -> None:
    age(store, "old", 100, 10_000)
    age(store, "deleted", 50, 10_000, deleted_at=NOW - 5 * DAY_S)
    age(store, "long-deleted", 50, 10_000, deleted_at=NOW - 31 * DAY_S)
    assert plan(store) == ["long-deleted"]
    assert plan(store, max_gib=15_000 / GIB) == ["long-deleted", "deleted"]


def test_a_chat_of_today_is_never_removed(store: ChatStore) -> None:
    age(store, "now", 0.5, 10_000)
    assert plan(store, max_gib=1 / GIB, keep_days=0.1) == []


def test_a_plan_removes_nothing_and_a_purge_what_was_planned(store: ChatStore) -> None:
    age(store, "old", 40)
    age(store, "new", 2)
    (store.folder / "old~other.jsonl").write_bytes(b'{"chat": 2}\n')
    os.utime(store.folder / "old~other.jsonl", (NOW - 40 * DAY_S,) * 2)
    planned = plan_purge(store, Limits(keep_days=30), NOW)
    assert "1 chat with 0.0 MiB would be removed." in planned.render(is_done=False)
    assert ids(store) == ["new", "old"]
    done = purge(store, planned)
    assert "1 chat with 0.0 MiB was removed." in done.render(is_done=True)
    assert ids(store) == ["new"]
    assert sorted(path.name for path in store.folder.iterdir()) == ["new.jsonl"]


def test_an_old_chat_that_was_imported_today_counts_from_today(store: ChatStore) -> None:
    age(store, "old", 400)
    os.utime(store.find_file("old"), (NOW, NOW))
    assert plan(store, keep_days=30) == []


def test_a_session_that_starts_keeps_to_the_limits_and_says_what_it_removed(
    store: ChatStore, writer: ChatWriter
) -> None:
    put(store, "old", 1e9)
    os.utime(store.find_file("old"), (1e9, 1e9))
    assert keep_house(store, Limits()) == ""
    assert "1 chat with 0.0 MiB was removed." in keep_house(store, Limits(keep_days=30))
    assert ids(store) == [writer.chat.chat_id]


def test_what_changed_after_the_plan_stays(store: ChatStore) -> None:
    age(store, "old", 40)
    planned = plan_purge(store, Limits(keep_days=30), NOW)
    store.write("old").append_question("Still here")
    assert purge(store, planned).victims == ()
    assert ids(store) == ["old"]


def test_limits_are_stated_in_words() -> None:
    assert Limits().text == "Chats are kept for ever, up to 1 GiB in all; deleted ones for 30 days."
    assert Limits(90, 0).text == "Chats are kept for 90 days; deleted ones for 30 days."


@pytest.fixture
def broken(store: ChatStore, writer: ChatWriter) -> Path:
    """The pieces of an answer whose writer died."""
    answer = writer.begin_answer(model="m")
    answer.add("Half an ans")
    answer.flush()
    return next(store.folder.glob("*.part"))


def test_what_a_dead_process_left_becomes_part_of_its_chat(store: ChatStore, broken: Path) -> None:
    os.utime(broken, (time.time() - 2 * DAY_S,) * 2)
    assert tidy(store) == 1
    assert not broken.exists()
    chat = store.open(ids(store)[0])
    assert (chat.path[-1].content, chat.path[-1].status, chat.path[-1].model) == (
        "Half an ans",
        "unfinished",
        "m",
    )
    assert tidy(store) == 0


def test_what_may_still_be_written_is_left_alone(store: ChatStore, broken: Path) -> None:
    assert tidy(store) == 0
    assert broken.exists()


def test_pieces_of_an_answer_that_was_saved_whole_just_go(
    store: ChatStore, writer: ChatWriter, broken: Path
) -> None:
    message = store.open(writer.chat.chat_id).path[-1]
    writer.add_lines([{**message.to_line(), "content": "Whole", "status": "done"}])
    os.utime(broken, (time.time() - 2 * DAY_S,) * 2)
    assert tidy(store) == 0
    assert not broken.exists()
    assert store.open(writer.chat.chat_id).path[-1].content == "Whole"
