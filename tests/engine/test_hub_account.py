"""Asking a real HTTP server whose a token is; the token goes to the hub alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from curc_llm.engine.hub_account import Account, read_access, read_account
from curc_llm.errors import DownloadError, TokenError
from tests.fakes.fake_hub import FakeHub, FakeModel

TOKEN = "hf_abcdefgh1234"
FINE = {
    "type": "access_token",
    "accessToken": {"displayName": "alpine", "role": "fineGrained", "fineGrained": {}},
}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        hub.valid_tokens = {TOKEN}
        yield hub


def test_the_hub_tells_name_and_kind_of_a_token(hub: FakeHub) -> None:
    read = {"auth": {"accessToken": {"displayName": "alpine", "role": "read"}}}
    hub.accounts[TOKEN] = {"name": "ralphie", **read}
    assert read_account(hub.url, TOKEN) == Account("ralphie", "alpine", "read", can_read_gated=True)


def test_a_fine_grained_token_opens_gated_models_only_when_allowed(hub: FakeHub) -> None:
    hub.accounts[TOKEN] = {"name": "ralphie", "auth": FINE}
    assert not read_account(hub.url, TOKEN).can_read_gated
    FINE["accessToken"]["fineGrained"] = {"canReadGatedRepos": True}  # type: ignore[index]
    assert read_account(hub.url, TOKEN).can_read_gated


def test_a_token_that_is_not_accepted_is_told_without_showing_it(hub: FakeHub) -> None:
    with pytest.raises(TokenError) as caught:
        read_account(hub.url, "hf_wrong_wrong")
    assert "does not accept" in caught.value.message
    assert "hf_wrong" not in str(caught.value)


def test_a_hub_that_is_down_or_elsewhere_leaves_it_open(hub: FakeHub) -> None:
    hub.broken = True
    with pytest.raises(DownloadError, match="503"):
        read_account(hub.url, TOKEN)
    with pytest.raises(DownloadError, match="can't be reached"):
        read_account("http://127.0.0.1:9", TOKEN)


def test_a_token_never_follows_a_redirect(hub: FakeHub) -> None:
    with FakeHub() as thief:
        hub.redirect_to = f"{thief.url}/api/whoami-v2"
        with pytest.raises(DownloadError, match="302"):
            read_account(hub.url, TOKEN)
        assert thief.seen == []


def test_a_token_goes_to_no_hub_without_https(hub: FakeHub) -> None:
    with pytest.raises(DownloadError, match="isn't https"):
        read_account("http://hub.example.org", TOKEN)


def test_access_to_each_gated_model_is_told_apart(hub: FakeHub) -> None:
    hub.models["a/open"] = FakeModel({}, gated=True, allowed_tokens={TOKEN})
    hub.models["a/shut"] = FakeModel({}, gated=True)
    access = read_access(hub.url, TOKEN, ["a/open", "a/shut", "a/none"])
    assert access == {"a/open": True, "a/shut": False, "a/none": None}
    assert read_access("http://127.0.0.1:9", TOKEN, ["a/open"]) == {"a/open": None}
