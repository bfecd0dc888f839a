"""The card's login token: minted by Ruby, taken by the gateway once."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from curc_llm.gateway.login import UsedTokens
from curc_llm.session.keys import read_secret_file
from curc_llm.session.login import check_token
from tests.ood.card_bench import Card, make_record
from tests.ood.template_bench import make_app


@pytest.fixture
def card(tmp_path: Path) -> Card:
    card = Card(tmp_path, make_app(tmp_path / "app"))
    card.begin(make_record())
    card.connect()
    return card


def mint(card: Card) -> str:
    found = re.search(r'name="token" value="([^"]+)"', card.draw("running")["view"])
    assert found is not None
    return found[1]


def test_ruby_s_token_is_genuine_for_ten_minutes_and_worth_nothing_the_second_time(card: Card) -> None:
    secret, now = read_secret_file(card.session / "login.key"), time.time()
    token = mint(card)
    found = check_token(secret, "login", token, now)
    assert found is not None
    name, nonce, expires_at = found
    assert name == "owner"
    assert now + 590 < expires_at <= now + 660
    assert check_token(secret, "login", token, expires_at) is None
    assert check_token(secret, "cookie", token, now) is None
    used = UsedTokens(card.session / "login.used")
    assert used.use(nonce, expires_at, now)
    assert not used.use(nonce, expires_at, now)


@pytest.mark.slow
def test_each_drawing_mints_a_token_of_its_own(card: Card) -> None:
    assert len({mint(card) for _ in range(3)}) == 3


def test_the_token_stands_in_no_address(card: Card) -> None:
    drawn = card.draw("running")
    token = re.search(r'name="token" value="([^"]+)"', drawn["view"])
    assert token is not None
    assert not re.search(r'(action|href)="[^"]*~', drawn["view"] + drawn["info"])
    assert (drawn["view"] + drawn["info"]).count(token[1]) == 1
