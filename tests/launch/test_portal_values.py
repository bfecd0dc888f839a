"""The portal's file of form values may be missing, broken or enormous."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.errors import SpecError
from curc_llm.launch.portal_values import MAX_CONTEXT_BYTES, PortalValueError, read_context


def test_the_values_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"llm_model": "a", "x": null}')
    assert read_context(tmp_path / "c.json") == {"llm_model": "a", "x": None}


@pytest.mark.parametrize("text", ["", "{", "[1]", '"a"', "null", "[" * 100_000, "\udcff"])
def test_a_file_that_holds_no_fields_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text, errors="surrogateescape")
    with pytest.raises(SpecError, match=r"c\.json"):
        read_context(tmp_path / "c.json")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="FileNotFoundError"):
        read_context(tmp_path / "c.json")


def test_an_enormous_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(" " * (MAX_CONTEXT_BYTES + 1))
    with pytest.raises(SpecError, match="larger than"):
        read_context(tmp_path / "c.json")


def test_a_missing_value_reads_as_a_sentence() -> None:
    error = PortalValueError("own model", "", "an id")
    assert error.message == "The own model is missing: it must be an id."
