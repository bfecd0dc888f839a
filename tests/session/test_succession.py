"""A session's name leads to the job that answers for it now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curc_llm.session.keys import add_key, make_owner_key, read_keys, revoke_key, write_keys
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord, SessionStatus
from curc_llm.session.store import FoundSession, list_meant
from curc_llm.session.succession import find_heir, leave_keys, list_line, pass_keys_on, take_left_keys


@pytest.fixture
def make(tmp_path: Path):
    """Makes a session's folder with a record."""

    def make_one(name: str, **fields: object) -> FoundSession:
        paths = SessionPaths(tmp_path / name)
        paths.make()
        times = {"started_at": 1.0, "heartbeat_at": 1.0}
        record = SessionRecord(
            session_id=name, owner="anna", host="c1", pid=1, pid_started=1, **times, **fields
        )
        paths.record.write_text(json.dumps(record.to_json()))
        return FoundSession(paths, record, record.status)

    return make_one


def test_the_name_leads_to_the_last_of_the_line(make, tmp_path: Path) -> None:
    make("slurm-a", successor="slurm-b")
    make("slurm-b", successor="slurm-c")
    make("slurm-c")
    assert [p.root.name for p in list_line(tmp_path / "slurm-a")] == ["slurm-a", "slurm-b", "slurm-c"]
    assert find_heir(tmp_path / "slurm-b").root.name == "slurm-c"


@pytest.mark.parametrize("successor", ["", "slurm-gone", "../slurm-b", "/etc", "slurm-a", "Ünsinn"])
def test_a_name_that_leads_nowhere_leads_to_the_session_itself(
    make,
    tmp_path: Path,
    successor: str,
) -> None:
    make("slurm-a", successor=successor)
    assert find_heir(tmp_path / "slurm-a").root.name == "slurm-a"


def test_a_circle_ends(make, tmp_path: Path) -> None:
    make("slurm-a", successor="slurm-b")
    make("slurm-b", successor="slurm-a")
    assert find_heir(tmp_path / "slurm-a").root.name == "slurm-b"


def test_everybodys_key_is_known_to_the_successor_and_is_revoked_at_both(make) -> None:
    old, new = make("slurm-a").paths, make("slurm-b").paths
    for paths in (old, new):
        make_owner_key(paths.keys, paths.api_key)
    lab = add_key(old.keys, "lab")
    owners = old.api_key.read_text().strip(), new.api_key.read_text().strip()
    pass_keys_on(old, new)
    for paths in (old, new):
        assert all(read_keys(paths.keys).find(secret) for secret in (*owners, lab))
        assert paths.keys.stat().st_mode & 0o777 == 0o600
    revoke_key(new.keys, "lab")
    found = read_keys(old.keys).find(lab)
    assert found is not None
    assert not found.is_valid(2.0)
    old.remove_secrets()
    assert read_keys(new.keys).find(owners[0])


def test_a_key_made_by_the_old_name_is_in_the_one_list(make) -> None:
    old, new = make("slurm-a").paths, make("slurm-b").paths
    for paths in (old, new):
        make_owner_key(paths.keys, paths.api_key)
    pass_keys_on(old, new)
    lab = add_key(old.keys, "lab")
    assert old.keys.is_symlink()
    assert read_keys(new.keys).find(lab)
    revoke_key(old.keys, "lab")
    found = read_keys(new.keys).find(lab)
    assert found is not None
    assert not found.is_valid(2.0)


def test_when_the_successor_is_lost_the_old_session_has_its_keys_again(make) -> None:
    old, new = make("slurm-a").paths, make("slurm-b").paths
    for paths in (old, new):
        make_owner_key(paths.keys, paths.api_key)
    lab = add_key(old.keys, "lab")
    keys = pass_keys_on(old, new)
    new.remove_secrets()
    write_keys(old.keys, keys)
    assert not old.keys.is_symlink()
    assert read_keys(old.keys).find(lab)
    third = make("slurm-c").paths
    make_owner_key(third.keys, third.api_key)
    pass_keys_on(old, third)
    assert read_keys(third.keys).find(lab)


def test_a_successor_that_begins_after_the_end_takes_the_keys_that_were_left_for_it(make) -> None:
    old, new = make("slurm-a").paths, make("slurm-b").paths
    make_owner_key(old.keys, old.api_key)
    lab = add_key(old.keys, "lab")
    leave_keys(old, new)
    assert not new.keys.exists()
    old.remove_secrets()
    make_owner_key(new.keys, new.api_key)
    take_left_keys(new)
    assert read_keys(new.keys).find(lab)
    make_owner_key(new.keys, new.api_key)
    take_left_keys(new)
    assert read_keys(new.keys).find(lab) is None  # a later run of the same job has keys of its own


def test_without_a_name_replicas_and_one_side_of_a_hand_over_are_not_meant(make) -> None:
    def meant(*sessions: FoundSession) -> list[str]:
        return [found.session_id for found in list_meant(list(sessions))]

    own, replica = make("slurm-a"), make("slurm-r", parent="slurm-a")
    early = make("slurm-b", predecessor="slurm-a")
    assert meant(own, replica, early) == ["slurm-a"]
    assert meant(make("slurm-a", successor="slurm-b"), early) == ["slurm-b"]
    over = make("slurm-a", status=SessionStatus.ENDED)
    assert meant(over, early) == ["slurm-a", "slurm-b"]
    assert meant(early) == ["slurm-b"]
