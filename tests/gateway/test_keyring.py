"""The key file, followed while it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.keyring import KeyRing
from curc_llm.session.keys import KeyList, add_key, make_owner_key, read_keys, revoke_key, write_keys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_owner_key(tmp_path / "keys.json", tmp_path / "api.key")
    return tmp_path / "keys.json"


def test_keys_come_and_go_with_the_file(path: Path) -> None:
    counts: list[int] = []
    ring = KeyRing(path, counts.append)
    key = add_key(path, "ann")
    assert ring.find(key) is not None
    revoke_key(path, "ann")
    assert ring.find(key) is None
    assert counts == [2, 2]


def test_a_file_that_didn_t_change_isn_t_read_again(path: Path) -> None:
    counts: list[int] = []
    ring = KeyRing(path, counts.append)
    for _ in range(5):
        ring.find("x")
    assert counts == [1]


def test_a_change_is_seen_by_opening_the_file_though_stat_says_nothing(path: Path) -> None:
    stale = path.stat()
    ring = KeyRing(path, stat=lambda _: stale)  # as an NFS client's cache may answer
    ring.find("x")
    key = add_key(path, "ann")
    assert ring.find(key) is None
    ring._opened_at = float("-inf")  # a second has passed
    assert ring.find(key) is not None


def test_an_expiry_follows_the_clock_wherever_it_jumps(path: Path) -> None:
    now = 1000.0
    ring = KeyRing(path, clock=lambda: now)
    key = add_key(path, "bob", expires_at=2000.0)
    assert ring.find(key) is not None
    now = 2000.0
    assert ring.find(key) is None
    now = 5.0
    assert ring.find(key) is not None


def test_without_a_readable_file_nobody_is_let_in(path: Path) -> None:
    ring = KeyRing(path)
    key = (path.parent / "api.key").read_text().strip()
    assert ring.find(key) is not None
    keys = read_keys(path)
    path.write_text("{")
    with pytest.raises(RequestError, match="key file can't be read") as caught:
        ring.find(key)
    assert caught.value.status == 503
    write_keys(path, KeyList())
    assert ring.find(key) is None
    write_keys(path, keys)
    assert ring.find(key) is not None
