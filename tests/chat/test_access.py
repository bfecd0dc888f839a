"""What the page offers whom."""

from __future__ import annotations

from dataclasses import fields

import pytest

from curc_llm.chat.access import Access, describe_access
from curc_llm.session.record import SessionRecord

RECORD = SessionRecord(
    session_id="s1", owner="me", host="n1", pid=1, pid_started=1, started_at=0, heartbeat_at=0
)
RIGHTS = [field.name for field in fields(Access) if field.name.startswith("may_")]


def test_the_owner_may_do_all() -> None:
    access = describe_access("owner", RECORD, {})
    assert access.is_owner
    assert access.name == "me"
    assert all(getattr(access, right) is True for right in RIGHTS)
    assert "guest" not in access.notice


@pytest.mark.parametrize("user", ["ana", "link:lab:3f9a2c01", "Owner", "me", "owner ", "", "owner\n"])
def test_everybody_else_may_do_nothing_with_the_owner_s_things(user: str) -> None:
    access = describe_access(user, RECORD, {})
    assert not access.is_owner
    assert len(RIGHTS) == 8
    assert not any(getattr(access, right) for right in RIGHTS)


def test_a_guest_is_told_in_whose_account_their_text_lies_and_what_the_centre_says() -> None:
    access = describe_access("link:lab:3f9a2c01", RECORD, {"CURC_LLM_DATA_NOTICE": "No patient data."})
    assert access.name == "lab"
    assert "guest in me's session" in access.notice
    assert "can read them there" in access.notice
    assert access.notice.endswith("No patient data.")
    assert "the owner" in describe_access("ana", None, {}).notice
