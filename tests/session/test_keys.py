"""Keys are made, listed and revoked in a file that only its owner can read."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from curc_llm.errors import KeyFileError
from curc_llm.session.keys import (
    OWNER,
    add_key,
    make_key,
    make_owner_key,
    read_keys,
    read_secret_file,
    revoke_key,
)


@pytest.fixture
def keys_path(tmp_path: Path) -> Path:
    """A key list with the owner's key in it; the key itself is in `api.key` beside it."""
    make_owner_key(tmp_path / "keys.json", tmp_path / "api.key")
    return tmp_path / "keys.json"


def test_the_owners_key_is_in_a_private_file_and_nowhere_in_the_list(keys_path: Path) -> None:
    secret = read_secret_file(keys_path.with_name("api.key"))
    assert stat.S_IMODE(keys_path.with_name("api.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys_path.stat().st_mode) == 0o600
    assert secret not in keys_path.read_text()
    found = read_keys(keys_path).find(secret)
    assert found is not None
    assert (found.name, found.scopes) == (OWNER, ("chat", "batch", "manage"))


def test_keys_are_long_random_and_start_with_a_letter() -> None:
    first, second = make_key(), make_key()
    assert first != second
    assert first.startswith("curc-")
    assert len(first) == len("curc-") + 43


def test_a_named_key_is_found_until_it_is_revoked(keys_path: Path) -> None:
    secret = add_key(keys_path, "alice@cu", scopes=("chat",), models=("m",), requests_per_minute=5)
    key = read_keys(keys_path).find(secret)
    assert key is not None
    assert key.is_valid(now=0)
    assert (key.name, key.models, key.requests_per_minute) == ("alice@cu", ("m",), 5)
    revoke_key(keys_path, "alice@cu")
    revoked = read_keys(keys_path).find(secret)
    assert revoked is not None
    assert not revoked.is_valid(now=0)


def test_a_name_can_be_used_again_after_its_key_was_revoked(keys_path: Path) -> None:
    old = add_key(keys_path, "lab")
    revoke_key(keys_path, "lab")
    new = add_key(keys_path, "lab")
    keys = read_keys(keys_path)
    assert [k is not None and k.is_valid(now=0) for k in (keys.find(old), keys.find(new))] == [False, True]


def test_an_expired_key_is_not_valid(keys_path: Path) -> None:
    secret = add_key(keys_path, "guest", expires_at=100)
    key = read_keys(keys_path).find(secret)
    assert key is not None
    assert [key.is_valid(now) for now in (99, 100)] == [True, False]


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "../x", "x" * 65, "$(id)"])
def test_a_name_that_would_confuse_logs_or_files_is_refused(keys_path: Path, name: str) -> None:
    with pytest.raises(KeyFileError, match="can't be a key's name"):
        add_key(keys_path, name)


def test_bad_requests_say_what_is_allowed(keys_path: Path) -> None:
    with pytest.raises(KeyFileError, match="chat, batch, manage"):
        add_key(keys_path, "x", scopes=("root",))
    add_key(keys_path, "x")
    with pytest.raises(KeyFileError, match="A key named 'x' exists"):
        add_key(keys_path, "x")
    with pytest.raises(KeyFileError, match="Keys that can be revoked: x"):
        revoke_key(keys_path, "y")
    with pytest.raises(KeyFileError, match="curc-llm stop"):
        revoke_key(keys_path, OWNER)


def test_a_file_that_others_can_read_is_refused(keys_path: Path) -> None:
    keys_path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_keys(keys_path)
    api_key = keys_path.with_name("api.key")
    api_key.chmod(0o604)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_secret_file(api_key)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"keys": [{"name": "x"}]}', '{"keys": 3}'])
def test_a_broken_list_is_told_not_raised_as_something_else(keys_path: Path, content: str) -> None:
    keys_path.write_text(content)
    with pytest.raises(KeyFileError, match="can't be read"):
        read_keys(keys_path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        read_keys(tmp_path / "none.json")
    with pytest.raises(KeyFileError, match="Is this your session"):
        read_secret_file(tmp_path / "none.key")


ADD_MANY = """
import sys
from pathlib import Path
from curc_llm.session.keys import add_key
for number in range(10):
    add_key(Path(sys.argv[1]), f"k{sys.argv[2]}-{number}")
"""


def test_three_commands_at_once_lose_no_key(keys_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", ADD_MANY, str(keys_path), str(n)]) for n in range(3)]
    assert [writer.wait(timeout=30) for writer in writers] == [0, 0, 0]
    assert len(json.loads(keys_path.read_text())["keys"]) == 31
