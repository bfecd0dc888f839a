"""The logs: what is in them, and that no disk can harm a request."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from pathlib import Path

import pytest

from curc_llm.gateway import logfile
from curc_llm.gateway.logfile import JsonlFile, LogWriter
from tests.fakes.fake_engine import FakeEngine, run_fake_engine
from tests.gateway.conftest import RunningGateway, StartGateway


async def test_a_line_tells_who_asked_what_of_whom_and_how_long_it_took(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.first_token_s = 0.05
    engine.behaviour.token_s = 0.01
    before = time.time()
    reply = await gateway.chat(stream=True, max_tokens=5)
    line = (await gateway.wait_log("access", 1))[0]
    assert before - 1 <= line["time"] <= time.time()
    assert line["request_id"] == reply.headers["x-request-id"]
    assert (line["route"], line["key"], line["model"]) == ("/v1/chat/completions", "owner", "fake")
    assert (line["stream"], line["status"], line["bytes"]) == (True, 200, len(reply.body))
    assert (line["prompt_tokens"], line["completion_tokens"]) == (7, 5)
    assert 50 <= line["first_token_ms"] < line["total_ms"]
    assert (line["priority"], line["retries"]) == ("interactive", 0)
    assert line["replica"] == gateway.socket_of("fake")
    assert 0 <= line["queued_ms"] < line["first_token_ms"]
    assert len(line) == 16  # nothing else, above all no text
    assert stat.S_IMODE(gateway.paths.access_log.stat().st_mode) == 0o600


async def test_every_api_s_tokens_are_counted(gateway: RunningGateway, engine: FakeEngine) -> None:
    asked = [("/v1/messages", 3), ("/v1/responses", 3), ("/v1/completions", 3), ("/v1/embeddings", None)]
    for path, _ in asked:
        await gateway.chat(path, max_tokens=3)
        if path != "/v1/embeddings":
            await gateway.chat(path, max_tokens=3, stream=True)
    lines = await gateway.wait_log("access", 7)
    expected = {path: (7, count) for path, count in asked}
    assert [(line["prompt_tokens"], line["completion_tokens"]) for line in lines] == [
        expected[line["route"]] for line in lines
    ]


async def test_a_failed_request_is_in_the_error_log_too(gateway: RunningGateway, engine: FakeEngine) -> None:
    engine.behaviour.die_after = 0
    await gateway.chat()
    line = (await gateway.wait_log("error", 1))[0]
    assert (line["status"], line["model"], line["key"]) == (502, "fake", "owner")


async def test_prompts_and_answers_are_logged_only_when_the_owner_wants_it(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway(log_prompts=True)
    async with run_fake_engine(gateway.socket_of("fake")):
        await gateway.serve("fake")
        await gateway.chat(max_tokens=2)
        await gateway.chat(max_tokens=2, stream=True)
        plain, stream = await gateway.wait_log("access", 2)
    assert plain["asked"]["messages"] == [{"role": "user", "content": "Hi"}]
    assert "word0 word1" in plain["answered"]
    assert "word1" in stream["answered"]


@pytest.mark.slow
async def test_a_full_disk_fails_no_request(start_gateway: StartGateway) -> None:
    gateway = await start_gateway()
    for path in (gateway.paths.access_log, gateway.paths.audit_log, gateway.paths.error_log):
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/full")
    async with run_fake_engine(gateway.socket_of("fake")):
        await gateway.serve("fake")
        for _ in range(3):
            assert (await gateway.chat()).status == 200
            await asyncio.sleep(0.25)  # the writer has tried meanwhile
        assert (await gateway.ask("GET", "/status", None, gateway.auth)).status == 200


def test_lines_that_the_disk_didn_t_take_are_counted_and_later_ones_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.symlink_to("/dev/full")
    log = JsonlFile(path)
    for n in range(3):
        log.append({"n": n})
    log.flush()
    assert log.dropped == 3
    path.unlink()
    log.append({"n": "ü"})
    log.flush()
    log.flush()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"n": "ü"}]


def test_a_line_that_was_half_written_spoils_no_other(tmp_path: Path) -> None:
    class Filling(JsonlFile):
        room = 15

        def _write(self, data: bytes) -> int:
            written = super()._write(data[: self.room])
            self.room = 10_000
            return written

    log = Filling(tmp_path / "log.jsonl")
    log.append({"n": 1})
    log.append({"n": 2})
    log.flush()
    assert log.dropped == 1
    log.append({"n": 3})
    log.flush()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert (json.loads(lines[0]), json.loads(lines[-1])) == ({"n": 1}, {"n": 3})


def test_while_the_disk_hangs_memory_stays_bounded(tmp_path: Path) -> None:
    log = JsonlFile(tmp_path / "log.jsonl")
    for n in range(logfile._MAX_WAITING + 10):
        log.append({"n": n})
    assert log.dropped == 10


def test_the_writer_writes_by_itself_and_at_its_end(tmp_path: Path) -> None:
    log = JsonlFile(tmp_path / "log.jsonl")
    writer = LogWriter([log])
    log.append({"n": 1})
    end = time.monotonic() + 5
    while not (tmp_path / "log.jsonl").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    log.append({"n": 2})
    writer.close()
    assert (tmp_path / "log.jsonl").read_text() == '{"n":1}\n{"n":2}\n'
