"""Each person's chats lie apart, wherever their name would lead."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.chats.errors import ChatFileError
from curc_llm.chats.people import (
    GUEST_LIMITS,
    find_home,
    find_uploads,
    measure_room,
    open_store,
    remove_guest,
    render_folder_name,
    tidy_guests,
)
from curc_llm.chats.store import ChatStore

HOSTILE = [
    "..",
    ".",
    "../..",
    "/etc",
    "a/../../b",
    "~",
    "a\x00b",
    ".ssh",
    "%2e%2e",
    "Owner",
    "chats",
    "\\",
    "\n",
]


def write(store: ChatStore, text: str) -> str:
    writer = store.create()
    writer.append_question(text)
    return writer.chat.chat_id


def test_the_owner_and_two_guests_see_their_own_chats_alone(tmp_path: Path) -> None:
    for user in ("owner", "ana", "link:lab:3f9a2c01"):
        write(open_store(tmp_path, user), f"question of {user}")
    for user in ("owner", "ana", "link:lab:3f9a2c01"):
        assert [one.title for one in open_store(tmp_path, user).list()] == [f"question of {user}"]
        assert open_store(tmp_path, user).search("question").num_chats == 1
    assert open_store(tmp_path, "owner").folder == tmp_path / "chats"
    assert open_store(tmp_path, "ana").folder == tmp_path / "shared" / "ana" / "chats"
    assert open_store(tmp_path, "bob").list() == []


def test_a_guest_can_t_open_a_chat_of_another_by_its_id(tmp_path: Path) -> None:
    chat_id = write(open_store(tmp_path, "owner"), "secret")
    for wanted in (chat_id, f"../../../chats/{chat_id}"):
        with pytest.raises(ChatFileError):
            open_store(tmp_path, "ana").open(wanted)


@pytest.mark.parametrize("user", HOSTILE)
def test_no_name_leads_out_of_the_guests_folder(tmp_path: Path, user: str) -> None:
    home = find_home(tmp_path, user)
    assert home.parent == tmp_path / "shared"
    assert Path(os.path.normpath(home)) == home
    assert not home.name.startswith(".")
    store = open_store(tmp_path, user)
    write(store, "Hi")
    assert [path.name for path in tmp_path.iterdir()] == ["shared"]


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_two_names_never_share_a_folder_even_where_case_is_ignored(one: str, other: str) -> None:
    try:
        names = render_folder_name(one), render_folder_name(other)
    except ChatFileError:
        return
    assert (names[0].lower() == names[1].lower()) == (one == other)
    assert all("/" not in name and "\x00" not in name and name not in {".", ".."} for name in names)


@pytest.mark.parametrize("user", ["", "x" * 81, "\N{SNOWMAN}" * 60])
def test_a_name_that_is_none_is_refused(tmp_path: Path, user: str) -> None:
    with pytest.raises(ChatFileError):
        open_store(tmp_path, user)


def test_guests_folders_are_the_owner_s_alone_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write(open_store(tmp_path / "state", "ana"), "Hi")
    finally:
        os.umask(old)
    for path in (tmp_path / "state").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_link_in_place_of_a_guest_s_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chats").mkdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "ana").symlink_to(tmp_path)
    with pytest.raises(ChatFileError, match="is a link"):
        open_store(tmp_path, "ana")
    assert not remove_guest(tmp_path, "ana")
    assert (tmp_path / "chats").exists()


def test_a_guest_has_less_room_than_the_owner_and_it_is_counted_with_uploads(tmp_path: Path) -> None:
    write(open_store(tmp_path, "ana"), "x" * 1000)
    uploads = find_uploads(tmp_path, "ana")
    uploads.mkdir()
    (uploads / "a.csv").write_bytes(bytes(5000))
    room = measure_room(tmp_path, "ana", max_gib=1.0)
    assert 6000 < room.used_bytes < 7000
    assert room.max_bytes == int(GUEST_LIMITS.max_gib * 2**30)
    assert not room.is_full
    assert measure_room(tmp_path, "ana", max_gib=0.000001).is_full
    assert measure_room(tmp_path, "owner", max_gib=0).max_bytes == 0
    assert measure_room(tmp_path, "bob", max_gib=0).used_bytes == 0


def test_old_chats_of_guests_go_and_the_owner_s_stay(tmp_path: Path) -> None:
    stores = {user: open_store(tmp_path, user) for user in ("owner", "ana", "bob")}
    files = {user: store.find_file(write(store, "Hi")) for user, store in stores.items()}
    old = time.time() - 31 * 86400
    for user in ("owner", "ana"):
        os.utime(files[user], (old, old))
    said = tidy_guests(tmp_path)
    assert len(said) == 1
    assert {user: path.exists() for user, path in files.items()} == {"owner": True, "ana": False, "bob": True}
    assert not (tmp_path / "shared" / "ana").exists()
    assert tidy_guests(tmp_path / "nowhere") == []


def test_a_guest_s_chats_can_be_removed_and_the_owner_s_can_t_so(tmp_path: Path) -> None:
    write(open_store(tmp_path, "ana"), "Hi")
    assert remove_guest(tmp_path, "ana")
    assert not remove_guest(tmp_path, "ana")
    with pytest.raises(ChatFileError):
        remove_guest(tmp_path, "owner")
