from __future__ import annotations

import json
import time

import pytest

from curc_llm.client import connect
from curc_llm.errors import ApiError
from curc_llm.session.record import AdapterRecord
from curc_llm.session.store import tail_jsonl
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession


def test_a_new_key_stands_alone_on_standard_output_and_works(run: Run, fake: FakeSession) -> None:
    result = run("keys", "add", "ana")
    secret = result.stdout.strip()
    assert result.exit_code == 0
    assert "shown this once" in result.stderr
    with connect(fake.url, api_key=secret) as session:
        assert session.chat("Hi", model="curc-guide") == "You said: Hi"
    assert secret not in run("keys", "list").stdout + run("keys", "list", "--json").stdout
    assert secret not in (fake.paths.keys.read_text() + fake.paths.audit_log.read_text())


def test_a_revoked_key_is_refused_at_once(run: Run, fake: FakeSession) -> None:
    secret = run("keys", "add", "ana").stdout.strip()
    assert run("keys", "revoke", "ana").exit_code == 0
    with connect(fake.url, api_key=secret) as session, pytest.raises(ApiError) as caught:
        session.chat("Hi", model="curc-guide")
    assert caught.value.status == 401
    assert "revoked" in run("keys", "list").stdout


def test_limits_of_a_key_are_kept_and_listed(run: Run, fake: FakeSession) -> None:
    limits = ["--scope", "chat", "--scope", "batch", "--model", "curc-guide", "--requests-per-minute", "5"]
    made = json.loads(run("keys", "add", "ana", *limits, "--expires", "7d", "--json").stdout)
    assert made["key"].startswith("curc-")
    entry = next(e for e in json.loads(run("keys", "list", "--json").stdout) if e["name"] == "ana")
    assert (entry["scopes"], entry["models"], entry["requests_per_minute"]) == (
        ["chat", "batch"],
        ["curc-guide"],
        5,
    )
    assert entry["expires_at"] == pytest.approx(time.time() + 7 * 86400, abs=60)
    assert "digest" not in entry
    row = next(line for line in run("keys", "list").stdout.splitlines() if line.startswith("ana"))
    assert row.split()[-1] == "valid"
    assert "chat, batch" in row


def test_changes_of_keys_are_written_down(run: Run, fake: FakeSession) -> None:
    run("keys", "add", "ana")
    run("keys", "revoke", "ana")
    events = [(row["event"], row["name"]) for row in tail_jsonl(fake.paths.audit_log, 9)]
    assert events == [("key_added", "ana"), ("key_revoked", "ana")]


@pytest.mark.parametrize("expires", ["soon", "7", "0d", "-1d", "7y", "999999d"])
def test_a_time_that_is_none_is_wrong_usage(run: Run, fake: FakeSession, expires: str) -> None:
    result = run("keys", "add", "ana", "--expires", expires)
    assert result.exit_code == 2


@pytest.mark.parametrize("name", ["../x", "a b", "", "a\nb", "x" * 65])
def test_a_name_that_could_harm_a_log_is_refused(run: Run, fake: FakeSession, name: str) -> None:
    result = run("keys", "add", name)
    assert result.exit_code == 1
    assert "can't be a key's name" in result.stderr
    assert result.stdout == ""


def test_an_unknown_model_or_key_is_told_with_those_there_are(run: Run, fake: FakeSession) -> None:
    assert "Models here: curc-guide." in run("keys", "add", "ana", "--model", "x").stderr
    run("keys", "add", "ana")
    assert "Keys that can be revoked: ana." in run("keys", "revoke", "bob").stderr


def test_a_key_for_an_ended_session_is_refused(run: Run, fake: FakeSession) -> None:
    fake.end("idle", "Nobody used it.")
    assert "Nobody used it." in run("keys", "add", "ana", "-s", "local-fake01").stderr


def test_an_expired_key_is_shown_as_expired(run: Run, fake: FakeSession) -> None:
    run("keys", "add", "ana", "--expires", "1m")
    text = fake.paths.keys.read_text()
    entries = json.loads(text)
    entries["keys"][-1]["expires_at"] = 1.0
    fake.paths.keys.write_text(json.dumps(entries))
    assert "expired" in run("keys", "list").stdout


def test_a_key_for_batch_work_says_so_with_its_limits(run: Run, fake: FakeSession) -> None:
    limits = ["--concurrency", "4", "--tokens-per-minute", "60000", "--priority", "batch"]
    assert run("keys", "add", "sweep", *limits).exit_code == 0
    run("keys", "add", "only-batch", "--scope", "batch")
    run("keys", "add", "ana")
    entry = next(e for e in json.loads(run("keys", "list", "--json").stdout) if e["name"] == "sweep")
    assert (entry["concurrency"], entry["tokens_per_minute"], entry["priority"]) == (4, 60000, "batch")
    rows = {line.split()[0]: line.split() for line in run("keys", "list").stdout.splitlines() if line}
    assert rows["sweep"][4:7] == ["4", "60000", "batch"]
    assert "batch" in rows["only-batch"][3:]
    assert "interactive" in rows["ana"]
    assert run("keys", "add", "x", "--priority", "urgent").exit_code == 2
    assert run("keys", "add", "x", "--concurrency", "-1").exit_code == 2


def test_a_key_may_be_for_an_adapter_alone(run: Run, fake: FakeSession) -> None:
    fake.change_engine(adapters=(AdapterRecord(name="sql", source="/a"),))
    assert run("keys", "add", "ana", "--model", "sql").exit_code == 0
    result = run("keys", "add", "ben", "--model", "poet")
    assert (result.exit_code, "Models here: curc-guide, sql." in result.stderr) == (1, True)
