from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curc_llm.catalogue.eyes import find_takes_images, read_takes_images


@pytest.mark.parametrize(
    ("config", "sees"),
    [
        ({}, None),
        ({"model_type": "llama"}, False),
        ({"model_type": "qwen2_5_vl", "vision_config": {"depth": 32}}, True),
        ({"model_type": "gemma3", "vision_config": None}, False),
        ({"vision_encoder": {"hidden_size": 1}}, True),
        ({"thinker_config": {"vision_config": {"depth": 1}}}, True),
        ({"model_type": "molmo", "auto_map": {"AutoConfig": "x"}}, True),
        ({"model_type": "strange", "auto_map": {"AutoConfig": "x"}}, None),
    ],
)
def test_a_configuration_says_whether_images_may_go_in(config: dict[str, Any], sees: bool | None) -> None:
    assert find_takes_images(config) is sees


def test_it_is_read_from_a_models_folder(tmp_path: Path) -> None:
    assert read_takes_images(tmp_path) is None
    (tmp_path / "params.json").write_text(json.dumps({"dim": 8, "vision_encoder": {"a": 1}}))
    assert read_takes_images(tmp_path) is True
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    assert read_takes_images(tmp_path) is False
