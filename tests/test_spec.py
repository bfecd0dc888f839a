"""What a person called a model becomes a frozen spec, or an error that says what would work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from curc_llm.errors import ModelNotFoundError, SpecError
from curc_llm.settings import Settings, load_settings
from curc_llm.spec import (
    DEMO_MODEL_DIR,
    LaunchSpec,
    make_engine_spec,
    make_launch_spec,
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
