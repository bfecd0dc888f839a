"""What makes no sense in a catalogue file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from curc_llm.catalogue.load import load_catalogue
from curc_llm.catalogue.model import Catalogue
from curc_llm.catalogue.plausible import list_faults
from curc_llm.errors import FactFileError
from tests.catalogue.make_vllm_parsers import FILE, make_table
from tests.catalogue.test_load import MODEL, SOURCES


def test_the_parsers_are_those_of_the_installed_vllm() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == make_table(), (
        "run: .venv/bin/python -m tests.catalogue.make_vllm_parsers"
    )


def test_nothing_that_is_shipped_is_at_fault(shipped: Catalogue) -> None:
    assert [fault for model in shipped.models.values() for fault in list_faults(model)] == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tool_call_parser": "hermess"}, "`tool_call_parser` can't be 'hermess'"),
        ({"reasoning_parser": "qwen33"}, "`reasoning_parser` can't be 'qwen33'"),
        ({"weights": [{"hub_id": "just-a-name", "format": "bf16"}]}, "it must look like owner/name"),
        (
            {"weights": [{"hub_id": "me/tiny", "format": "bf16", "weight_bytes": 15}]},
            "15: that is too little",
        ),
        ({"architecture": {**MODEL["architecture"], "num_layers": 1}}, "`attention` has 2 layers in all"),  # type: ignore[dict-item]
        ({"architecture": {**MODEL["architecture"], "num_layers": 32}}, "the model has 32"),  # type: ignore[dict-item]
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(
    change: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump({"models": {"tiny": {**MODEL, **change}}, "sources": SOURCES}))
    with pytest.raises(FactFileError) as caught:
        load_catalogue([path])
    assert told in str(caught.value)
    assert "mine.yml, line " in str(caught.value)


def test_the_nearest_parser_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump({"models": {"qwen3-8b": {"tool_call_parser": "hermess"}}}))
    with pytest.raises(FactFileError) as caught:
        load_catalogue([path])
    assert caught.value.remedy.startswith("Did you mean hermes")
