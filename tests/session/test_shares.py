"""Who can be shared with, and what a share's names, keys and invitations are made of."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.errors import KeyFileError
from curc_llm.session.keys import KEY_PREFIX, add_key, make_owner_key, read_keys, revoke_key
from curc_llm.session.login import make_login_secret
from curc_llm.session.shares import (
    add_share,
    check_user,
    find_shares,
    is_link,
    make_invitation,
    make_link_name,
    make_shared_key,
    read_invitation,
    render_guest,
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    make_owner_key(tmp_path / "keys.json", tmp_path / "api.key")
    make_login_secret(tmp_path / "login.key")
    return tmp_path / "keys.json", tmp_path / "login.key"


@pytest.mark.parametrize("user", ["ana", "ana.b@colostate.edu", "a_b-c", "_svc", "Ana", "x" * 63])
def test_names_that_clusters_give_their_users_can_be_shared_with(user: str) -> None:
    assert check_user(user, "me") == user


@pytest.mark.parametrize(
    "user",
    [
        "",
        "../x",
        "a b",
        "a\nb",
        "a~b",
        "link:lab:00",
        "a/b",
        "-x",
        ".x",
        "@x",
        "änne",
        "x" * 64,
        "a\x00",
        "a:b",
    ],
)
def test_names_that_could_lead_elsewhere_or_pass_for_another_are_refused(user: str) -> None:
    with pytest.raises(KeyFileError, match="can't be a user name"):
        check_user(user, "me")


@pytest.mark.parametrize("user", ["owner", "Owner", "OWNER"])
def test_nobody_is_shared_with_under_the_word_for_the_owner(user: str) -> None:
    with pytest.raises(KeyFileError, match="stands for you"):
        check_user(user, "me")


def test_the_owner_can_t_share_with_themselves() -> None:
    with pytest.raises(KeyFileError, match="yours already"):
        check_user("me", "me")


@given(st.text(max_size=80))
def test_no_user_s_name_looks_like_a_link_s(user: str) -> None:
    with contextlib.suppress(KeyFileError):
        assert not is_link(check_user(user, "me"))


@pytest.mark.parametrize("label", ["", "a:b", "a b", "owner", "x" * 33, "a~b", "../x"])
def test_labels_of_links_are_checked(label: str) -> None:
    with pytest.raises(KeyFileError, match="can't be a link's name"):
        make_link_name(label)


def test_two_links_of_one_label_are_two_guests() -> None:
    names = {make_link_name("lab") for _ in range(20)}
    assert len(names) == 20
    assert {render_guest(name) for name in names} == {"lab"}


@given(st.text(min_size=1, max_size=64), st.text(max_size=32))
def test_a_shared_key_looks_like_a_key_and_its_own_secret_s(secret: str, share_id: str) -> None:
    key = make_shared_key(secret, share_id)
    assert re.fullmatch(KEY_PREFIX + "[A-Za-z0-9]{43}", key)
    assert key == make_shared_key(secret, share_id)
    assert key != make_shared_key(secret + "x", share_id) != make_shared_key(secret, share_id + "x")


def test_a_share_is_a_named_key_of_which_only_the_digest_is_kept(files: tuple[Path, Path]) -> None:
    entry = add_share(*files, "ana", expires_at=9e9, models=("m",), requests_per_minute=3)
    key = make_shared_key(files[1].read_text().strip(), entry.share_id)
    found = read_keys(files[0]).find(key)
    assert found == entry
    assert (entry.scopes, entry.models, entry.requests_per_minute) == (("chat",), ("m",), 3)
    assert key not in files[0].read_text()


def test_a_share_and_a_plain_key_of_one_name_exclude_each_other(files: tuple[Path, Path]) -> None:
    add_key(files[0], "ana")
    with pytest.raises(KeyFileError, match="A key named 'ana' exists"):
        add_share(*files, "ana")
    revoke_key(files[0], "ana")
    add_share(*files, "ana")
    with pytest.raises(KeyFileError, match="exists"):
        add_key(files[0], "ana")


def test_shares_are_found_by_whole_name_or_label_but_not_plain_or_revoked_ones(
    files: tuple[Path, Path],
) -> None:
    add_key(files[0], "plain")
    lab = add_share(*files, make_link_name("lab"))
    ana = add_share(*files, "ana")
    gone = add_share(*files, "gone")
    revoke_key(files[0], gone.name)
    keys = read_keys(files[0]).keys
    assert find_shares(keys, "lab") == find_shares(keys, lab.name) == [lab]
    assert find_shares(keys, "ana") == [ana]
    assert find_shares(keys, "plain") == find_shares(keys, "gone") == find_shares(keys, "owner") == []


def test_a_user_s_name_goes_before_a_link_s_label(files: tuple[Path, Path]) -> None:
    add_share(*files, make_link_name("ana"))
    ana = add_share(*files, "ana")
    assert find_shares(read_keys(files[0]).keys, "ana") == [ana]


def test_an_invitation_is_worth_nothing_for_another_share(files: tuple[Path, Path]) -> None:
    ana, bob = add_share(*files, "ana"), add_share(*files, "bob")
    token = make_invitation("s", ana, now=0)
    assert read_invitation("s", ana, token, now=1) is not None
    for secret, key in (("t", ana), ("s", bob), ("s", None)):
        assert read_invitation(secret, key, token, now=1) is None


def test_a_field_that_this_version_doesn_t_know_locks_nobody_out(files: tuple[Path, Path]) -> None:
    entries = json.loads(files[0].read_text())
    entries["keys"][0]["from_the_future"] = 1
    files[0].write_text(json.dumps(entries))
    assert read_keys(files[0]).keys[0].name == "owner"
