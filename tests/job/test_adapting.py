"""Adapters that come and go while a session runs; the engine is a stand-in, all else is real."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curc_llm.session.record import SessionRecord
from curc_llm.spec import DEMO_MODEL_DIR, make_adapter
from tests.job.conftest import Job
from tests.tiny_adapter import write_adapter

pytestmark = pytest.mark.slow

StartJob = Callable[..., Job]


@pytest.fixture
def start(start_job: StartJob, tmp_path: Path) -> StartJob:
    """Starts a job whose model is the bundled one, with room for adapters unless said otherwise."""
    shutil.copy(DEMO_MODEL_DIR / "model.safetensors", tmp_path / "model" / "model.safetensors")

    def start(*, room: int | None = 2, replicas: int = 1, **more: Any) -> Job:
        adapters = more.pop("adapters", ())
        return start_job("one", engine={"max_loras": room, "adapters": adapters}, replicas=replicas, **more)

    return start


def names_of(record: SessionRecord) -> list[list[str]]:
    return [[adapter.name for adapter in engine.adapters] for engine in record.engines]


def add(job: Job, name: str, source: Path | str, **more: Any) -> tuple[int, dict[str, Any]]:
    return job.ask("/adapters", name=name, source=str(source), **more)


def test_an_adapter_is_added_used_and_removed(start: StartJob, tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "pirate", base_model_name_or_path="one")
    job = start()
    job.wait_until_ready()
    assert job.chat("pirate")[0] == 404
    status, told = add(job, "pirate", folder)
    assert (status, told["status"], told["model"], told["rank"]) == (200, "loaded", "one", 4)
    assert names_of(job.wait_for(lambda r: any(names_of(r)))) == [["pirate"]]
    assert job.chat("pirate")[1]["model"] == "pirate"
    listed = {one["id"]: one["parent"] for one in job.ask("/v1/models")[1]["data"]}
    assert listed == {"one": None, "pirate": "one"}
    assert job.delete("/adapters/pirate")[0] == 200
    status, refused = job.chat("pirate")
    assert (status, refused["error"]["code"]) == (404, "model_not_found")
    assert job.chat("one")[0] == 200


def test_every_replica_has_it_and_has_it_again_after_its_engine_died(start: StartJob, tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "pirate", base_model_name_or_path="one")
    job = start(replicas=2)
    job.wait_for(lambda r: r.port and all(engine.phase == "ready" for engine in r.engines))
    assert add(job, "pirate", folder)[0] == 200
    job.wait_for(lambda r: names_of(r) == [["pirate"], ["pirate"]])
    for place in (0, 1):
        job.find("fake_engine.py", f"engine-{place}.sock").kill()
    job.wait_for(lambda r: all(e.restarts == 1 and e.phase == "ready" for e in r.engines))
    for _ in range(4):
        assert job.chat("pirate")[1]["model"] == "pirate"


def test_one_that_a_replica_can_t_load_is_nowhere(start: StartJob, tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "pirate", base_model_name_or_path="one")
    job = start(environment={"FAKE_ENGINE_OPTIONS": "--refuses-adapters"})
    job.wait_until_ready()
    status, told = add(job, "pirate", folder)
    assert (status, told["error"]["code"]) == (400, "adapter_broken")
    assert told["error"]["message"].startswith(
        "vLLM can't load the adapter pirate: The fake engine has no room."
    )
    assert (names_of(job.record), job.chat("pirate")[0]) == ([[]], 404)


def test_what_can_t_be_served_is_refused_in_a_sentence(start: StartJob, tmp_path: Path) -> None:
    write_adapter(tmp_path / "pirate", base_model_name_or_path="one")
    write_adapter(tmp_path / "wide", hidden=256, base_model_name_or_path="one")
    write_adapter(tmp_path / "large", rank=64, base_model_name_or_path="one")
    write_adapter(tmp_path / "foreign", base_model_name_or_path="meta-llama/Llama-3.1-8B")
    write_adapter(tmp_path / "broken", base_model_name_or_path="one")
    weights = tmp_path / "broken" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-2] + bytes.fromhex("007e"))  # NaN in float16
    job = start()
    job.wait_until_ready()
    for name, source, sentence in (
        ("one", "pirate", "'one' is a model of this session already."),
        ("a/b", "pirate", "'a/b' can't be the name of an adapter."),
        ("one=/a", "pirate", "'one=/a' can't be the name of an adapter."),
        ("new", "nowhere", "There is no folder"),
        ("new", "wide", "was made for another model than one"),
        ("new", "large", "has the rank 64, and the model takes ranks up to 16."),
        ("new", "broken", "holds numbers that are none (NaN or infinity), first in"),
        ("new", "foreign", "was trained on meta-llama/Llama-3.1-8B, not on one."),
    ):
        status, body = add(job, name, tmp_path / source)
        assert status == 400
        assert sentence in body["error"]["message"]
    assert names_of(job.record) == [[]]
    assert add(job, "new", tmp_path / "pirate", model="two")[1]["error"]["code"] == "adapter_not_found"
    assert add(job, "new", "")[1]["error"]["param"] == "source"


def test_a_model_without_room_says_how_to_make_some(start: StartJob, tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "pirate", base_model_name_or_path="one")
    job = start(room=None)
    job.wait_until_ready()
    status, body = add(job, "pirate", folder)
    assert (status, body["error"]["code"]) == (409, "adapter_room")
    assert "--max-loras 1" in body["error"]["message"]


def test_an_adapter_that_has_gone_or_is_broken_doesn_t_keep_its_model_away(
    start: StartJob, tmp_path: Path
) -> None:
    folder = write_adapter(tmp_path / "pirate", base_model_name_or_path="one")
    kept = write_adapter(tmp_path / "kept", base_model_name_or_path="one", seed=2)
    odd = write_adapter(tmp_path / "odd", base_model_name_or_path="one") / "adapter_model.safetensors"
    header = b'{"a":{"dtype":"F16","shape":[2],"data_offsets":[]}}'
    odd.write_bytes(len(header).to_bytes(8, "little") + header)
    folders = {"pirate": folder, "kept": kept, "odd": odd.parent}
    adapters = tuple(make_adapter(name, str(path)) for name, path in folders.items())
    (folder / "adapter_config.json").unlink()
    job = start(room=None, adapters=adapters)
    record = job.wait_until_ready()
    assert names_of(record) == [["kept"]]
    for name in ("pirate", "odd"):
        assert any(f"The adapter {name} of one isn't there" in warning for warning in record.warnings)
    assert job.chat("kept")[0] == 200
