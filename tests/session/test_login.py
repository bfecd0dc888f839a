"""Login tokens are genuine, short-lived and bound to one purpose."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.session.login import check_token, make_login_secret, make_login_token, make_token


def test_a_fresh_token_names_its_holder() -> None:
    token = make_token("secret", "login", "owner", now=1000, life_s=600)
    checked = check_token("secret", "login", token, now=1599)
    assert checked is not None
    assert checked[0] == "owner"


@pytest.mark.parametrize(
    ("secret", "purpose", "now"), [("other", "login", 0), ("secret", "cookie", 0), ("secret", "login", 600)]
)
def test_another_secret_another_purpose_or_ten_minutes_later_it_is_worth_nothing(
    secret: str, purpose: str, now: float
) -> None:
    token = make_token("secret", "login", "owner", now=0, life_s=600)
    assert check_token(secret, purpose, token, now) is None


def test_no_claim_can_be_changed() -> None:
    name, expiry, nonce, signature = make_token("secret", "login", "guest", now=0, life_s=600).split("~")
    forged = [("owner", expiry, nonce), (name, "99999", nonce), (name, expiry, "other")]
    assert all(
        check_token("secret", "login", "~".join((*claim, signature)), now=1) is None for claim in forged
    )


@given(st.text(max_size=200))
def test_nonsense_is_refused_without_an_exception(text: str) -> None:
    assert check_token("secret", "login", text, now=0) is None


@pytest.mark.parametrize("token", ["a~²~n~s", "a~9999999999999999999999~n~s", "a~1~n", "~~~", "a~-5~n~s"])
def test_odd_expiries_are_refused(token: str) -> None:
    assert check_token("secret", "login", token, now=0) is None


def test_tokens_are_minted_from_a_private_file_and_never_twice_the_same(tmp_path: Path) -> None:
    path = tmp_path / "login.key"
    make_login_secret(path)
    assert path.stat().st_mode & 0o077 == 0
    tokens = {make_login_token(path, now=0) for _ in range(3)}
    assert len(tokens) == 3
    assert all(path.read_text().strip() not in token for token in tokens)
