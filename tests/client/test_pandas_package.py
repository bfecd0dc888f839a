from __future__ import annotations

import importlib
import sys

import pytest

from curc_llm.client.pandas_package import import_pandas
from curc_llm.errors import MissingPackageError


def test_without_pandas_a_sentence_says_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match=r"A DataFrame needs the package pandas.*curc-llm\[jupyter"):
        import_pandas("A DataFrame")


def test_with_pandas_it_is_the_package() -> None:
    assert import_pandas("A DataFrame") is importlib.import_module("pandas")
