from __future__ import annotations

import time

import pytest

from curc_llm.chats import ChatNotFoundError, ChatStore, ChatWriter, files
from curc_llm.chats.errors import ChatFileError
from curc_llm.chats.lines import join, render_line
from curc_llm.chats.writer import make_head


def put(store: ChatStore, chat_id: str, at: float, text: str = "Hi", **settings: object) -> None:
    head = make_head(chat_id, text, at)
    question = {"id": "q", "parent": None, "role": "user", "at": at, "content": text}
    store.folder.mkdir(mode=0o700, exist_ok=True)
    (store.folder / f"{chat_id}.jsonl").write_bytes(join([head, question, {"set": settings, "at": at}]))


def ids(store: ChatStore, *, deleted: bool = False) -> list[str]:
    return [one.chat_id for one in store.list(deleted=deleted)]


def test_pinned_chats_come_first_and_then_the_latest(store: ChatStore) -> None:
    for number, chat_id in enumerate(("old", "middle", "new")):
        put(store, chat_id, 100.0 + number)
    store.pin("old")
    assert ids(store) == ["old", "new", "middle"]
    store.pin("old", is_pinned=False)
    assert ids(store) == ["new", "middle", "old"]


def test_the_list_tells_title_times_and_model(store: ChatStore, writer: ChatWriter) -> None:
    one = store.list()[0]
    assert (one.title, one.model, one.num_messages) == ("What is an SU?", "llama", 2)
    assert abs(one.created_at - time.time()) < 60
    assert one.updated_at >= one.created_at
    assert one.num_bytes == store.find_file(one.chat_id).stat().st_size


def test_a_rename_is_listed_and_an_empty_one_undone(store: ChatStore, writer: ChatWriter) -> None:
    store.rename(writer.chat.chat_id, "  Service\nunits ")
    assert store.list()[0].title == "Service units"
    store.rename(writer.chat.chat_id, " ")
    assert store.list()[0].title == "What is an SU?"


def test_a_deleted_chat_can_be_brought_back(store: ChatStore, writer: ChatWriter) -> None:
    chat_id = writer.chat.chat_id
    store.delete(chat_id)
    assert ids(store) == []
    assert ids(store, deleted=True) == [chat_id]
    assert store.search("SU").num_chats == 0
    store.restore(chat_id)
    assert ids(store) == [chat_id]
    assert ids(store, deleted=True) == []


def test_a_chat_that_a_fast_clock_dated_tomorrow_can_be_deleted(store: ChatStore) -> None:
    put(store, "a", time.time() + 86400)
    store.delete("a")
    assert ids(store) == []


def test_who_writes_in_a_chat_that_was_deleted_elsewhere_brings_it_back(
    store: ChatStore, writer: ChatWriter
) -> None:
    store.delete(writer.chat.chat_id)
    time.sleep(0.002)
    writer.append_question("Still here?")
    assert ids(store) == [writer.chat.chat_id]
    assert ids(store, deleted=True) == []
    assert store.open(writer.chat.chat_id).deleted_at is None


def test_what_another_process_writes_is_seen_by_a_store_that_looked_before(store: ChatStore) -> None:
    put(store, "a", 1.0)
    assert ids(store) == ["a"]
    other = ChatStore(store.folder)
    other.rename("a", "Renamed")
    other.create().append_question("New")
    assert [one.title for one in store.list()] == ["New", "Renamed"]
    store.find_file("a").unlink()
    assert [one.title for one in store.list()] == ["New"]


def test_a_chat_that_is_not_there_is_told(store: ChatStore) -> None:
    for chat_id in ("nothing", "../../etc/passwd"):
        with pytest.raises(ChatNotFoundError, match="There is no saved chat"):
            store.open(chat_id)


def test_the_beginning_of_an_id_is_enough_when_it_fits_one(store: ChatStore) -> None:
    for chat_id in ("20261121-a", "20261122-b", "20261122"):
        put(store, chat_id, 1.0)
    assert store.look_for("20261121") == "20261121-a"
    assert store.look_for("20261122") == "20261122"
    with pytest.raises(ChatNotFoundError, match="3 chats begin with '2026'"):
        store.look_for("2026")
    with pytest.raises(ChatNotFoundError, match="no saved chat 'x'"):
        store.look_for("x")


def test_strange_files_are_told_and_harm_nothing(store: ChatStore) -> None:
    put(store, "a", 1.0)
    (store.folder / "batch.jsonl").write_text('{"custom_id": "1", "body": {}}\n')
    (store.folder / "empty.jsonl").write_text("")
    (store.folder / "binary.jsonl").write_bytes(bytes(range(256)) * 100)
    (store.folder / "link.jsonl").symlink_to("/etc/passwd")
    (store.folder / "a\x1b[2J.jsonl").write_text("")
    assert ids(store) == ["a"]
    assert "\x1b" not in store.note
    assert store.note.startswith(
        "Left out, for they are no chats of yours: a [2J.jsonl, batch.jsonl, binary.jsonl and 1 more"
    )
    assert store.search("root").num_chats == 0


def test_damaged_chats_are_listed_searched_and_opened_with_a_note(store: ChatStore) -> None:
    put(store, "a", 1.0, "Find me")
    path = store.find_file("a")
    path.write_bytes(
        b'{"chat": 2, "chat_i\n' + path.read_bytes().partition(b"\n")[2] + b"\xff\xfe{{{\n" + b'{"id": "cut'
    )
    assert [(one.chat_id, one.title) for one in store.list()] == [("a", "Find me")]
    assert store.search("find").num_chats == 1
    chat = store.open("a")
    assert [m.content for m in chat.path] == ["Find me"]
    assert chat.note == "3 lines are damaged and left out."


def test_a_chat_too_long_to_open_leaves_the_others_listed(
    store: ChatStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "a", 1.0)
    put(store, "huge", 2.0, "x" * 100_000)
    monkeypatch.setattr(files, "MOST_BYTES", 50_000)
    assert ids(store) == ["a"]
    assert "huge.jsonl" in store.note
    with pytest.raises(ChatFileError, match="at most"):
        store.open("huge")


@pytest.mark.slow
def test_a_hundred_mebibytes_are_opened(store: ChatStore) -> None:
    put(store, "a", 1.0, "Begin")
    with store.find_file("a").open("ab") as file:
        for number in range(100):
            line = {
                "id": str(number),
                "parent": None,
                "role": "user",
                "at": 2.0,
                "content": f"{number} " + "y" * 2**20,
            }
            file.write(render_line(line))
    assert store.list()[0].num_messages == 101
    assert store.search("begin").num_chats == 1
    assert len(store.open("a").messages) == 101


def test_a_disk_that_is_full_is_told_by_whoever_renames(store: ChatStore, writer: ChatWriter) -> None:
    path = store.find_file(writer.chat.chat_id)
    path.chmod(0o600)
    store.folder.chmod(0o700)
    extra = ChatStore(store.folder, "otherhost")
    (store.folder / f"{writer.chat.chat_id}~otherhost.jsonl").symlink_to("/dev/full")
    with pytest.raises(ChatFileError, match="can't be kept"):
        extra.rename(writer.chat.chat_id, "x")


def test_an_unfinished_answer_is_found_though_its_words_were_written_in_pieces(
    store: ChatStore, writer: ChatWriter
) -> None:
    answer = writer.begin_answer()
    for piece in ("The Wei", "bull distri", "bution"):
        answer.add(piece)
        answer.flush()
    assert store.search('"weibull distribution"').hits[0].snippet == "The Weibull distribution"
    assert store.search("gamma").num_chats == 0
    assert store.list()[0].num_messages == 3
