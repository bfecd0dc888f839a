"""Chat, notebook and OpenAI-compatible endpoint for a language model that runs as your own job.

Example:
    >>> import curc_llm
    >>> session = curc_llm.connect()                    # doctest: +SKIP
    >>> print(session.chat("What is a login node?"))    # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curc_llm.client import Answer, Session, connect
    from curc_llm.errors import CurcLlmError

    __version__: str

__all__ = ["Answer", "CurcLlmError", "Session", "__version__", "connect"]

# Imported at first use: `import curc_llm` must cost nothing, for every command and the gateway begin with it.
_HOMES = {
    "Answer": "curc_llm.client",
    "CurcLlmError": "curc_llm.errors",
    "Session": "curc_llm.client",
    "connect": "curc_llm.client",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "__version__":
        return _read_version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "connect" and _can_show_widgets():
        return importlib.import_module("curc_llm.notebook.connect").connect
    return getattr(importlib.import_module(_HOMES[name]), name)


def _can_show_widgets() -> bool:
    """Whether this is a notebook's kernel that has the packages for widgets."""
    import sys
    from importlib.util import find_spec

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    is_kernel = getattr(shell, "kernel", None) is not None
    return is_kernel and all(find_spec(package) for package in ("anywidget", "ipywidgets"))


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext curc_llm` brings `%%llm`, `%llm_session` and `%llm_explain`; see docs/notebook.md."""
    import importlib  # by name: the package itself stands below its layers

    importlib.import_module("curc_llm.notebook.magics").register(shell)


def __dir__() -> list[str]:
    return sorted(__all__)


def _read_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("curc-llm")
    except PackageNotFoundError:  # run from a checkout that isn't installed
        return "0+uninstalled"
