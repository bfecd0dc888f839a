"""Another model takes an engine's place in a running session; the engines are stand-ins, all else is real."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curc_llm.session.record import SessionRecord
from curc_llm.spec import DEMO_MODEL_DIR
from tests.job.conftest import Job, wait_until

pytestmark = pytest.mark.slow

StartJob = Callable[..., Job]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another model: the bundled one in a folder of its own."""
    return Path(shutil.copytree(DEMO_MODEL_DIR, tmp_path / "other-guide"))


def swap(job: Job, model: object, **more: Any) -> tuple[int, dict[str, Any]]:
    return job.ask("/swap", model=str(model), **more)


def is_over(record: SessionRecord) -> bool:
    return all(engine.swap is None for engine in record.engines)


def serves(record: SessionRecord, *names: str) -> bool:
    return is_over(record) and [(e.served_model_name, e.phase.value) for e in record.engines] == [
        (name, "ready") for name in names
    ]


def test_another_model_takes_the_place_and_who_asks_meanwhile_is_told_or_waits(
    start_job: StartJob, other: Path
) -> None:
    job = start_job("one", environment={"FAKE_ENGINE_OPTIONS": "--ready-after-s 3"})
    job.wait_until_ready()
    status, told = swap(job, other)
    assert (status, told["engine"], told["served_model_name"]) == (202, "one", "other-guide")
    waiting: list[tuple[int, dict[str, Any]]] = []
    asking = threading.Thread(target=lambda: waiting.append(job.chat("other-guide")))
    asking.start()
    job.wait_for(lambda r: r.engines[0].swap and r.engines[0].swap.phase == "starting")
    status, refused = job.chat("one")
    assert (status, refused["error"]["code"]) == (503, "model_swapping")
    assert "'one' is exchanged for 'other-guide'" in refused["error"]["message"]
    status, refused = swap(job, other)
    assert (status, refused["error"]["code"]) == (409, "swap_under_way")
    assert "One exchange at a time: one is being exchanged for other-guide." in refused["error"]["message"]
    job.wait_for(lambda r: serves(r, "other-guide"))
    asking.join(timeout=60)
    assert [(status, answer["model"]) for status, answer in waiting] == [(200, "other-guide")]
    assert [one["id"] for one in job.ask("/v1/models")[1]["data"]] == ["other-guide"]
    assert job.chat("one")[0] == 404
    assert job.record.engines[0].model == str(other)


def test_an_answer_that_is_being_written_is_written_to_its_end(start_job: StartJob, other: Path) -> None:
    job = start_job("one", environment={"FAKE_ENGINE_OPTIONS": "--token-s 0.1 --tokens 1"})
    job.wait_until_ready()
    answers: list[tuple[int, dict[str, Any]]] = []
    asking = threading.Thread(target=lambda: answers.append(job.chat("one", max_tokens=20)))
    asking.start()
    wait_until(lambda: b'_running{model_name="one"} 1' in metrics(job))
    swap(job, other)
    asking.join(timeout=60)
    assert [(status, answer["usage"]["completion_tokens"]) for status, answer in answers] == [(200, 20)]
    job.wait_for(lambda r: serves(r, "other-guide"))


def metrics(job: Job) -> bytes:
    import urllib.request

    key = job.paths.api_key.read_text().strip()
    request = urllib.request.Request(
        f"http://127.0.0.1:{job.record.port}/metrics", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())


def test_a_model_that_can_t_start_leaves_the_old_one_in_its_place(
    start_job: StartJob, other: Path, tmp_path: Path
) -> None:
    fails = "OSError: Can't load the configuration of 'other'."
    environment = {"FAKE_ENGINE_FAIL": fails, "FAKE_ENGINE_FAIL_MODEL": "other-guide"}
    job = start_job("one", environment=environment)
    job.wait_until_ready()
    assert swap(job, other)[0] == 202
    record = job.wait_for(lambda r: r.engines[0].swap_trouble, 60)
    assert serves(record, "one")
    told = record.engines[0].swap_trouble
    assert told is not None
    assert told.message.startswith("other-guide could not take the place of one, which serves on:")
    assert told.message in " ".join(record.warnings)
    assert not any(
        warning.startswith("other-guide") and "place of" not in warning for warning in record.warnings
    )
    assert record.engines[0].model == str(tmp_path / "model")
    log = job.paths.log("engine-other-guide").read_text()
    assert log.count(fails) == 1  # nobody is answered meanwhile: it isn't tried again
    assert job.chat("one")[0] == 200
    assert job.ask("/swap", model="demo", max_lora_rank="64")[0] == 202
    record = job.wait_for(lambda r: serves(r, "curc-guide"), 60)
    assert (record.engines[0].max_loras, record.engines[0].max_lora_rank) == (1, 64)
    assert not any("which serves on" in warning for warning in record.warnings)


def test_what_can_t_run_here_is_refused_before_anything_stops(start_job: StartJob, tmp_path: Path) -> None:
    job = start_job("one", "two")
    job.wait_for(lambda r: r.port and serves(r, "one", "two"))
    for fields, status, code, sentence in (
        ({"model": "deepseek-v3"}, 409, "model_not_found", "Name it with --engine: one, two."),
        ({"model": "llama-3.1-405b-instruct", "engine": "one"}, 400, "does_not_fit", "GiB"),
        ({"model": "nonsense", "engine": "one"}, 404, "model_not_found", "no model 'nonsense'"),
        ({"model": str(tmp_path / "gone"), "engine": "one"}, 404, "model_not_found", "There is no folder"),
        ({"model": "demo", "engine": "three"}, 404, "model_not_found", "There is no model 'three' here."),
        ({"model": str(tmp_path / "model"), "engine": "two"}, 404, "model_not_found", ""),
        ({"engine": "two"}, 400, "invalid_request", "The field model is missing or empty."),
        ({"model": "demo", "engine": "one", "max_loras": "\u00b2"}, 400, "invalid_request", "max_loras is"),
        ({"model": "demo", "engine": "one", "max_lora_rank": "7"}, 400, "invalid_request", "one of 1, 8, 16"),
    ):
        answered, body = job.ask("/swap", **fields)
        assert sentence in body["error"]["message"], body
        assert (answered, body["error"]["code"]) == (404 if code == "model_not_found" else status, code), body
    assert serves(job.record, "one", "two")
    assert [engine.restarts for engine in job.record.engines] == [0, 0]


def test_the_list_names_what_fits_and_nothing_else(start_job: StartJob) -> None:
    job = start_job("one")
    job.wait_until_ready()
    status, told = job.ask("/swap")
    assert (status, told["engine"]) == (200, "one")
    models = {one["model"]: one for one in told["models"]}
    assert models["curc-guide"]["is_here"]
    assert {"qwen3-0.6b", "curc-guide"} <= set(models)
    assert not {"llama-3.1-405b-instruct", "one"} & set(models)


def test_one_of_two_models_is_exchanged_and_the_other_answers_on(start_job: StartJob, other: Path) -> None:
    job = start_job("one", "two", environment={"FAKE_ENGINE_OPTIONS": "--ready-after-s 1"})
    job.wait_for(lambda r: r.port and serves(r, "one", "two"))
    assert swap(job, other, engine="two")[0] == 202
    job.wait_for(lambda r: r.engines[1].swap and r.engines[1].swap.phase == "starting")
    assert job.chat("one")[0] == 200
    job.wait_for(lambda r: serves(r, "one", "other-guide"))
    events = [line for line in job.paths.audit_log.read_text().splitlines() if '"swap' in line]
    assert len(events) == 2
