from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.chat.defaults import Defaults, find_folder, load_defaults
from curc_llm.session.record import EngineRecord
from curc_llm.spec import DEMO_MODEL_DIR


def make_model(folder: Path, text: str | None) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    if text is not None:
        (folder / "generation_config.json").write_text(text)
    return folder


def test_the_models_own_numbers_are_told(tmp_path: Path) -> None:
    text = '{"temperature": 0.6, "top_p": 0.95, "top_k": 20, "max_new_tokens": 32768, "do_sample": true}'
    defaults = load_defaults(make_model(tmp_path / "m", text))
    assert defaults.render_placeholder("temperature") == "0.6 (model's default)"
    assert defaults.render_placeholder("top_p") == "0.95 (model's default)"
    assert defaults.render_placeholder("max_tokens") == "32,768 (model's default)"
    assert defaults.render_placeholder("seed") == "another each time"
    assert defaults.render_others() == "The model also sets top_k 20."


def test_the_bundled_model_picks_the_likeliest_token() -> None:
    assert load_defaults(DEMO_MODEL_DIR).render_placeholder("temperature") == "0 (model's default)"


def test_a_model_without_any_gets_those_of_vllm(tmp_path: Path) -> None:
    defaults = load_defaults(make_model(tmp_path / "m", None))
    assert defaults.render_placeholder("temperature") == "1 (vLLM's default)"
    assert defaults.render_placeholder("max_tokens") == "as many as fit"
    assert defaults.render_others() == ""


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_what_cant_be_read_isnt_known(tmp_path: Path, text: str) -> None:
    assert load_defaults(make_model(tmp_path / "m", text)) == Defaults()
    assert "not known" in load_defaults(tmp_path / "gone").render_placeholder("temperature")
    assert "not known" in load_defaults(None).render_placeholder("max_tokens")


def test_odd_values_are_passed_over(tmp_path: Path) -> None:
    text = '{"temperature": "hot", "top_p": true, "top_k": 1e400, "min_p": 0.1}'
    assert load_defaults(make_model(tmp_path / "m", text)).values == {"min_p": 0.1}


def test_a_models_folder_is_found_by_its_record(tmp_path: Path) -> None:
    local = EngineRecord(served_model_name="m", model="/models/m")
    assert find_folder(local) == Path("/models/m")
    hub = EngineRecord(served_model_name="m", model="Qwen/Qwen3-8B", revision="abc")
    assert find_folder(hub) is None
    assert find_folder(hub, tmp_path) is None
    snapshot = make_model(tmp_path / "hub/models--Qwen--Qwen3-8B/snapshots/abc", None)
    assert find_folder(hub, tmp_path) == snapshot
