"""One private file for the person's Hugging Face token, and nothing of it in any error."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from curc_llm.engine.hub_token import check_form, mend_mode, read_token, remove_token, token_path, write_token
from curc_llm.errors import TokenError
from tests.engine.conftest import fill

TOKEN = "hf_abcdefgh1234"


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"HOME": "/h"}, "/h/.cache/huggingface/token"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/c"}, "/c/huggingface/token"),
        ({"HOME": "/h", "HF_HOME": "/m"}, "/m/token"),
        ({"HOME": "/h", "HF_HOME": "/m", "HF_TOKEN_PATH": "/t"}, "/t"),
    ],
)
def test_the_token_is_where_huggingface_hub_looks_for_it(environ: dict[str, str], path: str) -> None:
    assert token_path(environ) == Path(path)


@pytest.mark.parametrize(
    "text", [TOKEN, f"  {TOKEN}\n", f"'{TOKEN}'", f"HF_TOKEN={TOKEN}", f"\x1b[200~{TOKEN}\x1b[201~"]
)
def test_what_people_paste_around_a_token_is_dropped(text: str) -> None:
    assert check_form(text) == TOKEN


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "No token was given"),
        ("my secret password", "doesn't begin with hf_ (18 characters)"),
        ("hf_short", "isn't one word"),
        ("hf_two words in one line", "isn't one word"),
        ("hf_" + "x" * 5000, "isn't one word"),
        ("api_org_abcdefghijkl", "organisation's token"),
        ("hf_abc\ndefghijkl", "isn't one word"),
    ],
)
def test_what_is_no_token_is_refused_without_showing_it(text: str, why: str) -> None:
    with pytest.raises(TokenError) as caught:
        check_form(text)
    assert why in caught.value.message
    assert not text or text not in str(caught.value)
    assert "huggingface.co/settings/tokens" in caught.value.remedy


def test_file_and_new_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "token"
    write_token(path, TOKEN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_token(path) == TOKEN


def test_a_folder_that_others_may_write_is_closed_to_their_writing(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    write_token(tmp_path / "token", TOKEN)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_file_that_others_can_read_is_mended_and_told(tmp_path: Path) -> None:
    path = tmp_path / "token"
    assert mend_mode(path) is None
    path.write_text(TOKEN)
    path.chmod(0o644)
    assert mend_mode(path) == 0o644
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert mend_mode(path) is None


def test_a_token_file_with_something_else_is_told_without_showing_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    for content in (b"my password\n", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(TokenError) as caught:
            read_token(path)
        assert str(path) in caught.value.message
        assert "password" not in str(caught.value)
    assert read_token(tmp_path / "none") is None


def test_a_place_that_can_not_be_written_is_told_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenError) as caught:
        write_token(tmp_path / "file" / "token", TOKEN)
    assert "HF_TOKEN_PATH" in caught.value.remedy
    assert TOKEN not in str(caught.value)


def test_removing_says_whether_there_was_one(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    assert remove_token(path)
    assert not remove_token(path)
    path.mkdir()
    with pytest.raises(TokenError):
        remove_token(path)


@pytest.mark.root
def test_a_full_home_keeps_the_old_token_and_says_so(full_disk: Path) -> None:
    path = full_disk / "token"
    path.write_text(TOKEN)
    fill(full_disk / "filler")
    with pytest.raises(TokenError) as caught:
        write_token(path, "hf_another_token")
    assert "no room is left" in caught.value.message
    assert path.read_text() == TOKEN
