"""Every example of docs/adding-a-model.md works."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curc_llm.catalogue.load import load_catalogue
from curc_llm.catalogue.model import Catalogue
from tests.catalogue.conftest import LLAMA

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-model.md"
OWN, FULL = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


@pytest.fixture
def own(tmp_path: Path, make_model: Callable[..., Path]) -> Catalogue:
    """The document's own file, with the folder and the config.json that it names."""
    (tmp_path / "models").mkdir()
    shutil.move(make_model("my-llama"), tmp_path / "models")
    (tmp_path / "configs" / "some-model").mkdir(parents=True)
    (tmp_path / "configs" / "some-model" / "config.json").write_text(json.dumps(LLAMA))
    (tmp_path / "catalogue.yml").write_text(OWN)
    return load_catalogue([tmp_path / "catalogue.yml"])


def test_the_users_file_of_the_document_is_read(own: Catalogue) -> None:
    assert own.broken == {}
    assert own.models["my-llama"].title == "Llama, fine-tuned on our papers"
    assert own.models["my-llama"].weights[0].weight_bytes
    assert own.models["some-model"].architecture.num_layers == 2
    assert own.models["small-one"].architecture.total_params == 8_030_261_248


def test_the_document_overrides_shipped_models_as_it_says(own: Catalogue, shipped: Catalogue) -> None:
    assert own.models["qwen3-8b"].defaults.max_model_len == 16384
    assert own.models["qwen3-8b"].weights == shipped.models["qwen3-8b"].weights
    changed = own.models["llama-3.1-8b-instruct"]
    assert (changed.weights[0].hub_id, changed.gated) == ("our-lab/llama-3.1-8b-papers", False)
    assert changed.architecture == shipped.models["llama-3.1-8b-instruct"].architecture


def test_the_full_entry_of_the_document_is_read(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yml"
    path.write_text(FULL)
    model = load_catalogue([path]).models["tiny-8b"]
    assert model.weights[1].source == "catalogue.yml:card"
    assert model.architecture.embedding_params == 2 * 128256 * 4096


def test_the_error_that_the_document_shows_is_what_people_get(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yml"
    path.write_text(FULL.replace("    licence:", "    licens:"))
    with pytest.raises(Exception, match=r"there is nothing named `.*licens`.*Did you mean `licence`\?"):
        load_catalogue([path])
