"""Adapters are looked at before a session starts: by folder, settings, catalogue; one model or more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curc_llm.errors import AdapterError
from curc_llm.launch.adapters import add_adapters
from curc_llm.settings import load_settings
from curc_llm.spec import LaunchSpec, make_launch_spec
from tests.tiny_adapter import write_adapter


def make_spec(home: Path, *models: str, settings: str = "", **more: Any) -> tuple[LaunchSpec, Any]:
    (home / "settings.yml").write_text(settings)
    own = load_settings(home / "settings.yml", {"HOME": str(home)})
    return make_launch_spec(own, models or ("demo",), device="cpu", engine_python="py", **more), own


def add(home: Path, *asked: str, models: tuple[str, ...] = (), settings: str = "", **more: Any) -> Any:
    spec, own = make_spec(home, *models, settings=settings, **more)
    return add_adapters(spec, asked, own).engines


def test_a_folder_s_adapter_is_known_with_rank_and_layers(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "a", rank=8)
    (engine,) = add(tmp_path, f"sql={folder}")
    (adapter,) = engine.adapters
    assert (adapter.name, adapter.source, adapter.rank) == ("sql", str(folder), 8)
    assert (adapter.base, adapter.target_modules) == ("curc-guide", ("q_proj", "v_proj"))


def test_every_replica_gets_it_and_of_two_models_the_one_that_it_fits(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "a")
    assert [len(e.adapters) for e in add(tmp_path, f"sql={folder}", replicas=2)] == [1, 1]
    other = "models:\n  other:\n    model: someone/other\n    max_loras: 1\n"
    engines = add(tmp_path, f"sql={folder}", models=("other", "demo"), settings=other)
    assert [len(engine.adapters) for engine in engines] == [0, 1]


def test_settings_and_catalogue_name_adapters_too(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "a", base_model_name_or_path="mine")
    catalogue = tmp_path / "catalogue.yml"
    catalogue.write_text(
        "version: 1\nmodels:\n  qwen3-0.6b:\n    adapters:\n      sql: {hub_id: someone/sql, rank: 32}\n"
    )
    mine = f"  mine:\n    model: {(tmp_path / 'm')}\n    adapters: {{own: {folder}}}\n"
    (tmp_path / "m").symlink_to(make_spec(tmp_path)[0].engines[0].model)
    (engine,) = add(tmp_path, models=("mine",), settings=f"models:\n{mine}")
    assert [adapter.name for adapter in engine.adapters] == ["own"]
    (engine,) = add(tmp_path, "sql", models=("Qwen/Qwen3-0.6B",), settings=f"catalogue: {catalogue}\n")
    (adapter,) = engine.adapters
    assert (adapter.source, adapter.is_local, adapter.rank) == ("someone/sql", False, 32)
    assert "Qwen/Qwen3-0.6B" in engine.known_as


@pytest.mark.parametrize(
    ("asked", "config", "code", "sentence"),
    [
        ("curc-guide=A", {}, "adapter_name", "a model of this session is"),
        ("sql=A", {"peft_type": "IA3"}, "adapter_broken", "an adapter of the kind IA3"),
        ("sql=A", {"use_dora": True}, "adapter_broken", "needs DoRA"),
        ("sql=A", {"bias": "all"}, "adapter_broken", "trained biases"),
        ("sql=A", {"modules_to_save": ["lm_head"]}, "adapter_broken", "whole layers"),
        ("sql=A", {"modules_to_save": True}, "adapter_broken", "whole layers"),
        ("sql=A", {"r": "8"}, "adapter_broken", "not as a whole number"),
        ("sql=A", {"rank_pattern": {"q_proj": 600}}, "adapter_rank", "has the rank 600"),
        ("sql=A", {"base_model_name_or_path": "o/m"}, "adapter_wrong_base", "was trained on o/m, not on"),
        ("sql", {}, "adapter_not_found", "no adapter that the catalogue has"),
    ],
)  # fmt: skip
def test_what_can_t_be_served_is_refused_before_anything_starts(
    tmp_path: Path, asked: str, config: dict[str, Any], code: str, sentence: str
) -> None:
    folder = write_adapter(tmp_path / "A", **config)
    with pytest.raises(AdapterError) as refused:
        add(tmp_path, asked.replace("=A", f"={folder}"))
    assert (refused.value.code, sentence in refused.value.message) == (code, True)


def test_files_that_are_missing_or_broken_are_named(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "a")
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(AdapterError, match="is cut short"):
        add(tmp_path, f"sql={folder}")
    weights.rename(folder / "adapter_model.bin")
    with pytest.raises(AdapterError, match="only this format is loaded"):
        add(tmp_path, f"sql={folder}")
    (folder / "adapter_config.json").write_text("{")
    weights.write_bytes(b"")
    with pytest.raises(AdapterError, match="isn't valid JSON"):
        add(tmp_path, f"sql={folder}")


def test_room_alone_is_no_trouble_and_an_embedding_model_has_none(tmp_path: Path) -> None:
    given = {"max_loras": 2}
    engines = add(tmp_path, models=("demo", "demo-embed"), given=given)
    assert [(engine.max_loras, engine.has_lora) for engine in engines] == [(2, True), (None, False)]
