"""`curc-llm share`, as the owner sees it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from curc_llm.chats.people import open_store
from curc_llm.cli.share_link import make_links
from curc_llm.client import connect
from curc_llm.session.keys import read_keys, read_secret_file
from curc_llm.session.record import SessionRecord
from curc_llm.session.shares import read_invitation
from curc_llm.session.store import tail_jsonl
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession


def token_of(link: str) -> str:
    return link.partition("#token=")[2]


def share_json(run: Run, *args: str) -> dict[str, object]:
    result = run("share", *args, "--json")
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_the_link_stands_alone_on_standard_output_and_is_genuine(run: Run, fake: FakeSession) -> None:
    result = run("share", "ana")
    link = result.stdout.strip()
    assert link.startswith(fake.url.removesuffix("/v1") + "/login#token=ana~")
    assert "?" not in link
    entry = read_keys(fake.paths.keys).named("ana")
    secret = read_secret_file(fake.paths.login_secret)
    assert read_invitation(secret, entry, token_of(link), time.time()) is not None
    assert "Send this link to ana" in result.stderr
    assert "curc-llm share revoke ana" in result.stderr
    assert "until the session ends" in result.stderr


def test_behind_the_portal_the_link_goes_through_it(run: Run, fake: FakeSession, tmp_path: Path) -> None:
    fake.change(slurm_job_id="77", base_url="http://c3gpu-c1-u1.rc.int:41873/v1")
    config = tmp_path / "settings.yml"
    config.write_text("site: alpine\n")
    made = share_json(run, "ana", "-c", str(config))
    path = "/node/c3gpu-c1-u1.rc.int/41873/login#token=ana~"
    assert str(made["link"]).startswith("https://ondemand.rc.colorado.edu" + path)
    assert made["other_links"][0].startswith("https://ondemand-rmacc.rc.colorado.edu" + path)  # type: ignore[index]
    said = run("share", "ana", "-c", str(config)).stderr
    assert "On the other portal: https://ondemand-rmacc" in said
    assert "here alone" not in said


def test_where_no_portal_is_known_the_link_goes_straight_to_the_session() -> None:
    record = SessionRecord(
        session_id="s", owner="me", host="n1", pid=1, pid_started=1, started_at=0, heartbeat_at=0,
        slurm_job_id="77", base_url="http://n1:8000/v1",
    )  # fmt: skip
    assert make_links(record, (), "t") == ["http://n1:8000/login#token=t"]
    assert make_links(record, ("https://p.edu/",), "t") == ["https://p.edu/node/n1/8000/login#token=t"]
    local = record.model_copy(update={"slurm_job_id": None})
    assert make_links(local, ("https://p.edu",), "t") == ["http://n1:8000/login#token=t"]


def test_the_key_is_shown_on_demand_alone_and_works(run: Run, fake: FakeSession) -> None:
    assert "key" not in share_json(run, "ana")
    link, key = run("share", "ana", "--show-key").stdout.split()
    with connect(fake.url, api_key=key) as session:
        assert session.chat("Hi", model="curc-guide") == "You said: Hi"
    assert share_json(run, "ana", "--show-key")["key"] == key
    kept = (
        fake.paths.keys.read_text() + fake.paths.audit_log.read_text() + run("share", "ls", "--json").stdout
    )
    assert key not in kept
    assert token_of(link).split("~")[3] not in kept


def test_sharing_again_gives_a_fresh_link_to_the_same_share(run: Run, fake: FakeSession) -> None:
    for args in (["ana"], ["--link", "lab"]):
        first, second = share_json(run, *args), share_json(run, *args)
        assert first["name"] == second["name"]
        assert (first["is_new"], second["is_new"]) == (True, False)
        assert first["link"] != second["link"]
    result = run("share", "ana", "--hours", "2")
    assert result.exit_code == 1
    assert "limits can't be changed" in result.stderr


def test_a_link_is_bound_to_no_user_and_says_so(run: Run, fake: FakeSession) -> None:
    result = run("share", "--link", "lab")
    assert "first browser" in result.stderr
    assert "revoke lab" in result.stderr
    made = share_json(run, "--link", "ana")
    assert str(made["name"]).startswith("link:ana:")
    assert share_json(run, "ana")["name"] == "ana"  # a user of the name of a link is somebody else


def test_limits_are_kept_and_listed_with_what_was_used(run: Run, fake: FakeSession) -> None:
    limits = ["--hours", "2", "--model", "curc-guide", "--requests-per-minute", "5"]
    made = share_json(run, "ana", *limits)
    assert made["expires_at"] == pytest.approx(time.time() + 7200, abs=60)
    run("share", "--link", "lab")
    run("keys", "add", "program")
    line = {"time": time.time() - 90, "key": "ana", "prompt_tokens": 12, "completion_tokens": 1345}
    with fake.paths.access_log.open("a") as log:
        log.write(json.dumps(line) + "\nhalf a li\n[]\n" + json.dumps({**line, "key": "owner"}) + "\n")
        log.write(json.dumps({**line, "prompt_tokens": None}) + "\n")
    table = run("share", "ls").stdout
    row = next(text for text in table.splitlines() if text.startswith("ana"))
    assert row.split()[:4] == ["ana", "user", "curc-guide", "5"]
    assert "2,690" in row
    assert "program" not in table
    listed = {entry["label"]: entry for entry in json.loads(run("share", "ls", "--json").stdout)}
    assert (listed["ana"]["requests"], listed["ana"]["prompt_tokens"]) == (2, 12)
    assert (listed["lab"]["kind"], listed["lab"]["last_used_at"]) == ("link", None)
    assert "digest" not in listed["ana"]


def test_revoking_takes_the_key_back_and_keeps_the_chats_unless_asked(run: Run, fake: FakeSession) -> None:
    state_dir = fake.paths.root.parents[1]
    for user in ("ana", "bob"):
        share_json(run, user)
        open_store(state_dir, user).create().append_question("Hi")
    assert "Their chats stay" in run("share", "revoke", "ana").stderr
    assert open_store(state_dir, "ana").list()
    value = json.loads(run("share", "revoke", "bob", "--delete-chats", "--json").stdout)
    assert value["chats_deleted"] is True
    assert not (state_dir / "shared" / "bob").exists()
    assert "shared with nobody" in run("share", "ls").stderr
    events = [(row["event"], row["name"]) for row in tail_jsonl(fake.paths.audit_log, 9)]
    assert events[-1] == ("share_revoked", "bob")
    again = run("share", "revoke", "ana")
    assert again.exit_code == 1
    assert "Shared with: nobody." in again.stderr


def test_a_plain_key_isn_t_revoked_as_a_share(run: Run, fake: FakeSession) -> None:
    run("keys", "add", "program")
    assert run("share", "revoke", "program").exit_code == 1
    assert run("share", "revoke", "owner").exit_code == 1
    assert "A key named 'program' exists" in run("share", "program").stderr


def test_links_of_one_label_are_told_apart(run: Run, fake: FakeSession) -> None:
    first = share_json(run, "--link", "lab")["name"]
    text = fake.paths.keys.read_text()
    entries = json.loads(text)
    entries["keys"].append({**entries["keys"][-1], "name": "link:lab:00000000"})
    fake.paths.keys.write_text(json.dumps(entries))
    result = run("share", "revoke", "lab")
    assert "may be any of" in result.stderr
    assert run("share", "revoke", str(first)).exit_code == 0


@pytest.mark.parametrize("user", ["../x", "a b", "a~b", "link:lab:00", "owner"])
def test_hostile_names_are_refused(run: Run, fake: FakeSession, user: str) -> None:
    result = run("share", "add", user)
    assert result.exit_code == 1
    assert result.stdout == ""


def test_a_user_that_this_machine_doesn_t_know_is_told_and_not_refused(run: Run, fake: FakeSession) -> None:
    result = run("share", "nobody-of-that-name")
    assert result.exit_code == 0
    assert "knows no user 'nobody-of-that-name'" in result.stderr
    assert "knows no user" not in run("share", "root").stderr


def test_wrong_usage_is_told(run: Run, fake: FakeSession) -> None:
    assert run("share", "--hours", "2").exit_code == 2
    assert run("share", "ana", "--link", "lab").exit_code == 2
    assert run("share", "ana", "--hours", "0").exit_code == 2
    assert "Models here: curc-guide." in run("share", "ana", "--model", "x").stderr
    assert "yours already" in run("share", fake.record.owner).stderr
    assert "revoke" in run("share", "--help").stdout
    assert "--show-key" in run("share", "add", "--help").stdout


def test_a_user_called_like_a_subcommand_can_be_shared_with(run: Run, fake: FakeSession) -> None:
    assert share_json(run, "add", "ls")["name"] == "ls"


def test_a_share_that_has_run_out_makes_room_for_a_new_one(run: Run, fake: FakeSession) -> None:
    share_json(run, "ana", "--hours", "1")
    entries = json.loads(fake.paths.keys.read_text())
    entries["keys"][-1]["expires_at"] = 1.0
    fake.paths.keys.write_text(json.dumps(entries))
    assert json.loads(run("share", "ls", "--json").stdout) == []
    made = share_json(run, "ana", "--hours", "3")
    assert made["is_new"] is True


def test_an_ended_session_shares_nothing(run: Run, fake: FakeSession) -> None:
    share_json(run, "ana")
    fake.end("idle", "Nobody used it.")
    for args in (["ana"], ["ls"], ["revoke", "ana"]):
        result = run("share", *args, "-s", "local-fake01")
        assert result.exit_code == 1
        assert "Nobody used it." in result.stderr


def test_the_owner_s_list_of_chats_has_none_of_a_guest(run: Run, fake: FakeSession) -> None:
    open_store(fake.paths.root.parents[1], "ana").create().append_question("private words")
    assert "private" not in run("chats", "ls").stdout
    assert "private" not in run("chats", "search", "private").stdout
