"""The openai library: half a second to import, so nothing imports it before a question needs it."""

from __future__ import annotations

import contextlib
import importlib
import threading

from curc_llm.errors import MissingPackageError

# What a first question imports, in the order in which it does. openai loads its parts when they are used.
OF_A_QUESTION = ("openai", "openai.resources.chat.completions", "curc_llm.client.stream")


def require_openai() -> None:
    """Imports it; `import openai` on the next line then costs nothing and can't fail.

    Raises:
        MissingPackageError: it isn't installed, or is broken.
    """
    try:
        importlib.import_module("openai")
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "openai":
            message = "Asking a model needs the package openai, which isn't installed."
        else:
            message = f"The package openai is installed, but can't be imported: {str(error)[:300]}."
        raise MissingPackageError(message, "Install it with: pip install --upgrade openai") from None


def begin_import() -> threading.Thread:
    """Imports it in a thread, for a person who is about to ask: the first question then needn't wait for it.

    Whoever imports it meanwhile waits for the thread, as Python's import lock has it; who finds it missing is
    told then, not here.

    Returns:
        The thread; nobody needs to wait for it.
    """
    thread = threading.Thread(target=_import_quietly, name="curc-llm-import-openai", daemon=True)
    thread.start()
    return thread


def _import_quietly() -> None:
    # Whatever is wrong with it, a question will meet it again, and say it where somebody reads it.
    with contextlib.suppress(Exception):
        for name in OF_A_QUESTION:
            importlib.import_module(name)
