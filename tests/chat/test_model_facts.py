from __future__ import annotations

import json
from pathlib import Path

from curc_llm.chat.model_facts import ModelFacts, ModelFactsShelf
from curc_llm.session.record import EngineRecord


def make_engine(folder: Path) -> EngineRecord:
    return EngineRecord(served_model_name="m", model=str(folder), takes_images=True)


async def test_nothing_is_claimed_of_a_model_that_isnt_there() -> None:
    assert await ModelFactsShelf().find(None) == ModelFacts()


async def test_a_models_own_defaults_are_known_once_its_files_are_there(tmp_path: Path) -> None:
    shelf = ModelFactsShelf()
    assert not (await shelf.find(make_engine(tmp_path / "m"))).defaults.is_known
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "generation_config.json").write_text(json.dumps({"temperature": 0.6}))
    facts = await shelf.find(make_engine(folder))
    assert "0.6" in facts.defaults.render_placeholder("temperature")
    assert facts.takes_images is True
    assert await shelf.find(make_engine(folder)) is facts  # read once
