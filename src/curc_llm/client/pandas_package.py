"""The package pandas, which only tables need."""

from __future__ import annotations

import importlib
from typing import Any

from curc_llm.client.faces import explain_missing


def import_pandas(what: str) -> Any:
    """The package.

    Args:
        what: what needs it, for the sentence that says so.

    Raises:
        MissingPackageError: it isn't installed.

    Example:
        >>> import_pandas("A DataFrame").__name__
        'pandas'
    """
    try:
        return importlib.import_module("pandas")
    except ModuleNotFoundError as error:
        raise explain_missing(error, what) from None
