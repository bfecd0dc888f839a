"""Notes of tunnels: which of them stand, and which session `connect()` finds by them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from curc_llm.client import connect
from curc_llm.client.tunnel import TunnelEnd
from curc_llm.client.tunnel_note import (
    NoteKeeper,
    TunnelNote,
    find_kept_key,
    find_tunnel,
    keep_key,
    list_notes,
)
from curc_llm.client.tunnel_watch import TunnelLost, TunnelOpen, TunnelOver
from curc_llm.errors import AmbiguousSessionError, KeyFileError, SessionNotFoundError
from curc_llm.session.store import process_started
from tests.fakes.fake_session import FakeSession

END = TunnelEnd("c1", 8000)


@pytest.fixture
def laptop(tmp_path: Path) -> Path:
    return tmp_path / "laptop"


def open_tunnel(laptop: Path, port: int = 40123, key: str = "sk-12345678") -> NoteKeeper:
    keeper = NoteKeeper(laptop, keep_key(laptop, END, key) if key else None)
    keeper.take(TunnelOpen(END, port))
    return keeper


def test_a_tunnel_is_noted_while_it_stands_even_when_it_breaks(laptop: Path) -> None:
    keeper = open_tunnel(laptop)
    (note,) = list_notes(laptop)
    assert (note.base_url, note.end) == ("http://127.0.0.1:40123/v1", "c1:8000")
    keeper.take(TunnelLost("It broke.", 1.0))
    assert list_notes(laptop) == [note]
    keeper.close()
    assert list_notes(laptop) == []


def test_the_key_stays_for_the_next_day_and_goes_with_its_session(laptop: Path) -> None:
    keeper = open_tunnel(laptop)
    keeper.close()
    key = find_kept_key(laptop, END)
    assert key is not None
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    keeper.take(TunnelOver("It has ended."))
    assert find_kept_key(laptop, END) is None


def test_a_key_that_is_not_ours_is_never_removed(laptop: Path, tmp_path: Path) -> None:
    own = tmp_path / "my.key"
    own.write_text("sk-12345678")
    keeper = NoteKeeper(laptop, own)
    keeper.take(TunnelOpen(END, 1))
    keeper.take(TunnelOver("It has ended."))
    assert own.exists()


def test_a_tunnel_whose_program_was_killed_does_not_stand(laptop: Path) -> None:
    open_tunnel(laptop)
    path = laptop / "tunnels" / "40123.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "pid_started": value["pid_started"] + 1}))
    assert list_notes(laptop) == []
    assert find_tunnel(laptop) is None


@pytest.mark.parametrize("text", ["", "[]", "7", '{"local_port": 1}', '{"colour": "blue"}'])
def test_a_note_that_is_none_is_passed_over(laptop: Path, text: str) -> None:
    open_tunnel(laptop, 2)
    (laptop / "tunnels" / "1.json").write_text(text)
    assert [note.local_port for note in list_notes(laptop)] == [2]


def test_where_the_system_does_not_tell_when_a_process_began_its_being_there_counts() -> None:
    assert TunnelNote(1, "c1:1", os.getpid(), None).is_open
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert not TunnelNote(1, "c1:1", pid, None).is_open


def test_several_tunnels_must_be_told_apart(laptop: Path) -> None:
    open_tunnel(laptop, 1)
    open_tunnel(laptop, 2)
    with pytest.raises(
        AmbiguousSessionError, match=r"2 tunnels are open: http://127\.0\.0\.1:1/v1 \(to c1:8000"
    ):
        connect(state_dir=laptop)
    assert connect("http://127.0.0.1:2/v1", state_dir=laptop).base_url == "http://127.0.0.1:2/v1"


def test_a_tunnel_without_a_key_says_where_to_get_it(laptop: Path) -> None:
    open_tunnel(laptop, key="")
    with pytest.raises(KeyFileError, match=r"key isn't known here.*curc-llm endpoint --show-key"):
        connect(state_dir=laptop)


def test_a_folder_that_can_not_be_written_is_no_trouble_for_the_tunnel(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    keeper = NoteKeeper(tmp_path / "file", None)
    keeper.take(TunnelOpen(END, 1))
    keeper.close()


def test_connect_finds_the_session_at_the_tunnels_end(fake: FakeSession, laptop: Path) -> None:
    with pytest.raises(SessionNotFoundError):
        connect(state_dir=laptop)
    assert fake.record.port is not None
    open_tunnel(laptop, fake.record.port, fake.key)  # the fake session itself stands for the tunnel's end
    with connect(state_dir=laptop) as session:
        assert session.chat("Hello") == "You said: Hello"
        assert session.key_file == find_kept_key(laptop, END)


def test_a_session_of_this_computer_goes_before_a_tunnel(fake: FakeSession, state_dir: Path) -> None:
    open_tunnel(state_dir, 1)
    assert connect().session_id == fake.record.session_id
    assert process_started(os.getpid()) is not None
