"""What a person called a model becomes a frozen spec, or an error that says what would work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from curc_llm.errors import ModelNotFoundError, SpecError
from curc_llm.plan.plan import Plan
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings, load_settings
from curc_llm.spec import (
    DEMO_MODEL_DIR,
    LaunchSpec,
    Origin,
    SlurmSpec,
    fingerprint_folder,
    make_engine_spec,
    make_launch_spec,
    make_repeat,
    make_session_id,
    read_launch_spec,
)


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def make_settings(tmp_path: Path, text: str = "") -> Settings:
    config = tmp_path / "settings.yml"
    config.write_text(text)
    return load_settings(config, {"HOME": str(tmp_path)})


def make_spec(settings: Settings, *models: str, **options) -> LaunchSpec:
    return make_launch_spec(settings, models, device="cpu", engine_python="python", **options)


def test_the_demo_model_is_the_bundled_one(tmp_path: Path) -> None:
    engine = make_engine_spec(make_settings(tmp_path), "demo")
    assert (engine.model, engine.served_model_name, engine.is_local) == (
        str(DEMO_MODEL_DIR),
        "curc-guide",
        True,
    )


def test_the_demo_model_also_makes_vectors_under_a_name_of_its_own(tmp_path: Path) -> None:
    chat, embedder = make_spec(make_settings(tmp_path), "demo", "demo-embed").engines
    assert (embedder.served_model_name, embedder.runner) == ("demo-embed", "pooling")
    assert (chat.served_model_name, chat.runner) == ("curc-guide", "generate")
    assert chat.model == embedder.model == str(DEMO_MODEL_DIR)


def test_a_hub_id_is_served_under_its_own_name_with_the_defaults(tmp_path: Path) -> None:
    engine = make_engine_spec(make_settings(tmp_path), "Qwen/Qwen3-0.6B")
    assert (engine.served_model_name, engine.is_local) == ("Qwen/Qwen3-0.6B", False)
    assert (engine.max_model_len, engine.max_num_seqs, engine.gpu_memory_utilization) == (32768, 16, 0.90)


def test_a_folder_is_served_under_its_name(tmp_path: Path, model_dir: Path) -> None:
    engine = make_engine_spec(make_settings(tmp_path), str(model_dir))
    assert (engine.model, engine.served_model_name, engine.is_local) == (str(model_dir), "my-model", True)


def test_an_entry_of_the_settings_brings_its_values_and_its_name(tmp_path: Path) -> None:
    values = {"model": "org/base", "max_num_seqs": 3, "tool_call_parser": "hermes", "time_h": 2, "port": 9100}
    text = yaml.safe_dump({"models": {"tuned": values}})
    settings = make_settings(tmp_path, text + "active_model: tuned")
    spec = make_spec(settings)
    engine = spec.engines[0]
    assert (engine.model, engine.served_model_name, engine.max_num_seqs) == ("org/base", "tuned", 3)
    assert engine.tool_call_parser == "hermes"
    assert (spec.wall_time_s, spec.port_min, spec.port_max) == (7200, 9100, 9100)


def test_several_models_become_several_engines(tmp_path: Path, model_dir: Path) -> None:
    spec = make_spec(make_settings(tmp_path), "demo", str(model_dir))
    assert [engine.served_model_name for engine in spec.engines] == ["curc-guide", "my-model"]


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="Set served_model_name"):
        make_spec(make_settings(tmp_path), "demo", "demo")


def test_no_model_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="set active_model"):
        make_spec(make_settings(tmp_path))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/no/such/folder", "There is no folder /no/such/folder"),
        ("./gone", "There is no folder gone"),
        ("just-a-word", "not a model of your settings, a folder, or a Hugging Face id"),
        ("a/b/c", "not a model of your settings"),
        ("org/$(id)", "not a model of your settings"),
        ("org/na me\n", "not a model of your settings"),
        ("", "not a model of your settings"),
        ("x" * 5000, "not a model of your settings"),
    ],
)
def test_what_is_no_model_is_told_with_what_would_be(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ModelNotFoundError, match=message.replace("(", "\\(").replace("$", "\\$")):
        make_engine_spec(make_settings(tmp_path), name)


def test_a_folder_that_holds_no_model_is_told(tmp_path: Path, model_dir: Path) -> None:
    (model_dir / "config.json").write_text("{oops")
    with pytest.raises(ModelNotFoundError, match="isn't valid JSON"):
        make_engine_spec(make_settings(tmp_path), str(model_dir))
    (model_dir / "config.json").unlink()
    with pytest.raises(ModelNotFoundError, match="holds no config"):
        make_engine_spec(make_settings(tmp_path), str(model_dir))
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelNotFoundError, match="can't be read"):
        make_engine_spec(make_settings(tmp_path), str(tmp_path / "file"))


def test_a_spec_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    spec = make_spec(make_settings(tmp_path), "demo", time_h=0.5)
    path = tmp_path / "spec.json"
    path.write_text(spec.model_dump_json())
    assert read_launch_spec(path) == spec
    assert spec.wall_time_s == 1800
    assert spec.session_dir == tmp_path / ".local/state/curc-llm/sessions" / spec.session_id


def make_plan(**fields: Any) -> Plan:
    vllm: dict[str, Any] = {"tensor_parallel_size": 2, "max_model_len": 8192, "trust_remote_code": True}
    own = {"hub_id": "org/Big-FP8", "revision": "abc", "vllm_fields": {**vllm, "reasoning_parser": "qwen3"}}
    return Plan.model_validate({"fits": True, "request": PlanRequest(model="big"), **own, **fields})


def test_a_name_of_the_catalogue_is_served_as_it_was_planned(tmp_path: Path) -> None:
    engine = make_engine_spec(make_settings(tmp_path), "big", plan=make_plan(), device="cuda")
    assert (engine.served_model_name, engine.model, engine.revision) == ("big", "org/Big-FP8", "abc")
    assert (engine.tensor_parallel_size, engine.max_model_len, engine.max_num_seqs) == (2, 8192, 16)


def test_what_a_person_said_wins_over_the_plan_and_the_command_line_over_all(tmp_path: Path) -> None:
    values = {"model": "org/Big-FP8", "max_model_len": 4096, "seed": 7}
    settings = make_settings(tmp_path, yaml.safe_dump({"models": {"mine": values}}))
    given = {"seed": 9, "max_num_seqs": None}
    engine = make_engine_spec(settings, "mine", plan=make_plan(), device="cuda", given=given)
    assert (engine.max_model_len, engine.seed, engine.tensor_parallel_size) == (4096, 9, 2)
    assert (engine.max_num_seqs, engine.served_model_name) == (16, "mine")


def test_code_that_a_model_brings_runs_only_when_the_person_says_so(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, "models:\n  mine:\n    model: a/b\n    trust_remote_code: true\n")
    assert not make_engine_spec(settings, "big", plan=make_plan(), device="cuda").trust_remote_code
    assert make_engine_spec(settings, "mine", plan=make_plan(), device="cuda").trust_remote_code


def test_without_a_gpu_only_what_the_model_is_counts_of_a_plan(tmp_path: Path) -> None:
    engine = make_engine_spec(make_settings(tmp_path), "big", plan=make_plan(), device="cpu")
    assert (engine.tensor_parallel_size, engine.max_model_len) == (None, 8192)
    assert (engine.reasoning_parser, engine.model) == ("qwen3", "org/Big-FP8")


def test_a_planned_folder_is_served_under_the_name_that_was_typed(tmp_path: Path, model_dir: Path) -> None:
    plan = make_plan(folder=str(model_dir))
    engine = make_engine_spec(make_settings(tmp_path), "Org/Big", plan=plan, device="cuda")
    assert (engine.served_model_name, engine.is_local, engine.revision) == ("Org/Big", True, None)
    assert engine.model == str(model_dir)


def test_a_seed_is_always_written_down(tmp_path: Path) -> None:
    assert make_engine_spec(make_settings(tmp_path), "org/model").seed == 0
    assert make_engine_spec(make_settings(tmp_path), "demo", given={"seed": 3}).seed == 3


def test_a_spec_holds_what_was_asked_and_planned_and_what_slurm_is_asked_for(tmp_path: Path) -> None:
    origin = Origin(wanted="big", request=PlanRequest(model="big", hours=2), plan=make_plan())
    spec = make_launch_spec(
        make_settings(tmp_path), ("big",), device="cuda", engine_python="python", origins=(origin,)
    )
    slurm = SlurmSpec(partition="aa100", gres="gpu:a100_80gb:1", cpus_per_task=8, mem_gib=60)
    path = tmp_path / "spec.json"
    path.write_text(spec.model_copy(update={"slurm": slurm}).model_dump_json())
    again = read_launch_spec(path)
    assert again.slurm == slurm
    assert again.origins == (origin,)
    assert again.version == 4


@pytest.mark.parametrize("version", [2, 3])
def test_a_spec_of_an_earlier_version_is_read_as_the_same(tmp_path: Path, version: int) -> None:
    spec = make_spec(make_settings(tmp_path), "demo")
    values = json.loads(spec.model_dump_json())
    for engine in values["engines"]:
        del engine["device_ids"], engine["kv_cache_memory_bytes"]
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({**values, "version": version}))
    assert read_launch_spec(path) == spec


def test_a_repeat_is_the_same_run_in_a_session_of_its_own(tmp_path: Path, model_dir: Path) -> None:
    old = make_spec(make_settings(tmp_path), str(model_dir), time_h=2)
    other = make_settings(tmp_path, f"state_dir: {tmp_path}/elsewhere\nidle_stop_min: 5\nport_min: 9000\n")
    new = make_repeat(old, other, device="cpu", engine_python="/other/python")
    assert new.engines == old.engines
    assert (new.wall_time_s, new.idle_stop_min, new.repeats) == (7200, 30, old.session_id)
    assert new.session_id != old.session_id
    assert new.session_dir == tmp_path / "elsewhere/sessions" / new.session_id
    assert (new.engine_python, new.port_min) == ("/other/python", 9000)
    assert new.origins == old.origins


def test_a_changed_model_folder_is_noticed(model_dir: Path) -> None:
    (model_dir / "model.safetensors").write_bytes(b"1234")
    before = fingerprint_folder(model_dir)
    (model_dir / "notes.txt").write_text("no part of the model")
    assert fingerprint_folder(model_dir) == before
    (model_dir / "model.safetensors").write_bytes(b"12345")
    assert fingerprint_folder(model_dir) not in {before, ""}
    assert fingerprint_folder(model_dir / "gone") == ""


@pytest.mark.parametrize("version", [1, 5, None])
def test_a_spec_of_another_version_is_told_in_one_sentence(tmp_path: Path, version: int | None) -> None:
    values = json.loads(make_spec(make_settings(tmp_path), "demo").model_dump_json())
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({**values, "version": version}))
    with pytest.raises(SpecError) as caught:
        read_launch_spec(path)
    assert caught.value.message == (
        f"{path} is a launch spec of version {version}; this curc-llm reads version 4."
    )
    assert "curc-llm serve" in caught.value.remedy


def test_a_file_that_is_no_json_is_no_spec(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text("{")
    with pytest.raises(SpecError, match="can't be used as a launch spec"):
        read_launch_spec(tmp_path / "spec.json")


@pytest.mark.parametrize("change", [{"engines": 3}, {"unknown_field": 1}, {"device": "tpu"}])
def test_a_spec_that_isnt_one_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    values = json.loads(make_spec(make_settings(tmp_path), "demo").model_dump_json()) | change
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(values))
    with pytest.raises(SpecError, match="curc-llm serve"):
        read_launch_spec(path)


def test_session_ids_differ_and_can_be_file_names() -> None:
    ids = {make_session_id("local") for _ in range(50)}
    assert len(ids) == 50
    assert all(name.replace("-", "").isalnum() for name in ids)
