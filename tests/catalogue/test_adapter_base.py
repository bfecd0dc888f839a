"""Whether an adapter belongs to a model, by its layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.catalogue.adapter_base import check_base
from curc_llm.catalogue.adapter_folder import read_adapter
from curc_llm.errors import AdapterError
from curc_llm.spec import DEMO_MODEL_DIR
from tests.tiny_adapter import write_adapter


def test_one_of_the_model_s_own_layers_passes(tmp_path: Path) -> None:
    check_base(read_adapter(write_adapter(tmp_path / "own")), "curc-guide", ["curc-guide"], DEMO_MODEL_DIR)


def test_one_with_more_layers_than_the_model_was_made_for_another(tmp_path: Path) -> None:
    deep = write_adapter(tmp_path / "deep", num_layers=9)
    with pytest.raises(AdapterError) as caught:
        check_base(read_adapter(deep), "curc-guide", ["curc-guide"], DEMO_MODEL_DIR)
    assert caught.value.message.endswith(
        "was made for another model than curc-guide: it changes 9 layers, the model has 4."
    )
    assert caught.value.code == "adapter_wrong_base"
