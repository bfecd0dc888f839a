"""Whatever dies is restarted or told, and nothing is ever left behind."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.job.conftest import Job, is_alive, wait_until

pytestmark = pytest.mark.slow
Start = Callable[..., Job]


def test_a_session_answers_and_stops_on_request(start_job: Start) -> None:
    job = start_job()
    record = job.wait_until_ready()
    assert record.base_url == f"http://127.0.0.1:{record.port}/v1"
    assert record.engines[0].max_model_len == 4096
    assert record.engines[0].takes_images is False
    assert job.chat(max_tokens=3)[1]["choices"][0]["message"]["content"]
    job.process.send_signal(signal.SIGTERM)
    record = job.wait_for_end()
    assert (record.status, record.reason.code) == ("ended", "stopped")
    assert job.process.returncode == 0
    left = {path.name for path in job.paths.root.iterdir()}
    assert left & {"api.key", "keys.json", "login.key"} == set()


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="needs IPv6")
def test_a_session_on_an_ipv6_address_tells_one_that_can_be_opened(start_job: Start) -> None:
    record = start_job(bind_host="::1", advertise_host="::1").wait_until_ready()
    assert record.base_url == f"http://[::1]:{record.port}/v1"
    with urllib.request.urlopen(record.base_url.replace("/v1", "/health"), timeout=20) as answer:
        assert answer.status == 200


def test_two_models_are_served_by_name(start_job: Start) -> None:
    job = start_job("one", "two")
    job.wait_for(lambda r: r.port and all(e.ready_at for e in r.engines))
    assert {m["id"] for m in job.ask("/v1/models")[1]["data"]} == {"one", "two"}
    assert [job.chat(model)[1]["model"] for model in ("one", "two")] == ["one", "two"]
    # What vLLM was started with, and what the gateway counts with.
    assert [engine.max_num_seqs for engine in job.record.engines] == [16, 16]


def test_a_killed_engine_comes_back_without_a_hand(start_job: Start) -> None:
    job = start_job()
    job.wait_until_ready()
    first = job.find("fake_engine.py")
    killed_at = time.time()
    first.kill()
    dead = job.wait_for(lambda r: r.engines[0].restarts == 1)
    assert dead.engines[0].started_at >= killed_at, "the first start's clock runs on"
    record = job.wait_for(lambda r: r.engines[0].restarts == 1 and r.status == "ready")
    assert record.engines[0].trouble is not None
    assert job.find("fake_engine.py").pid != first.pid
    assert job.chat()[0] == 200


def test_a_killed_gateway_comes_back_at_the_same_address(start_job: Start) -> None:
    job = start_job()
    port = job.wait_until_ready().port
    first = job.find("curc-llm gateway")
    first.kill()
    first.wait(timeout=10)
    wait_until(lambda: _accepts(port), what="the gateway's return")
    assert job.chat()[0] == 200
    assert job.record.port == port


def test_a_killed_chat_comes_back_and_the_api_never_notices(start_job: Start) -> None:
    job = start_job()
    job.wait_until_ready()
    first = job.find("curc_llm.chat")
    first.kill()
    assert job.chat()[0] == 200
    wait_until(lambda: job.find("curc_llm.chat").pid != first.pid, what="another chat")


@pytest.mark.parametrize(
    "victims", [["curc_llm.job.run"], ["curc_llm.job "], ["curc_llm.job ", "curc_llm.job.run"]]
)
def test_kill_9_of_the_job_leaves_nothing(start_job: Start, victims: list[str]) -> None:
    job = start_job()
    job.wait_until_ready()
    job.find("curc_llm.chat")
    tree = job.tree()
    assert len(tree) >= 7
    for process in [job.find(victim) for victim in victims]:
        process.kill()
    job.process.wait(timeout=20)
    wait_until(lambda: not [p for p in tree if is_alive(p)], 20, what="the end of every process")
    if len(victims) == 1:
        wait_until(lambda: not job.paths.api_key.exists(), what="the secrets' end")
        assert not list(job.runtime_parent.glob("curc-llm-*"))


def test_after_kill_9_of_the_supervisor_the_record_says_so_and_the_secrets_are_gone(start_job: Start) -> None:
    job = start_job()
    job.wait_until_ready()
    job.find("curc_llm.job.run").kill()
    record = job.wait_for_end()
    assert record.status == "failed"
    assert "SIGKILL" in record.reason.message
    assert not job.paths.api_key.exists()
    assert not job.paths.login_secret.exists()


def test_an_engine_that_fails_for_a_known_cause_is_not_tried_again(start_job: Start) -> None:
    text = "ValueError: Model architectures ['GPT9'] are not supported for now."
    job = start_job(environment={"FAKE_ENGINE_FAIL": text})
    record = job.wait_for_end()
    assert record.status == "failed"
    assert record.engines[0].restarts == 0
    assert record.reason.code == record.engines[0].trouble.code == "unknown_architecture"
    assert record.reason.remedy


def test_an_engine_that_fails_for_no_known_cause_gets_three_tries(start_job: Start) -> None:
    job = start_job(environment={"FAKE_ENGINE_FAIL": "something odd happened"})
    record = job.wait_for_end(timeout_s=40)
    assert record.status == "failed"
    assert record.engines[0].restarts == 2
    assert "something odd happened" in record.reason.message


def test_an_error_of_the_session_s_own_ends_it_and_is_told(start_job: Start) -> None:
    job = start_job(engine={"model": "/no\0where"})  # nothing can be started with such a path
    record = job.wait_for_end()
    assert (record.status, record.reason.code) == ("failed", "internal_error")
    assert record.reason.message.endswith("an error of its own: ValueError: embedded null byte")


def test_an_engine_that_never_gets_ready_is_ended(start_job: Start) -> None:
    job = start_job(environment={"FAKE_ENGINE_HANG": "1"}, start_timeout_s=1.0)
    record = job.wait_for_end()
    assert record.reason.code == "start_timeout"


def test_a_taken_port_is_told_at_once(start_job: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        job = start_job(port_min=port, port_max=port)
        record = job.wait_for_end()
    assert record.status == "failed"
    assert str(port) in record.reason.message
    assert record.reason.remedy


def test_an_unused_session_is_warned_and_stopped(start_job: Start) -> None:
    job = start_job(idle_stop_min=0.1)
    job.wait_for(lambda r: any("Nobody is using this session" in w for w in r.warnings))
    record = job.wait_for_end()
    assert (record.status, record.reason.code) == ("ended", "idle")


def test_requests_keep_a_session_alive_and_polls_do_not(start_job: Start) -> None:
    job = start_job(idle_stop_min=0.1, environment={"FAKE_ENGINE_OPTIONS": "--token-s 0.05"})
    job.wait_until_ready()
    before = job.wait_for(lambda r: r.idle_stop_at).idle_stop_at
    for route in ("/health", "/v1/models", "/status"):
        job.ask(route)
    assert job.record.idle_stop_at == pytest.approx(before, abs=1)
    asking = threading.Thread(target=job.chat, kwargs={"max_tokens": 60})
    asking.start()
    job.wait_for(lambda r: r.idle_stop_at is None)
    asking.join()
    after = job.wait_for(lambda r: r.idle_stop_at).idle_stop_at
    assert after > before + 2


def test_the_end_of_the_wall_time_drains_and_tells(start_job: Start) -> None:
    job = start_job(wall_time_s=12.0, drain_s=6.0, environment={"FAKE_ENGINE_OPTIONS": "--token-s 0.05"})
    job.wait_until_ready()
    asking = threading.Thread(target=job.chat, kwargs={"max_tokens": 160})  # what runs is waited for
    asking.start()
    job.wait_for(lambda r: r.status == "draining")
    status, answer = job.chat()
    assert (status, answer["error"]["code"]) == (503, "session_ending")
    asking.join()
    record = job.wait_for_end()
    assert (record.status, record.reason.code) == ("ended", "wall_time")


def test_a_running_answer_is_finished_before_the_end(start_job: Start) -> None:
    job = start_job(environment={"FAKE_ENGINE_OPTIONS": "--token-s 0.05"})
    job.wait_until_ready()
    job.wait_for(lambda r: r.idle_stop_at)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(job.chat(max_tokens=40)))
    asking.start()
    job.wait_for(lambda r: r.idle_stop_at is None)
    job.process.send_signal(signal.SIGTERM)
    asking.join()
    assert answers[0][0] == 200
    assert answers[0][1]["usage"]["completion_tokens"] == 40


def test_slurms_warning_before_the_time_limit_ends_the_session_as_such(start_job: Start) -> None:
    job = start_job()
    job.wait_until_ready()
    job.process.send_signal(signal.SIGUSR1)
    assert job.wait_for_end().reason.code == "wall_time"


def test_a_full_state_folder_is_told_and_does_not_end_the_session(start_job: Start) -> None:
    job = start_job()
    job.wait_until_ready()
    job.paths.record.replace(job.paths.root / "old.json")
    job.paths.record.mkdir()  # as good as a full disk: the record can't be replaced
    job.find("fake_engine.py").kill()
    wait_until(lambda: "can't be written" in job.paths.log("job").read_text(), what="a line in the log")
    job.paths.record.rmdir()
    job.wait_for(lambda r: r.status == "ready" and r.engines[0].restarts == 1)
    assert job.chat()[0] == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.root
def test_a_disk_that_fills_up_stops_no_answer_and_no_end(start_job: Start, small_disk: Path) -> None:
    job = start_job(session_dir=small_disk / "s")
    job.wait_until_ready()
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    assert [job.chat()[0] for _ in range(20)] == [200] * 20
    (small_disk / "filler").unlink()
    assert job.chat()[0] == 200
    job.process.send_signal(signal.SIGTERM)
    assert job.wait_for_end().reason.code == "stopped"


@pytest.mark.root
def test_a_state_folder_that_becomes_read_only_stops_no_answer(start_job: Start, small_disk: Path) -> None:
    job = start_job(session_dir=small_disk / "s")
    job.wait_until_ready()
    tree = job.tree()
    # The logs are open for writing, so the disk can only be made read-only lazily, as an NFS server would.
    subprocess.run(["mount", "--bind", "-o", "ro", str(small_disk), str(small_disk)], check=True)
    try:
        assert job.chat()[0] == 200
        job.process.send_signal(signal.SIGTERM)
        job.process.wait(timeout=30)
        wait_until(lambda: not [p for p in tree if is_alive(p)], what="the end of every process")
    finally:
        subprocess.run(["umount", "--lazy", str(small_disk)], check=True)


def test_two_sessions_at_once_keep_to_themselves(start_job: Start) -> None:
    first, second = start_job(), start_job("two")
    ports = {first.wait_until_ready().port, second.wait_until_ready().port}
    assert len(ports) == 2
    key = second.paths.api_key.read_text().strip()
    headers = {"Authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{first.record.base_url}/models", headers=headers)
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(request, timeout=10)
    refused.value.close()
    first.process.send_signal(signal.SIGTERM)
    first.wait_for_end()
    assert second.chat("two")[0] == 200


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
